// SPDX-License-Identifier: Apache-2.0

package gitstate

import "golang.org/x/sys/unix"

// stampOf returns the stamp of what is at a path, and whether anything is.
func stampOf(name string) (stamp, bool) {
	var st unix.Stat_t
	err := unix.Lstat(name, &st)
	return stamp{ino: st.Ino, kind: uint32(st.Mode) & unix.S_IFMT, changed: changeTime(&st), born: st.Btim.Nano()}, err == nil
}

// changeTime is when a file was last changed, in nanoseconds.
func changeTime(st *unix.Stat_t) int64 { return st.Ctim.Nano() }
