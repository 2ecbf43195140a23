// SPDX-License-Identifier: Apache-2.0

//go:build unix

package policy

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// systemFile is where the administrator's policy is. No variable moves it.
func systemFile() string {
	if runtime.GOOS == "darwin" {
		return "/Library/Application Support/caisson/policy.toml"
	}
	return "/etc/caisson/policy.toml"
}

// openFile opens a file for reading without waiting for the other end of a
// FIFO; a symbolic link in the last place is followed only if asked.
func openFile(path string, follow bool) (*os.File, error) {
	flags := os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	if !follow {
		flags |= unix.O_NOFOLLOW
	}
	return os.OpenFile(path, flags, 0)
}

// vouch checks that nobody but root can change what a path leads to.
func vouch(path string) error { return vouchFor(path, 0) }

// Vouch checks that nobody but root and the caller can change or replace what
// an absolute path leads to. On Windows it is administrators and the caller.
// The error says who can, and where.
func Vouch(path string) error { return vouchFor(path, uint32(os.Geteuid())) }

// vouchFor checks that nobody but root and the owner can change what the
// absolute path leads to: neither the file nor any directory or symbolic link
// on the way. A sticky directory is fine, because the entry in it is theirs.
func vouchFor(path string, owner uint32) error {
	_, err := follow(path, func(at string, info fs.FileInfo) error { return ownedBy(at, info, owner) })
	return err
}

// follow goes to what an absolute path leads to, and returns that without links.
// It visits all that is on the way, links too.
func follow(path string, visit func(at string, info fs.FileInfo) error) (string, error) {
	at, left := "/", strings.Split(filepath.Clean(path), "/")[1:]
	links := 0
	for {
		info, err := os.Lstat(at)
		if err != nil {
			return "", err
		}
		if err := visit(at, info); err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(at)
			if err != nil {
				return "", err
			}
			if links++; links > maxLinks {
				return "", fmt.Errorf("too many symbolic links at %s", at)
			}
			if !filepath.IsAbs(target) {
				target = filepath.Dir(at) + "/" + target
			}
			// Not cleaned: ".." after a link leads elsewhere than its text says.
			at, left = "/", append(strings.Split(target, "/"), left...)
		}
		for len(left) > 0 && (left[0] == "" || left[0] == ".") {
			left = left[1:]
		}
		if len(left) == 0 {
			return at, nil
		}
		if left[0] == ".." {
			at = filepath.Dir(at)
		} else {
			at = filepath.Join(at, left[0])
		}
		left = left[1:]
	}
}

// ownedBy checks one file or directory on the way of vouchFor.
func ownedBy(path string, info fs.FileInfo, owner uint32) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return fmt.Errorf("the owner of %s is unknown", path)
	case st.Uid != 0 && st.Uid != owner:
		return fmt.Errorf("%s belongs to user %d", path, st.Uid)
	case info.Mode()&fs.ModeSymlink != 0, info.IsDir() && info.Mode()&fs.ModeSticky != 0:
		return nil
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s can be written by others", path)
	}
	return nil
}

// checkPrivate refuses a file of caisson's state that another user could have
// written.
func checkPrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() {
		return ownedBy(f.Name(), info, uint32(os.Geteuid()))
	}
	return fmt.Errorf("%s is no regular file", f.Name())
}
