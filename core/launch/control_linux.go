// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// startTimeout bounds how long the supervisor waits for a launch list.
const startTimeout = 30 * time.Second

// nudgeEvery is how often a launch list is looked at that has not answered.
const nudgeEvery = 20 * time.Millisecond

// control is the supervisor's end of the socket that a launch list reports on.
type control struct {
	fd    int
	other int // the list's end, until it is handed over
	wake  int // becoming readable, it ends receive; -1 for none

	// nudge is called while there is no answer; its error ends receive. Nil is
	// none.
	nudge func() error
}

func newControl() (*control, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	timeout := unix.NsecToTimeval(startTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fds[0], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, fmt.Errorf("set a timeout: %w", err)
	}
	return &control{fd: fds[0], other: fds[1], wake: -1}, nil
}

// handedOver closes this process's copy of the list's end.
func (c *control) handedOver() {
	if c.other >= 0 {
		unix.Close(c.other)
		c.other = -1
	}
}

// verdictSize is what a list that waits for a verdict must receive, in bytes.
const verdictSize = 8

// letGo is the verdict that what a list attested, or waits for, is right. There
// is no other verdict: a list that gets none ends with the socket, or is killed.
func (c *control) letGo() error {
	if err := unix.Send(c.fd, make([]byte, verdictSize), unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("let the list go on: %w", err)
	}
	return nil
}

func (c *control) close() {
	c.handedOver()
	unix.Close(c.fd)
}

// message is one packet of a launch list.
type message struct {
	words []uint64
	fds   []int
}

// errWoken says that receive was ended from elsewhere.
var errWoken = errors.New("woken")

// ready waits until there is something to receive, where that can be ended or
// helped along.
func (c *control) ready() error {
	if c.wake < 0 && c.nudge == nil {
		return nil
	}
	fds := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}, {Fd: int32(c.wake), Events: unix.POLLIN}}
	for end := time.Now().Add(startTimeout); ; {
		n, err := unix.Poll(fds, int(nudgeEvery.Milliseconds()))
		switch {
		case err != nil && err != unix.EINTR:
			return fmt.Errorf("poll: %w", err)
		case n > 0 && fds[0].Revents != 0:
			return nil
		case n > 0:
			return errWoken
		case time.Now().After(end):
			return fmt.Errorf("no answer within %v", startTimeout)
		}
		if c.nudge == nil {
			continue
		}
		if err := c.nudge(); err != nil {
			return err
		}
	}
}

// until runs f, in which the end of ctx ends receive.
func (c *control) until(ctx context.Context, f func() error) error {
	if ctx.Done() == nil {
		return f()
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	defer unix.Close(wake)
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_, _ = unix.Write(wake, binary.NativeEndian.AppendUint64(nil, 1)) // the counter is 0: it cannot block
		close(woken)
	})
	c.wake = wake
	err = f()
	c.wake = -1 // what is read from now on must be known whatever ctx says
	if !stop() {
		<-woken
	}
	if errors.Is(err, errWoken) {
		err = ctx.Err()
	}
	return err
}

// receive waits for the next packet; a nil message is the end.
func (c *control) receive() (*message, error) {
	var buf [512]byte
	var oob [128]byte
	for {
		if err := c.ready(); err != nil {
			return nil, err
		}
		n, oobn, _, _, err := unix.Recvmsg(c.fd, buf[:], oob[:], unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil, fmt.Errorf("no answer within %v", startTimeout)
		case err != nil:
			return nil, fmt.Errorf("recvmsg: %w", err)
		case n == 0:
			return nil, nil
		}
		m := &message{}
		for i := 0; i+8 <= n; i += 8 {
			m.words = append(m.words, binary.LittleEndian.Uint64(buf[i:]))
		}
		if oobn > 0 {
			if msgs, err := unix.ParseSocketControlMessage(oob[:oobn]); err == nil {
				for i := range msgs {
					if fds, err := unix.ParseUnixRights(&msgs[i]); err == nil {
						m.fds = append(m.fds, fds...)
					}
				}
			}
		}
		return m, nil
	}
}
