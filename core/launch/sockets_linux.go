// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// sockets are the unix sockets that the supervisor made for the commands of a
// sandbox, and can connect because it kept a descriptor of each. Filters of
// containers refuse to copy a descriptor of another process (pidfd_getfd(2)); to
// give it one is part of answering its call (seccomp_unotify(2)).
//
// A descriptor of a command is known by the number of its socket, which a command
// can only have be that of another socket made here. So whatever it does to its
// descriptors meanwhile, what is connected is one of these, and to where the
// broker decided.
//
// A descriptor that is kept keeps the socket: its peer would see no end, its name
// would stay taken, and who connects to it would wait for nobody. So it goes before
// a socket has any of these: when it was connected, and before it is bound or
// listens. Of those that were closed instead nothing can be seen, and they go when
// room is needed. The zero value has room.
type sockets struct {
	mu     sync.Mutex
	held   map[uint64]*madeSocket // by number
	closed atomic.Bool            // nobody looks for room any more
}

// madeSocket is one of them. Its descriptor is closed by who took it out of the
// table, and not before it was given: its number may be another file's then.
type madeSocket struct {
	fd    int
	given chan struct{} // closed when a process inside has it, or never will
}

// close is called once, by who took it out.
func (m *madeSocket) close() {
	<-m.given
	unix.Close(m.fd)
}

// maxMade bounds the descriptors that the commands of a sandbox can have the
// supervisor keep.
const maxMade = 64

// makeSocket does socket(2) for a command. All of its arguments stand in
// registers. It is done by the agent, so that the socket's name, if it gets an
// abstract one, belongs to the sandbox's outer domain, see landlock(7).
func (b *broker) makeSocket(n *notification, listener int) {
	kind, flags := int(n.args[1]&0xf), int(uint32(n.args[1])&^0xf)
	switch {
	case int(int32(n.args[0])) != unix.AF_UNIX:
		n.answer(listener, unix.EAFNOSUPPORT)
		return
	case kind != unix.SOCK_STREAM && kind != unix.SOCK_SEQPACKET: // datagrams name their receiver with each send
		n.answer(listener, unix.EPROTONOSUPPORT)
		return
	}
	fd, err := -1, error(unix.ESRCH)
	b.sandbox.fence.agent.do(func() {
		fd, err = unix.Socket(unix.AF_UNIX, kind|flags|unix.SOCK_CLOEXEC, int(int32(n.args[2])))
	})
	if err != nil {
		n.answer(listener, errnoOf(err))
		return
	}
	number, given, errno := b.made.keep(fd, b.sandbox.fence)
	if errno != 0 {
		unix.Close(fd)
		n.answer(listener, errno)
		return
	}
	err = n.install(listener, fd, flags&unix.SOCK_CLOEXEC != 0)
	close(given)
	if err != nil {
		b.made.forget(number)
		n.answer(listener, errnoOf(err))
	}
}

// keep adds a socket, whose descriptor is the table's from then on; given is to be
// closed when it was given. Where there is no room, those go first that no process
// inside has any more.
func (s *sockets) keep(fd int, f *fence) (number uint64, given chan<- struct{}, errno unix.Errno) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, nil, errnoOf(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) >= maxMade && !s.closed.Load() {
		s.sweep(f)
	}
	_, taken := s.held[st.Ino] // numbers begin again, see get_next_ino of the kernel
	if s.closed.Load() || taken || len(s.held) >= maxMade {
		return 0, nil, unix.ENFILE
	}
	if s.held == nil {
		s.held = map[uint64]*madeSocket{}
	}
	made := &madeSocket{fd: fd, given: make(chan struct{})}
	s.held[st.Ino] = made
	return st.Ino, made.given, 0
}

// sweep lets go what no process inside has. One that is on its way from a process
// to another in a message is not found either: it can be used, and not connected.
func (s *sockets) sweep(f *fence) {
	unused := map[uint64]*madeSocket{}
	for number, made := range s.held {
		select {
		case <-made.given:
			unused[number] = made
		default:
		}
	}
	f.eachSocket(func(_ int, number uint64) bool {
		delete(unused, number)
		return !s.closed.Load() // all goes then
	})
	for number, made := range unused {
		delete(s.held, number)
		made.close()
	}
}

// copyOf copies the descriptor of the socket that a descriptor of a thread is of.
// A socket that is not kept was bound, or nobody here made it.
func (s *sockets) copyOf(tid, number int) (int, unix.Errno) {
	socket, errno := socketNumber(tid, number)
	if errno != 0 {
		return -1, errno
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.held[socket]
	if made == nil {
		return -1, unix.EACCES
	}
	fd, err := unix.FcntlInt(uintptr(made.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, errnoOf(err)
	}
	return fd, 0
}

// release lets the socket go that a descriptor of a thread is of.
func (s *sockets) release(tid, number int) {
	if socket, errno := socketNumber(tid, number); errno == 0 {
		s.forget(socket)
	}
}

// drop lets the socket go that a descriptor of this process is of.
func (s *sockets) drop(fd int) {
	var st unix.Stat_t
	if s != nil && unix.Fstat(fd, &st) == nil {
		s.forget(st.Ino)
	}
}

func (s *sockets) forget(number uint64) {
	s.mu.Lock()
	made := s.held[number]
	delete(s.held, number)
	s.mu.Unlock()
	if made != nil {
		made.close()
	}
}

// close lets all go, and takes no more. It does not wait for those that are being
// given: the commands are killed after it.
func (s *sockets) close() {
	s.closed.Store(true) // before waiting for those who look for room
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, made := range s.held {
		go made.close()
	}
	clear(s.held)
}

// socketNumber is the number of the socket that a descriptor of a thread is of,
// as /proc shows it, see proc_pid_fd(5).
func socketNumber(tid, fd int) (uint64, unix.Errno) {
	at, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, fd))
	if err != nil {
		if errno := errnoOf(unwrapErrno(err)); errno != unix.ENOENT {
			return 0, errno
		}
		return 0, unix.EBADF
	}
	text, ok := strings.CutPrefix(at, "socket:[")
	if !ok {
		return 0, unix.ENOTSOCK
	}
	number, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64)
	if err != nil {
		return 0, unix.ENOTSOCK
	}
	return number, 0
}
