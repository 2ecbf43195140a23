// SPDX-License-Identifier: Apache-2.0

// Package recorded has hosts that are written down instead of looked at. With
// one, a policy is resolved on one system as it would be on another:
// `caisson plan --os windows` on Linux.
package recorded

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// Host is a host made of data. The zero value is invalid: System must be set.
// It must not be changed while it is used.
type Host struct {
	System    pathspec.OS
	HomeDirs  []string
	Variables map[string]string
	Dir       string // the current directory
	Own       policy.OwnDirs
	// Files maps the path of a file to its content. A path that ends in a
	// separator is a directory; directories above a path need no entry.
	Files map[string]string
}

// Windows is a usual Windows machine: the user "me", a repository in
// C:\Users\me\src\app, keys of ssh.
func Windows() *Host {
	const home = `C:\Users\me`
	h := &Host{
		System: pathspec.Windows, HomeDirs: []string{home}, Dir: home + `\src\app`,
		Variables: map[string]string{
			"USERPROFILE": home, "APPDATA": home + `\AppData\Roaming`, "LOCALAPPDATA": home + `\AppData\Local`,
			"ProgramData": `C:\ProgramData`, "SystemRoot": `C:\Windows`, "TEMP": home + `\AppData\Local\Temp`,
		},
		Own: policy.OwnDirs{
			State: home + `\AppData\Local\caisson`, Config: home + `\AppData\Roaming\caisson`,
			Other: []string{`C:\ProgramData\caisson`}, Executable: `C:\Program Files\caisson\caisson.exe`,
		},
		Files: map[string]string{
			home + `\.gitconfig`:       "",
			home + `\.ssh\id_ed25519`:  "",
			home + `\.ssh\known_hosts`: "",
			home + `\AppData\Local\`:   "",
			home + `\AppData\Roaming\`: "",
			`D:\`:                      "",
		},
	}
	h.AddRepository(h.Dir)
	return h
}

// AddRepository adds a directory that is the top of a git repository, unless
// something is there.
func (h *Host) AddRepository(dir string) {
	if _, err := h.Lstat(dir); err == nil {
		return
	}
	git := h.System.Join(dir, ".git")
	sep := h.System.Separator()
	for name, text := range map[string]string{
		"HEAD": "ref: refs/heads/main\n", "config": "[core]\n\trepositoryformatversion = 0\n", "hooks" + sep: "", "objects" + sep: "", "refs" + sep: "",
	} {
		h.Files[git+sep+name] = text
	}
}

// AddDir adds a directory, unless something is there.
func (h *Host) AddDir(dir string) {
	if _, err := h.Lstat(dir); err != nil {
		h.Files[strings.TrimRight(dir, h.System.Separator())+h.System.Separator()] = ""
	}
}

// OS is the host's system.
func (h *Host) OS() pathspec.OS { return h.System }

// Homes returns the home directories.
func (h *Host) Homes() []string { return slices.Clone(h.HomeDirs) }

// Getenv returns a variable; names have no case on Windows.
func (h *Host) Getenv(name string) string {
	for k, v := range h.Variables {
		if k == name || h.System == pathspec.Windows && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// Getwd returns Dir.
func (h *Host) Getwd() (string, error) { return h.Dir, nil }

// Privileged is false.
func (h *Host) Privileged() bool { return false }

// OwnDirs returns Own.
func (h *Host) OwnDirs() policy.OwnDirs { return h.Own }

// CanWrite is true: recorded users may write what is theirs.
func (h *Host) CanWrite(string) bool { return true }

// CanRead is true too.
func (h *Host) CanRead(string) bool { return true }

// find returns the spelling, the content and the kind of what is at path.
func (h *Host) find(path string) (name, text string, kind policy.Kind, ok bool) {
	path = h.System.Clean(path)
	if h.System.Depth(path) == 0 {
		return path, "", policy.KindDir, true
	}
	key, sep := h.System.Key(path), h.System.Separator()
	for _, p := range slices.Sorted(maps.Keys(h.Files)) {
		clean := h.System.Clean(p)
		switch {
		case h.System.Key(clean) == key && !strings.HasSuffix(p, sep):
			return clean, h.Files[p], policy.KindFile, true
		case h.System.Key(clean) == key:
			return clean, "", policy.KindDir, true
		case h.System.Within(path, clean):
			return clean[:len(path)], "", policy.KindDir, true
		}
	}
	return "", "", "", false
}

// Lstat describes what is at path.
func (h *Host) Lstat(path string) (policy.FileInfo, error) {
	name, _, kind, ok := h.find(path)
	if !ok {
		return policy.FileInfo{}, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	info := policy.FileInfo{Kind: kind}
	if h.System != pathspec.Linux && h.System.Depth(path) > 0 {
		info.Name = h.System.Base(name)
	}
	return info, nil
}

// Readlink fails: there are no links.
func (h *Host) Readlink(path string) (string, error) {
	return "", fmt.Errorf("%s is no symbolic link", path)
}

// ReadDir returns the names in a directory.
func (h *Host) ReadDir(path string, limit int) ([]string, error) {
	_, _, kind, ok := h.find(path)
	if !ok || kind != policy.KindDir {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	names := map[string]bool{}
	depth := h.System.Depth(path)
	for p := range h.Files {
		if clean := h.System.Clean(p); h.System.Within(path, clean) && h.System.Depth(clean) > depth {
			names[h.System.Components(clean)[depth]] = true
		}
	}
	if len(names) > limit {
		return nil, fmt.Errorf("%s holds more than %d names", path, limit)
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// ReadFile returns the content of a file.
func (h *Host) ReadFile(path string, limit int) ([]byte, error) {
	_, text, kind, ok := h.find(path)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	case kind != policy.KindFile:
		return nil, fmt.Errorf("%s is no regular file", path)
	case len(text) > limit:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return []byte(text), nil
}
