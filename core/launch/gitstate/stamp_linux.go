// SPDX-License-Identifier: Apache-2.0

package gitstate

import "golang.org/x/sys/unix"

// stampOf returns the stamp of what is at a path, and whether anything is.
func stampOf(name string) (stamp, bool) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	s := stamp{ino: st.Ino, kind: uint32(st.Mode) & unix.S_IFMT, changed: nanoseconds(st.Ctime)}
	if st.Mask&unix.STATX_BTIME != 0 {
		s.born = nanoseconds(st.Btime)
	}
	return s, err == nil
}

func nanoseconds(t unix.StatxTimestamp) int64 { return t.Sec*1e9 + int64(t.Nsec) }

// changeTime is when a file was last changed, in nanoseconds.
func changeTime(st *unix.Stat_t) int64 { return st.Ctim.Nano() }
