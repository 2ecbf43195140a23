// SPDX-License-Identifier: Apache-2.0

//go:build unix

package policy

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Homes reads /etc/passwd itself: os/user without cgo does the same but costs
// more. Users of directory services are found by $HOME.
func (osHost) Homes() []string {
	var homes []string
	if dir := passwdHome("/etc/passwd", os.Getuid()); filepath.IsAbs(dir) {
		homes = append(homes, dir)
	}
	if dir := os.Getenv("HOME"); filepath.IsAbs(dir) && (len(homes) == 0 || homes[0] != dir) {
		homes = append(homes, dir)
	}
	return homes
}

// passwdHome returns the home directory of uid in a file of passwd(5), or "".
func passwdHome(file string, uid int) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	id := strconv.Itoa(uid)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Split(lines.Text(), ":"); len(fields) == 7 && fields[2] == id {
			return fields[5]
		}
	}
	return ""
}

func (osHost) Privileged() bool { return os.Geteuid() == 0 }

func (osHost) Lstat(path string) (FileInfo, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Lstat(path, &st) }); err != nil {
		return FileInfo{}, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	info := FileInfo{Dev: uint64(st.Dev), Ino: st.Ino}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		info.Kind = KindDir
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
func (osHost) CanWrite(path string) bool {
	if os.Geteuid() != 0 {
		return retry(func() error { return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS) }) == nil
	}
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil || errors.Is(unix.Access(path, unix.W_OK), unix.EROFS) {
		return false
	}
	switch {
	case st.Uid == 0:
		return st.Mode&unix.S_IWUSR != 0
	case inGroup(int(st.Gid)):
		return st.Mode&unix.S_IWGRP != 0
	}
	return st.Mode&unix.S_IWOTH != 0
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

func (h osHost) OwnDirs() OwnDirs {
	home := ""
	if homes := h.Homes(); len(homes) > 0 {
		home = homes[len(homes)-1]
	}
	own := OwnDirs{
		State:      filepath.Join(baseDir("XDG_STATE_HOME", filepath.Join(home, ".local", "state")), "caisson"),
		Config:     filepath.Join(baseDir("XDG_CONFIG_HOME", filepath.Join(home, ".config")), "caisson"),
		Other:      []string{"/etc/caisson", filepath.Join(baseDir("XDG_DATA_HOME", filepath.Join(home, ".local", "share")), "caisson")},
		Executable: executable(),
	}
	if runtime.GOOS == "darwin" {
		own.Other = append(own.Other, "/Library/Application Support/caisson")
	}
	return own
}

// openPlain opens a file for reading without waiting for the other end of a
// pipe.
func openPlain(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
