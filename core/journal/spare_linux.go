// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// Files of records that have ended stay as spares and are written anew for later
// ones: to make a file can take a file system a hundred times as long as to
// rename one, after many were removed. What a spare holds means nothing.
const (
	sparePrefix = "spare-"
	maxSpares   = 16
)

// SpareName is the name by which a sandbox keeps its i-th record as a spare, or
// "" where there are enough. It may be taken: the other spare goes then. The
// journal must be locked from the renaming on until the lock of the record is
// given back.
func SpareName(i int) string {
	if i >= maxSpares {
		return ""
	}
	return sparePrefix + strconv.Itoa(i)
}

var errNotSpare = errors.New("not as a record is made")

// reuse writes a record into a spare that List has seen, takes a share of its
// lock, and then gives it its name. It returns -1 where there is none that will
// do.
func (d *Dir) reuse(name string, text []byte) int {
	for n := len(d.spares); n > 0; n = len(d.spares) {
		spare := d.spares[n-1]
		d.spares = d.spares[:n-1]
		fd, err := unix.Openat(d.FD(), spare, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		if d.rewrite(fd, text) == nil && unix.Renameat2(d.FD(), spare, d.FD(), name, unix.RENAME_NOREPLACE) == nil {
			return fd
		}
		unix.Close(fd)
		d.Drop(spare)
	}
	return -1
}

func (d *Dir) rewrite(fd int, text []byte) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode != unix.S_IFREG|lockMode || st.Nlink != 1 {
		return errNotSpare
	}
	if err := unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB); err != nil {
		return err
	}
	n, err := unix.Pwrite(fd, text, 0)
	if err == nil && n < len(text) {
		err = unix.ENOSPC
	}
	if err != nil {
		return err
	}
	return unix.Ftruncate(fd, int64(n))
}
