// SPDX-License-Identifier: Apache-2.0

//go:build unix

package serve

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// openTerminal makes a pair of a terminal. Our end is set up so that a read of
// it can be interrupted.
func openTerminal(s size) (master, slave *os.File, err error) {
	master, slave, err = pty.Open()
	if err != nil {
		return nil, nil, err
	}
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	master.Close()
	if err != nil {
		slave.Close()
		return nil, nil, err
	}
	master = os.NewFile(uintptr(fd), "terminal")
	if err := resizeTerminal(master, s); err != nil {
		master.Close()
		slave.Close()
		return nil, nil, err
	}
	return master, slave, nil
}

func resizeTerminal(master *os.File, s size) error {
	raw, err := master.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(s.Rows), Col: uint16(s.Cols)})
	})
	return errors.Join(err, failed)
}

// interrupt ends a read that waits.
func interrupt(f *os.File) { _ = f.SetReadDeadline(time.Unix(1, 0)) }

// readNow reads what is there, and io.EOF where nothing is.
func readNow(f *os.File, b []byte) (n int, err error) {
	if err := f.SetReadDeadline(time.Time{}); err != nil {
		return 0, err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for {
			if n, failed = unix.Read(int(fd), b); failed != unix.EINTR {
				return true
			}
		}
	})
	if err == nil {
		err = failed
	}
	if n <= 0 {
		n = 0
		if err == nil || err == unix.EAGAIN {
			err = io.EOF
		}
	}
	return n, err
}

// signalNamed finds a signal by its name, with or without SIG.
func signalNamed(name string) (syscall.Signal, bool) {
	sig := unix.SignalNum("SIG" + strings.TrimPrefix(name, "SIG"))
	return sig, sig != 0
}
