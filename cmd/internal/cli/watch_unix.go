// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// watchReader returns a context that ends when nobody can read any more what is
// written to a pipe or socket, as when the reader died, whether or not something
// is written. See POLLERR and POLLHUP in poll(2).
func watchReader(parent context.Context, f *os.File) context.Context {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return parent // the first write will fail
	}
	ctx, cancel := context.WithCancel(parent)
	go func() {
		defer cancel()
		defer unix.Close(fd)
		for {
			fds := []unix.PollFd{{Fd: int32(fd)}} // errors are reported unasked
			_, err := unix.Poll(fds, -1)
			switch {
			case err == unix.EINTR:
			case err != nil || fds[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0:
				return
			}
		}
	}()
	return ctx
}
