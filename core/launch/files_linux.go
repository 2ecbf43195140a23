// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Descriptors that a command inherits bring the mount that they were opened
// through: by one of a regular file or device the command could change mode,
// owner, times and content past every read-only mount. So each is classified:
//
//   - pipes and sockets are passed as they are;
//   - what is open only for reading, devices and the terminal are opened again
//     inside, through the sandbox's own mounts, at the same offset;
//   - what cannot be opened again (hidden, deleted) is copied through a pipe;
//   - a file open for writing is what the caller granted: it is passed;
//   - directories, block devices and other devices are refused.
type inherited struct {
	fds    []int // by descriptor number, -1 closed
	reopen []reopen
	relays []relay
	close  []int // copies that belong to this process
}

// reopen replaces a descriptor by one of the sandbox's own mounts.
type reopen struct {
	fd     int
	path   string
	flags  int
	offset int64
	dev    uint64
	ino    uint64
}

// relay copies a file of the caller into a pipe.
type relay struct {
	from *os.File
	to   *os.File
}

// Character devices that are opened again by name, by their numbers as in the
// kernel's admin-guide/devices.txt.
func deviceName(rdev uint64) string {
	switch [2]uint32{unix.Major(rdev), unix.Minor(rdev)} {
	case [2]uint32{1, 3}:
		return "/dev/null"
	case [2]uint32{1, 5}:
		return "/dev/zero"
	case [2]uint32{1, 7}:
		return "/dev/full"
	case [2]uint32{1, 8}:
		return "/dev/random"
	case [2]uint32{1, 9}:
		return "/dev/urandom"
	case [2]uint32{5, 0}:
		return "/dev/tty"
	}
	return ""
}

// classify decides for each descriptor of a command; relayed lists those that
// could not be opened again in an earlier try.
func classify(files []*os.File, terminal string, relayed map[int]bool) (*inherited, error) {
	in := &inherited{}
	var tty unix.Stat_t
	haveTTY := terminal != "" && unix.Stat(terminal, &tty) == nil
	for n, f := range files {
		if f == nil {
			in.fds = append(in.fds, -1)
			continue
		}
		fd := int(f.Fd())
		in.fds = append(in.fds, fd)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return in, denied(n, fmt.Sprintf("is not open: %v", err))
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			return in, denied(n, fmt.Sprintf("cannot be read: %v", err))
		}
		if flags&unix.O_PATH != 0 {
			return in, denied(n, "is a path without access")
		}
		again := reopen{fd: n, flags: flags & (unix.O_ACCMODE | unix.O_APPEND | unix.O_NONBLOCK | unix.O_DIRECT), dev: st.Dev, ino: st.Ino}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFIFO, unix.S_IFSOCK:
		case unix.S_IFREG:
			if flags&unix.O_ACCMODE != unix.O_RDONLY {
				continue
			}
			if relayed[n] || !again.find(fd) {
				if err := in.relay(n, f); err != nil {
					return in, err
				}
				continue
			}
			in.reopen = append(in.reopen, again)
		case unix.S_IFCHR:
			again.path = deviceName(st.Rdev)
			if haveTTY && st.Rdev == tty.Rdev && st.Dev == tty.Dev {
				again.path = "/dev/console"
				again.flags |= unix.O_NOCTTY
			}
			if again.path == "" {
				if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
					return in, denied(n, "is a device")
				}
				continue // another terminal: there is no name for it inside
			}
			again.flags &^= unix.O_APPEND
			again.offset = -1
			in.reopen = append(in.reopen, again)
		case unix.S_IFDIR:
			return in, denied(n, "is a directory")
		default:
			return in, denied(n, "is a block device")
		}
	}
	return in, nil
}

func denied(n int, what string) error {
	return diag.New(diag.DescriptorDenied, fmt.Sprintf("descriptor %d %s and cannot be passed in safely", n, what), "close it or redirect it from a file or pipe")
}

// find looks up the path and offset of a descriptor.
func (r *reopen) find(fd int) bool {
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil || !strings.HasPrefix(name, "/") {
		return false
	}
	var st unix.Stat_t
	if unix.Lstat(name, &st) != nil || st.Dev != r.dev || st.Ino != r.ino {
		return false
	}
	r.path = name
	r.offset, err = unix.Seek(fd, 0, unix.SEEK_CUR)
	return err == nil
}

func (in *inherited) relay(n int, f *os.File) error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("relay descriptor %d: %w", n, err)
	}
	dup, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		r.Close()
		w.Close()
		return fmt.Errorf("relay descriptor %d: %w", n, err)
	}
	keep, err := unix.FcntlInt(r.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	r.Close()
	if err != nil {
		w.Close()
		return fmt.Errorf("relay descriptor %d: %w", n, err)
	}
	in.fds[n] = keep
	in.close = append(in.close, keep)
	in.relays = append(in.relays, relay{from: os.NewFile(uintptr(dup), f.Name()), to: w})
	return nil
}

// started closes this process's copies and lets the relays run.
func (in *inherited) started() {
	for _, fd := range in.close {
		unix.Close(fd)
	}
	in.close = nil
	for _, r := range in.relays {
		go func() {
			_, _ = io.Copy(r.to, r.from) // a command that ends early gives EPIPE
			r.to.Close()
			r.from.Close()
		}()
	}
	in.relays = nil
}

// drop undoes classify where nothing was started.
func (in *inherited) drop() {
	for _, fd := range in.close {
		unix.Close(fd)
	}
	for _, r := range in.relays {
		r.to.Close()
		r.from.Close()
	}
}
