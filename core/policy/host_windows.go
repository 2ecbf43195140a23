// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

func findHomes() []string {
	var homes []string
	if dir, err := windows.GetCurrentProcessToken().GetUserProfileDirectory(); err == nil {
		homes = append(homes, dir)
	}
	return append(homes, os.Getenv("USERPROFILE"))
}

// Privileged is false: reading whatever the access list says takes a privilege
// that is never enabled here.
func (*osHost) Privileged() bool { return false }

// Lstat asks the directory for the entry, which also gives the name as the
// directory spells it. A junction is a symbolic link here.
func (*osHost) Lstat(path string) (FileInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return FileInfo{}, err
	}
	found := FileInfo{Kind: KindOther}
	switch mode := info.Mode(); {
	case mode.IsDir():
		found.Kind = KindDir
	case mode.IsRegular():
		found.Kind = KindFile
	case mode&os.ModeSymlink != 0:
		found.Kind = KindSymlink
	default:
		if _, err := os.Readlink(path); err == nil {
			found.Kind = KindSymlink
		}
	}
	if filepath.Dir(path) == path {
		return found, nil
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return FileInfo{}, err
	}
	var data windows.Win32finddata
	search, err := windows.FindFirstFile(name, &data)
	if err != nil {
		return found, nil // a share's root has no entry of its own
	}
	if err := windows.FindClose(search); err != nil {
		return FileInfo{}, err
	}
	found.Name = windows.UTF16ToString(data.FileName[:])
	return found, nil
}

// CanRead leaves the answer to the backend too.
func (*osHost) CanRead(string) bool { return true }

// CanWrite leaves the answer to the backend, which reads access lists: the
// attribute is all that can be told here without them.
func (*osHost) CanWrite(path string) bool {
	info, err := os.Stat(path)
	return err == nil && (info.IsDir() || info.Mode().Perm()&0o200 != 0)
}

func (h *osHost) OwnDirs() OwnDirs {
	home := ""
	if homes := h.Homes(); len(homes) > 0 {
		home = homes[0]
	}
	state := filepath.Join(baseDir("LOCALAPPDATA", filepath.Join(home, "AppData", "Local")), "caisson")
	return OwnDirs{
		State:      state,
		Config:     filepath.Join(baseDir("APPDATA", filepath.Join(home, "AppData", "Roaming")), "caisson"),
		Other:      []string{filepath.Join(baseDir("ProgramData", `C:\ProgramData`), "caisson")},
		Executable: executable(),
		Plugins:    filepath.Join(state, "plugins"),
	}
}

func (*osHost) ReadDir(path string, limit int) ([]string, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(limit + 1)
	if err == io.EOF {
		err = nil
	}
	if err == nil && len(names) > limit {
		err = fmt.Errorf("%s holds more than %d names", path, limit)
	}
	return names, err
}

func (*osHost) ReadFile(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return text, err
}
