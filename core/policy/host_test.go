// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// mapHost is a host made of text: a path that ends in a separator is a
// directory, "-> x" is a symbolic link, anything else the content of a file.
// The directories above a path need no entry.
type mapHost struct {
	os     pathspec.OS
	homes  []string
	env    map[string]string
	wd     string
	root   bool
	files  map[string]string
	locked []string // cannot be written, nor what is below
	shut   []string // cannot be read, likewise
	own    OwnDirs
}

// unixHost has the home /home/me and the given files besides.
func unixHost(files map[string]string) *mapHost {
	h := &mapHost{
		os: pathspec.Linux, homes: []string{"/home/me"}, env: map[string]string{}, wd: "/home/me/ws",
		files: map[string]string{"/home/me/ws/": "", "/etc/passwd": "", "/usr/bin/": ""},
		own: OwnDirs{
			State: "/home/me/.local/state/caisson", Config: "/home/me/.config/caisson", Other: []string{"/etc/caisson"}, Executable: "/usr/bin/caisson",
		},
	}
	maps.Copy(h.files, files)
	return h
}

// gitFiles returns the files of a git directory, below prefix.
func gitFiles(prefix, config string) map[string]string {
	return map[string]string{
		prefix + "/HEAD": "ref: refs/heads/main\n", prefix + "/config": config, prefix + "/objects/": "", prefix + "/refs/": "", prefix + "/hooks/": "",
	}
}

// with merges maps of files.
func with(list ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range list {
		maps.Copy(all, m)
	}
	return all
}

func (h *mapHost) OS() pathspec.OS           { return h.os }
func (h *mapHost) Homes() []string           { return h.homes }
func (h *mapHost) Getenv(name string) string { return h.env[name] }
func (h *mapHost) Getwd() (string, error)    { return h.wd, nil }
func (h *mapHost) Privileged() bool          { return h.root }
func (h *mapHost) OwnDirs() OwnDirs          { return h.own }

func (h *mapHost) CanWrite(path string) bool {
	return !slices.ContainsFunc(h.locked, func(p string) bool { return h.os.Within(p, path) })
}

func (h *mapHost) CanRead(path string) bool {
	return !slices.ContainsFunc(h.shut, func(p string) bool { return h.os.Within(p, path) })
}

// find returns the entry of a path and whether it is a directory.
func (h *mapHost) find(path string) (name, text string, dir, ok bool) {
	key, sep := h.os.Key(path), h.os.Separator()
	if h.os.Depth(path) == 0 {
		return path, "", true, true
	}
	for p, text := range h.files {
		clean := h.os.Clean(p)
		if h.os.Key(clean) == key {
			return clean, text, strings.HasSuffix(p, sep), true
		}
	}
	for p := range h.files {
		if clean := h.os.Clean(p); h.os.Within(path, clean) {
			return clean[:len(path)], "", true, true
		}
	}
	return "", "", false, false
}

func (h *mapHost) Lstat(path string) (FileInfo, error) {
	if slices.ContainsFunc(h.shut, func(p string) bool { return p != path && h.os.Within(p, path) }) {
		return FileInfo{}, fmt.Errorf("lstat %s: %w", path, fs.ErrPermission)
	}
	name, text, dir, ok := h.find(path)
	if !ok {
		return FileInfo{}, fmt.Errorf("lstat %s: %w", path, fs.ErrNotExist)
	}
	info := FileInfo{Kind: KindFile, Dev: 1}
	if h.os != pathspec.Linux {
		info.Name = h.os.Base(name)
	}
	switch {
	case dir:
		info.Kind = KindDir
	case strings.HasPrefix(text, "-> "):
		info.Kind = KindSymlink
	case text == "device":
		info.Kind = KindOther
	}
	for i, c := range path {
		info.Ino = info.Ino*31 + uint64(c) + uint64(i)
	}
	return info, nil
}

func (h *mapHost) Readlink(path string) (string, error) {
	if _, text, _, ok := h.find(path); ok && strings.HasPrefix(text, "-> ") {
		return text[3:], nil
	}
	return "", fs.ErrInvalid
}

func (h *mapHost) ReadDir(path string, limit int) ([]string, error) {
	if _, _, dir, ok := h.find(path); !ok || !dir {
		return nil, fs.ErrNotExist
	}
	names := map[string]bool{}
	depth := h.os.Depth(path)
	for p := range h.files {
		if clean := h.os.Clean(p); h.os.Depth(clean) > depth && h.os.Within(path, clean) {
			names[h.os.Components(clean)[depth]] = true
		}
	}
	if len(names) > limit {
		return nil, fs.ErrInvalid
	}
	return slices.Collect(maps.Keys(names)), nil
}

func (h *mapHost) ReadFile(path string, limit int) ([]byte, error) {
	if info, err := h.Lstat(path); err != nil || info.Kind != KindFile {
		return nil, fs.ErrInvalid
	}
	_, text, _, _ := h.find(path)
	if len(text) > limit {
		return nil, fs.ErrInvalid
	}
	return []byte(text), nil
}

func TestOSHost(t *testing.T) {
	t.Parallel()
	h := OSHost()
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if info, err := h.Lstat(dir); err != nil || info.Kind != KindDir {
		t.Errorf("a directory is %v, %v", info, err)
	}
	if info, err := h.Lstat(file); err != nil || info.Kind != KindFile {
		t.Errorf("a file is %v, %v", info, err)
	}
	if _, err := h.Lstat(filepath.Join(dir, "absent")); err == nil {
		t.Error("what is absent is found")
	}
	if text, err := h.ReadFile(file, 4); err != nil || string(text) != "text" {
		t.Errorf("read %q, %v", text, err)
	}
	if _, err := h.ReadFile(file, 3); err == nil {
		t.Error("a file over the limit is read")
	}
	if _, err := h.ReadFile(dir, 100); err == nil {
		t.Error("a directory is read")
	}
	if names, err := h.ReadDir(dir, 1); err != nil || !slices.Equal(names, []string{"f"}) {
		t.Errorf("names %q, %v", names, err)
	}
	if _, err := h.ReadDir(dir, 0); err == nil {
		t.Error("a directory over the limit is listed")
	}
	if !h.CanWrite(dir) {
		t.Error("the own directory cannot be written")
	}
	if len(h.Homes()) == 0 || h.OwnDirs().State == "" {
		t.Errorf("homes %q, own %v", h.Homes(), h.OwnDirs())
	}
	if exe := h.OwnDirs().Executable; exe != "" {
		t.Errorf("a test binary counts as installed: %s", exe)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Symlink("f", filepath.Join(dir, "l")); err != nil {
		t.Fatal(err)
	}
	if info, err := h.Lstat(filepath.Join(dir, "l")); err != nil || info.Kind != KindSymlink {
		t.Errorf("a link is %v, %v", info, err)
	}
	if info, err := h.Lstat(os.DevNull); err != nil || info.Kind != KindOther {
		t.Errorf("a device is %v, %v", info, err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if h.CanWrite(dir) {
		t.Error("a read-only directory can be written")
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}
