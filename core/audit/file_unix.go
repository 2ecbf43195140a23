// SPDX-License-Identifier: Apache-2.0

//go:build unix

package audit

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// private refuses a file that others may read or write, that is another user's,
// or that has a second name through which it could be changed.
func private(file *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return err
	}
	switch {
	case int(st.Uid) != os.Geteuid():
		return errors.New("it belongs to another user")
	case st.Mode&0o077 != 0:
		return errors.New("others may read or write it; chmod 600 keeps them out")
	case st.Nlink != 1:
		return errors.New("it has a second name")
	}
	return nil
}

func identity(file *os.File) (string, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(file.Fd()), &st)
	return fmt.Sprint(st.Dev, "-", st.Ino), err
}

// syncDir puts the name of a new file on the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// lockPatience bounds the wait for other writers, each of which writes one line.
const lockPatience = 10 * time.Second

func lock(file *os.File) error {
	for end := time.Now().Add(lockPatience); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == unix.EWOULDBLOCK && time.Now().Before(end) || err == unix.EINTR {
			continue
		}
		return err
	}
}

func unlock(file *os.File) { _ = unix.Flock(int(file.Fd()), unix.LOCK_UN) }
