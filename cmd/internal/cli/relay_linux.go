// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// relay stands between the terminal of this process and that of a command in a
// session: a command has no controlling terminal that belongs to a process outside
// its sandbox, so it gets a terminal of its own.
type relay struct {
	files  [3]*os.File // what the command gets
	slave  *os.File
	master *os.File      // nil: none of the streams is a terminal
	screen *os.File      // where its output goes
	keys   *os.File      // where its input comes from; nil: nowhere
	saved  *unix.Termios // of keys, to be restored
	resize chan os.Signal
	copied chan struct{}
	once   sync.Once
}

// openRelay looks at the streams and makes the terminal.
func (j *job) openRelay() (*relay, error) {
	r := &relay{files: [3]*os.File{j.stdin, j.stdout, j.stderr}, copied: make(chan struct{})}
	var first *os.File
	for _, f := range r.files {
		if first == nil && isTerminal(f) {
			first = f
		}
	}
	if first == nil {
		return r, nil
	}
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("a terminal for the command: %w", err)
	}
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	master.Close()
	if err == nil {
		err = unix.SetNonblock(fd, true) // so that reads can be interrupted
	}
	if err != nil {
		slave.Close()
		return nil, fmt.Errorf("a terminal for the command: %w", err)
	}
	r.master, r.slave, r.screen = os.NewFile(uintptr(fd), "terminal"), slave, first
	for i, f := range r.files {
		if isTerminal(f) {
			r.files[i] = slave
			if i > 0 {
				r.screen = f
			}
		}
	}
	r.copySize()
	// From the background neither keys are read nor the terminal is changed: both
	// would stop this process.
	group, err := unix.IoctlGetInt(int(first.Fd()), unix.TIOCGPGRP)
	if isTerminal(j.stdin) && err == nil && group == unix.Getpgrp() {
		r.keys = j.stdin
	}
	return r, nil
}

// copySize gives the command's window the size of ours.
func (r *relay) copySize() {
	if size, err := unix.IoctlGetWinsize(int(r.screen.Fd()), unix.TIOCGWINSZ); err == nil {
		r.control(func(fd int) { _ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size) }) // it keeps the old one
	}
}

// control does something with the descriptor of our end, which stays pollable.
func (r *relay) control(do func(fd int)) {
	if raw, err := r.master.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { do(int(fd)) })
	}
}

// begin copies in both directions once the command has its terminal.
func (r *relay) begin() {
	if r.master == nil {
		return
	}
	r.slave.Close()
	if r.keys != nil {
		r.raw()
		go func() { _, _ = io.Copy(r.master, r.keys) }() // until this process ends
	}
	r.resize = make(chan os.Signal, 1)
	signal.Notify(r.resize, unix.SIGWINCH)
	go func() {
		for range r.resize {
			r.copySize()
		}
	}()
	go func() {
		defer close(r.copied)
		_, _ = io.Copy(r.screen, r.master) // ends with EIO when the command's end is closed, see pty(7)
	}()
}

// raw passes keys on as they are: the command's terminal gives them their
// meaning. See cfmakeraw in termios(3).
func (r *relay) raw() {
	old, err := unix.IoctlGetTermios(int(r.keys.Fd()), unix.TCGETS)
	if err != nil {
		return
	}
	t := *old
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if unix.IoctlSetTermios(int(r.keys.Fd()), unix.TCSETSW, &t) == nil {
		r.saved = old
	}
}

// drainTime bounds the wait for output that something left behind holds open.
const drainTime = 200 * time.Millisecond

// drain copies what the command wrote until its end.
func (r *relay) drain() {
	if r.master == nil {
		return
	}
	_ = r.master.SetReadDeadline(time.Now().Add(drainTime)) // or the copy ends by itself
	<-r.copied
}

// close restores the terminal.
func (r *relay) close() {
	r.once.Do(func() {
		if r.resize != nil {
			signal.Stop(r.resize)
			close(r.resize)
		}
		if r.saved != nil {
			_ = unix.IoctlSetTermios(int(r.keys.Fd()), unix.TCSETSW, r.saved) // it may be gone
		}
		if r.master != nil {
			r.slave.Close()
			r.master.Close()
		}
	})
}
