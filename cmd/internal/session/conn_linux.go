// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// maxPassed is how many descriptors may have come that no message has named yet.
const maxPassed = 8

// conn is one end of a connection, which passes descriptors along.
type conn struct {
	socket *net.UnixConn

	mu     sync.Mutex
	files  []*os.File // that came, in order
	closed bool
}

// Read reads bytes, and keeps the descriptors that come with them: they come no
// later than the last byte of the message that they were sent with, see unix(7).
func (c *conn) Read(b []byte) (int, error) {
	oob := make([]byte, unix.CmsgSpace(4*maxPassed))
	n, oobn, flags, _, err := c.socket.ReadMsgUnix(b, oob)
	if err != nil {
		return 0, err // n is -1 then
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	for i := range messages {
		fds, failed := unix.ParseUnixRights(&messages[i])
		if failed != nil {
			err = failed
		}
		c.mu.Lock()
		for _, fd := range fds {
			if c.closed { // a read may outlive its connection by a moment
				unix.Close(fd)
				continue
			}
			c.files = append(c.files, os.NewFile(uintptr(fd), "passed"))
		}
		if len(c.files) > maxPassed {
			err = errors.New("too many descriptors")
		}
		c.mu.Unlock()
	}
	if flags&unix.MSG_CTRUNC != 0 {
		err = errors.New("too many descriptors")
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// take gives the next n descriptors that came.
func (c *conn) take(n int) ([]*os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > len(c.files) {
		return nil, diag.New(diag.RequestInvalid, fmt.Sprintf("%d descriptors are named, and %d came", n, len(c.files)), "pass them with the message")
	}
	list := c.files[:n:n]
	c.files = c.files[n:]
	return list, nil
}

// send writes a message with descriptors.
func (c *conn) send(line []byte, files []*os.File) error {
	var oob []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		oob = unix.UnixRights(fds...)
	}
	n, _, err := c.socket.WriteMsgUnix(line, oob, nil)
	for err == nil && n < len(line) { // the descriptors went with the first part
		line = line[n:]
		n, err = c.socket.Write(line)
	}
	return err
}

// close closes the connection and what came with it.
func (c *conn) close() {
	c.socket.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.files {
		f.Close()
	}
	c.files, c.closed = nil, true
}

// checkPeer refuses an end that belongs to another user, see SO_PEERCRED in
// unix(7).
func checkPeer(socket *net.UnixConn) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("who is at the other end: %w", failed)
	}
	if int(cred.Uid) != os.Geteuid() {
		return diag.New(diag.SessionUnsafe, fmt.Sprintf("the other end belongs to the user %d", cred.Uid), "")
	}
	return nil
}
