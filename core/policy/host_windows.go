// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

func (osHost) Homes() []string {
	var homes []string
	if dir, err := windows.GetCurrentProcessToken().GetUserProfileDirectory(); err == nil && filepath.IsAbs(dir) {
		homes = append(homes, dir)
	}
	if dir := os.Getenv("USERPROFILE"); filepath.IsAbs(dir) && (len(homes) == 0 || homes[0] != dir) {
		homes = append(homes, dir)
	}
	return homes
}

// Privileged is false: reading whatever the access list says takes a privilege
// that is never enabled here.
func (osHost) Privileged() bool { return false }

// Lstat asks the directory for the entry, which also gives the name as the
// directory spells it. A junction is a symbolic link here.
func (osHost) Lstat(path string) (FileInfo, error) {
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

// CanWrite leaves the answer to the backend, which reads access lists: the
// attribute is all that can be told here without them.
func (osHost) CanWrite(path string) bool {
	info, err := os.Stat(path)
	return err == nil && (info.IsDir() || info.Mode().Perm()&0o200 != 0)
}

func (h osHost) OwnDirs() OwnDirs {
	home := ""
	if homes := h.Homes(); len(homes) > 0 {
		home = homes[0]
	}
	return OwnDirs{
		State:      filepath.Join(baseDir("LOCALAPPDATA", filepath.Join(home, "AppData", "Local")), "caisson"),
		Config:     filepath.Join(baseDir("APPDATA", filepath.Join(home, "AppData", "Roaming")), "caisson"),
		Other:      []string{filepath.Join(baseDir("ProgramData", `C:\ProgramData`), "caisson")},
		Executable: executable(),
	}
}

func openPlain(path string) (*os.File, error) { return os.Open(path) }
