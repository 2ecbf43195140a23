// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/cmd/internal/serve"
	"github.com/caisson-sandbox/caisson/core/diag"
)

// Holder holds one session in this process.
type Holder struct {
	store  *store
	lock   *os.File
	socket *net.UnixListener
	name   string

	mu     sync.Mutex
	active int
	idle   *time.Timer // nil: for ever
	after  time.Duration
}

// Claim takes a name for a session of this process. Nobody can reach it yet.
func Claim(state, name string) (*Holder, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	s, err := openStore(state)
	if err != nil {
		return nil, err
	}
	lock, err := s.lock(name, true)
	switch {
	case err == nil && lock == nil:
		err = diag.New(diag.SessionExists, "there is a session "+name+" already", "choose another name, or end it with caisson session end "+name)
	case err == nil:
		err = lock.Truncate(0) // what a killed one wrote
	}
	if err != nil {
		lock.Close() // nil is an error of its own
		s.close()
		return nil, err
	}
	return &Holder{store: s, lock: lock, name: name}, nil
}

// Listen makes the session known. Idle is how long it may be without a client
// before it ends; 0 is for ever.
func (h *Holder) Listen(i Info, idle time.Duration) error {
	_ = unix.Unlinkat(int(h.store.dir.Fd()), h.name+socketEnd, 0) // of a holder that was killed
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: h.store.at(h.name + socketEnd), Net: "unix"})
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	socket.SetUnlinkOnClose(false) // it is removed under the lock
	h.socket = socket
	if err := os.Chmod(h.store.at(h.name+socketEnd), 0o600); err != nil {
		return fmt.Errorf("the socket: %w", err)
	}
	i.Name, i.Pid, i.Started = h.name, os.Getpid(), time.Now().UTC().Truncate(time.Second)
	if idle > 0 {
		i.Idle = idle.String()
	}
	text, err := json.Marshal(i)
	if err == nil {
		err = h.lock.Truncate(0)
	}
	if err == nil {
		_, err = h.lock.WriteAt(append(text, '\n'), 0)
	}
	if err != nil {
		return fmt.Errorf("note the session: %w", err)
	}
	h.after = idle
	return nil
}

// Serve serves clients until the session ends: by one of them, by ctx, or because
// it was idle. What the clients started is gone then; the sandbox is the caller's to
// close, before Release.
func (h *Holder) Serve(ctx context.Context, held serve.Held, caisson string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if h.after > 0 {
		h.idle = time.AfterFunc(h.after, cancel)
	}
	context.AfterFunc(ctx, func() { h.socket.Close() })
	var clients sync.WaitGroup
	defer clients.Wait()
	for {
		socket, err := h.socket.AcceptUnix()
		switch {
		case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
			time.Sleep(10 * time.Millisecond) // until clients have gone
			continue
		case errors.Is(err, unix.ECONNABORTED):
			continue
		case err != nil:
			return
		}
		if checkPeer(socket) != nil {
			socket.Close()
			continue
		}
		clients.Go(func() {
			h.busy(1)
			defer h.busy(-1)
			c := &conn{socket: socket}
			defer c.close()
			mine := held
			mine.Name, mine.End, mine.Files = h.name, cancel, c.take
			_ = serve.Serve(ctx, c, socket, serve.Options{Caisson: caisson, Held: &mine}) // how a client went is nobody's business
		})
	}
}

// busy counts clients; the idle time begins with the end of the last one.
func (h *Holder) busy(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active += n
	if h.idle == nil {
		return
	}
	if h.active == 0 {
		h.idle.Reset(h.after)
	} else {
		h.idle.Stop()
	}
}

// Release gives the name back. It comes last.
func (h *Holder) Release() {
	if h.socket != nil {
		h.socket.Close()
	}
	h.store.remove(h.name)
	h.lock.Close()
	h.store.close()
}

// Attach connects to a session. The connection is closed with close.
func Attach(state, name string) (client *serve.Client, closeConn func(), err error) {
	if err := CheckName(name); err != nil {
		return nil, nil, err
	}
	s, err := openStore(state)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	socket, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: s.at(name + socketEnd), Net: "unix"})
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ECONNREFUSED):
		return nil, nil, unknown(name)
	case err != nil:
		return nil, nil, fmt.Errorf("reach the session %s: %w", name, err)
	}
	if err := checkPeer(socket); err != nil {
		socket.Close()
		return nil, nil, err
	}
	c := &conn{socket: socket}
	client = serve.NewClient(c, c.send, nil)
	if err := client.Call("initialize", map[string]int{"protocol": serve.Protocol}, nil); err != nil {
		c.close()
		if _, refused := errors.AsType[*serve.Refused](err); !refused {
			err = unknown(name) // it ends
		}
		return nil, nil, err
	}
	return client, c.close, nil
}

// ending reports whether who holds the file of a session that cannot be reached is
// about to end: one that begins has not written it yet, and one that was killed
// does not hold it.
func ending(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Size > 0 && unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil
}

// End ends a session and waits until it is gone. One that ends meanwhile by other
// hands is as good.
func End(state, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	s, err := openStore(state)
	if err != nil {
		return err
	}
	defer s.close()
	// Opened before the end, so that it is this holder's and not the next one's.
	fd, err := unix.Openat(int(s.dir.Fd()), name+lockEnd, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ENOENT) {
		return unknown(name)
	}
	if err != nil {
		return fmt.Errorf("the file of the session %s: %w", name, err)
	}
	defer unix.Close(fd)
	client, closeConn, err := Attach(state, name)
	d, told := errors.AsType[*diag.Diagnostic](err)
	switch {
	case err == nil:
		defer closeConn()
		if err := client.Call("session.end", struct{}{}, nil); err != nil {
			if _, refused := errors.AsType[*serve.Refused](err); refused {
				return err
			}
		}
	case !told || d.Code != diag.SessionUnknown || !ending(fd):
		return err
	}
	for err = unix.Flock(fd, unix.LOCK_EX); err == unix.EINTR; {
		err = unix.Flock(fd, unix.LOCK_EX)
	}
	if err != nil {
		return fmt.Errorf("wait for the end of the session %s: %w", name, err)
	}
	return nil
}
