// SPDX-License-Identifier: Apache-2.0

//go:build unix

package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// metadata is what write confinement promises of a file beside its content:
// mode, owner, links, time of change, attributes.
func metadata(path string, info os.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	buf := make([]byte, 4096)
	n, _ := unix.Llistxattr(path, buf)
	attributes := ""
	for name := range strings.SplitSeq(string(buf[:max(n, 0)]), "\x00") {
		if strings.HasPrefix(name, "user.") {
			attributes += " " + name
		}
	}
	return fmt.Sprintf("owner %d:%d links %d%s%s", st.Uid, st.Gid, st.Nlink, attributes, fileFlags(path))
}

// fileFlags are the attributes that chattr(1) changes.
func fileFlags(path string) string {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return flagsOf(filepath.Clean(path))
}

// locked reports whether a process holds a lock on a file, see flock(2).
func locked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == unix.EWOULDBLOCK
}
