// SPDX-License-Identifier: Apache-2.0

//go:build unix

package host

import (
	"os"
	"path/filepath"
	"syscall"
)

// ofSystem reports whether a program belongs to the operating system: it and
// all directories above it are root's. Who else could change one of them was
// looked at when the file was opened.
func ofSystem(name string) bool {
	for {
		info, err := os.Lstat(name)
		if err != nil {
			return false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || st.Uid != 0 || info.Mode()&os.ModeSticky != 0 {
			return false
		}
		if up := filepath.Dir(name); up != name {
			name = up
			continue
		}
		return true
	}
}
