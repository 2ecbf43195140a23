// SPDX-License-Identifier: Apache-2.0

//go:build unix

package policy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/internal/passwd"
	"github.com/caisson-sandbox/caisson/core/journal"
)

// findHomes reads /etc/passwd itself. Users of directory services are found by
// $HOME.
func findHomes() []string {
	var homes []string
	if text, err := readFile("/etc/passwd", 1<<20); err == nil {
		_, home := passwd.Find(string(text), os.Getuid())
		homes = append(homes, home)
	}
	return append(homes, os.Getenv("HOME"))
}

func (*osHost) Privileged() bool { return os.Geteuid() == 0 }

// Lstat takes the directory by which another sandbox holds an absent .git for
// what it is: inside a repository other rules would hold, and let it be filled.
func (h *osHost) Lstat(path string) (FileInfo, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Lstat(path, &st) }); err != nil {
		return FileInfo{}, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	info := FileInfo{Dev: uint64(st.Dev), Ino: st.Ino, Name: h.spelling(path, st.Dev, st.Ino)}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		info.Kind = KindDir
		if filepath.Base(path) == ".git" && journal.IsPlaceholder(h.OwnDirs().State, path) {
			return FileInfo{}, &os.PathError{Op: "lstat", Path: path, Err: unix.ENOENT}
		}
	case unix.S_IFREG:
		info.Kind = KindFile
	case unix.S_IFLNK:
		info.Kind = KindSymlink
	default:
		info.Kind = KindOther
	}
	return info, nil
}

// CanWrite asks the system for an ordinary caller. A root caller's commands
// run as root without capabilities, for which faccessat would be too kind:
// there the mode bits and a file system mounted read-only decide.
func (*osHost) CanWrite(path string) bool {
	if os.Geteuid() != 0 {
		return mayAccess(path, unix.W_OK)
	}
	return bitsAllow(path, unix.S_IWOTH) && !errors.Is(unix.Access(path, unix.W_OK), unix.EROFS)
}

// CanRead is as CanWrite. For root it also looks at the way to the file.
func (*osHost) CanRead(path string) bool {
	if os.Geteuid() != 0 {
		return mayAccess(path, unix.R_OK)
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if !bitsAllow(dir, unix.S_IXOTH) {
			return false
		}
		if dir == filepath.Dir(dir) {
			return bitsAllow(path, unix.S_IROTH)
		}
	}
}

func mayAccess(path string, mode uint32) bool {
	return retry(func() error { return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS) }) == nil
}

// bitsAllow reports whether the mode bits alone give root a right; bit is that
// of others.
func bitsAllow(path string, bit uint32) bool {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return false
	}
	mode := uint32(st.Mode)
	switch {
	case st.Uid == 0:
		return mode&(bit<<6) != 0
	case inGroup(int(st.Gid)):
		return mode&(bit<<3) != 0
	}
	return mode&bit != 0
}

func inGroup(gid int) bool {
	if gid == os.Getegid() {
		return true
	}
	groups, err := os.Getgroups()
	if err != nil {
		return false
	}
	for _, g := range groups {
		if g == gid {
			return true
		}
	}
	return false
}

func (h *osHost) OwnDirs() OwnDirs {
	home := ""
	if homes := h.Homes(); len(homes) > 0 {
		home = homes[len(homes)-1]
	}
	data := filepath.Join(baseDir("XDG_DATA_HOME", filepath.Join(home, ".local", "share")), "caisson")
	own := OwnDirs{
		State:      filepath.Join(baseDir("XDG_STATE_HOME", filepath.Join(home, ".local", "state")), "caisson"),
		Config:     filepath.Join(baseDir("XDG_CONFIG_HOME", filepath.Join(home, ".config")), "caisson"),
		Other:      []string{"/etc/caisson", data},
		Executable: executable(),
		Plugins:    filepath.Join(data, "plugins"),
	}
	if runtime.GOOS == "darwin" {
		own.Other = append(own.Other, "/Library/Application Support/caisson")
	}
	return own
}

// ReadDir and ReadFile use descriptors directly: os.File costs more than the
// reading, and these are on the way of every launch.
func (*osHost) ReadDir(path string, limit int) ([]string, error) {
	fd, err := open(path, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 8192)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "read directory", Path: path, Err: err}
		}
		if n <= 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
		if len(names) > limit {
			return nil, fmt.Errorf("%s holds more than %d names", path, limit)
		}
	}
}

func (*osHost) ReadFile(path string, limit int) ([]byte, error) { return readFile(path, limit) }

func readFile(path string, limit int) ([]byte, error) {
	fd, err := open(path, unix.O_NONBLOCK|unix.O_NOCTTY) // never waits for the other end of a pipe
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	if st.Size > int64(limit) {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	text := make([]byte, st.Size)
	for read := 0; ; {
		n, err := unix.Read(fd, text[read:])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return text[:read], nil
		}
		read += max(n, 0)
	}
}

func open(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: path, Err: err}
		}
		return fd, nil
	}
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
