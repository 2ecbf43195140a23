// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// probe looks at this machine.
func probe(_ context.Context, o Options) (Facts, error) {
	token := windows.GetCurrentProcessToken()
	self, err := token.GetTokenUser()
	if err != nil {
		return Facts{}, fmt.Errorf("find out who runs this: %w", err)
	}
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return Facts{}, err
	}
	f := Facts{
		Format: factsFormat, Arch: runtime.GOARCH, Build: int(windows.RtlGetVersion().BuildNumber), Edition: edition(),
		Elevated: token.IsElevated(), Restricted: restricted(token), Nested: nested(self.User.Sid), Logon: logonService(),
		// Until it is proven on Windows which SID opens the null device, the
		// narrowest one that may.
		Device: "S-1-5-12", Container: container(),
		Temp: filepath.Join(o.StateDir, "tmp", hex.EncodeToString(random)),
	}
	var session uint32
	if err := windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &session); err != nil {
		return Facts{}, fmt.Errorf("find out which session this is: %w", err)
	}
	f.Session = int(session)
	var names naming
	if f.Setup, names, err = findSetup(self.User.Sid.String()); err != nil {
		return Facts{}, err
	}
	names[self.User.Sid.String()] = string(user)
	if f.Volumes, err = volumes(); err != nil {
		return Facts{}, err
	}
	f.Places = places(names, f.Volumes)
	return f, nil
}

func edition() string {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows NT\CurrentVersion`, registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer k.Close()
	name, _, err := k.GetStringValue("EditionID")
	if err != nil {
		return ""
	}
	return name
}

// restricted reports whether a token has restricting SIDs. A list that is empty
// restricts too, and the system's own question does not see it; so both are
// asked.
func restricted(token windows.Token) bool {
	list, err := winapi.RestrictingSIDs(token)
	return winapi.IsTokenRestricted(token) || err == nil && len(list) > 0
}

// nested reports whether this runs as a sandbox account.
func nested(sid *windows.SID) bool {
	name, _, _, err := sid.LookupAccount("")
	return err == nil && strings.HasPrefix(name, "caisson-")
}

// container asks the system for a sandbox of its own that allows nothing, and
// gives it back. No process is started.
func container() Container {
	if !winapi.HasSecurityEnvironments() {
		return Container{State: "absent"}
	}
	denies, err := winapi.TrySecurityEnvironment(emptyEnvironment())
	if err != nil {
		return Container{State: "off", Detail: err.Error()}
	}
	return Container{State: "made", Denies: denies}
}

// logonService looks how the service that starts programs as another user is
// set up; it starts on demand.
func logonService() string {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Services\seclogon`, registry.QUERY_VALUE)
	if err != nil {
		return "missing"
	}
	defer k.Close()
	const disabled = 4 // SERVICE_DISABLED
	if start, _, err := k.GetIntegerValue("Start"); err == nil && start == disabled {
		return "disabled"
	}
	return "stopped"
}

func volumes() ([]Volume, error) {
	mask, err := windows.GetLogicalDrives()
	if err != nil {
		return nil, fmt.Errorf("list the drives: %w", err)
	}
	var list []Volume
	for i := range 26 {
		if mask&(1<<i) == 0 {
			continue
		}
		v := Volume{Root: string(rune('A'+i)) + `:\`}
		root, err := windows.UTF16PtrFromString(v.Root)
		if err != nil {
			return nil, err
		}
		v.Remote = windows.GetDriveType(root) == windows.DRIVE_REMOTE
		name := make([]uint16, windows.MAX_PATH+1)
		var flags uint32
		if windows.GetVolumeInformation(root, nil, 0, nil, nil, &flags, &name[0], uint32(len(name))) != nil {
			continue // an empty drive
		}
		v.FS, v.ACLs = windows.UTF16ToString(name), flags&windows.FILE_PERSISTENT_ACLS != 0
		list = append(list, v)
	}
	return list, nil
}

// naming gives the symbols of the SIDs that facts must not hold.
type naming map[string]string

func (n naming) of(sid string) string {
	if s, ok := n[sid]; ok {
		return s
	}
	return sid
}

// most bounds how many directories are looked at.
const mostPlaces = 2000

// places reads the access lists of what every user may reach and of what a
// workspace lies in: drives and their directories, profiles, where programs are
// searched, and the way to the current directory with what is beside it.
func places(names naming, drives []Volume) []Place {
	var list []Place
	seen := map[string]bool{}
	add := func(path string) {
		path = filepath.Clean(path)
		if key := strings.ToLower(path); filepath.IsAbs(path) && !seen[key] && len(list) < mostPlaces {
			seen[key] = true
			if p, err := place(path, names); err == nil {
				list = append(list, p)
			}
		}
	}
	within := func(dir string) {
		add(dir)
		entries, err := os.ReadDir(dir)
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.IsDir() {
				add(filepath.Join(dir, e.Name()))
			}
		}
	}
	for _, d := range drives {
		if d.ACLs && !d.Remote {
			within(d.Root)
		}
	}
	for _, name := range []string{"PUBLIC", "ProgramData", "SystemRoot", "TEMP"} {
		if dir := os.Getenv(name); dir != "" {
			within(dir)
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		add(filepath.Dir(home))
		within(home)
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		add(dir)
	}
	if dir, err := os.Getwd(); err == nil {
		var way []string
		for d := dir; ; d = filepath.Dir(d) {
			way = append(way, d)
			if d == filepath.Dir(d) {
				break
			}
		}
		for _, d := range slices.Backward(way) {
			add(d)
		}
		within(dir)
	}
	slices.SortFunc(list, func(a, b Place) int { return strings.Compare(strings.ToLower(a.Path), strings.ToLower(b.Path)) })
	return list
}

// place reads one access list. One that cannot be understood stands for one
// that admits everybody.
func place(path string, names naming) (Place, error) {
	name, err := windows.UTF16PtrFromString(`\\?\` + path)
	if err != nil {
		return Place{}, err
	}
	h, err := windows.CreateFile(name, windows.READ_CONTROL, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return Place{}, err
	}
	defer windows.CloseHandle(h)
	s, err := winapi.FileSecurity(h)
	if err != nil {
		return Place{}, err
	}
	if s.Owner == "" || s.Group == "" {
		return Place{}, errors.New("no owner")
	}
	return Place{Path: path, SDDL: sddl(s, names)}, nil
}
