// SPDX-License-Identifier: Apache-2.0

//go:build unix

package registry

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openProgram opens a file without following a link in the last place and
// without waiting for the other end of a FIFO.
func openProgram(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}

func executable(info fs.FileInfo) bool { return info.Mode().Perm()&0o111 != 0 }

// lockFile waits until this open file alone has the lock. Its closing gives it
// back, the end of the process too.
func lockFile(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			return err
		}
	}
}
