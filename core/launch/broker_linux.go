// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// The broker answers connect(2) for the commands of a sandbox. A read-only
// mount does not keep a process from connecting to a socket of the host that
// it can see, and before Landlock ABI 9 nothing else does. The broker takes a
// copy of the socket and of the address, resolves a path to an inode in the
// command's root, asks the sandbox's network namespace whether a process
// inside listens on that inode, and connects itself, to that inode. It never
// lets a call continue: the kernel would read the address again.
//
// The peer sees the supervisor as the connecting process, see docs/contract.md.
type broker struct {
	sandbox  *Sandbox
	listener *os.File
	diag     *unixDiag     // of the network namespace, where that is the sandbox's own
	allow    []unix.Stat_t // sockets granted by name
	network  bool          // the network is the host's: abstract names are too
	slots    chan struct{}
	observes map[int32]observed // calls that the kernel goes on with
	told     func(Attempt)      // nil: nobody asks
	made     *sockets           // nil: sockets are copied
	looks    atomic.Int32       // at the sockets of the host
}

const (
	brokerSlots   = 64 // calls that are answered at once
	brokerPatient = 30 * time.Second
	maxSockaddr   = 128 // sizeof(struct sockaddr_storage)
)

// serve answers the calls of one command, and of all that inherit its filter,
// until none is left. Beside wrappers the command has a network of its own, as
// it proved, and diag is its and closed then. What came to nothing is told.
func (s *Sandbox) serve(listener int, diag *unixDiag, told func(Attempt)) error {
	if err := unix.SetNonblock(listener, true); err != nil {
		unix.Close(listener)
		return fmt.Errorf("listener: %w", err)
	}
	b := &broker{sandbox: s, listener: os.NewFile(uintptr(listener), "seccomp listener"), slots: make(chan struct{}, brokerSlots), diag: diag, network: s.wrapped == nil,
		observes: observing(s.plan), told: told}
	for _, step := range s.plan.Steps {
		switch st := step.(type) {
		case plan.Namespaces:
			for _, k := range st.Kinds {
				b.network = b.network && k != "net"
			}
		case plan.Broker:
			for _, name := range st.Allow {
				if stat, err := statReal(name); err == nil {
					b.allow = append(b.allow, stat)
				}
			}
			if st.Makes && s.fence != nil {
				b.made = &s.fence.sockets
			}
		}
	}
	s.serving.Go(func() {
		b.loop()
		if s.wrapped != nil {
			b.finish()
		}
	})
	return nil
}

// finish waits for the answers under way and closes what is of this command.
func (b *broker) finish() {
	for range brokerSlots {
		b.slots <- struct{}{}
	}
	b.diag.close()
}

// statReal looks at a granted socket without following links: an earlier
// command may have put one on the way since the policy was resolved.
func statReal(name string) (unix.Stat_t, error) {
	var stat unix.Stat_t
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | unix.O_NOFOLLOW, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(unix.AT_FDCWD, name, &how)
	if err != nil {
		return stat, err
	}
	defer unix.Close(fd)
	return stat, unix.Fstat(fd, &stat)
}

func (b *broker) loop() {
	raw, err := b.listener.SyscallConn()
	if err != nil {
		b.listener.Close() // every waiting call fails with ENOSYS
		return
	}
	for {
		var n notification
		ended := false
		err := raw.Read(func(fd uintptr) bool {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			if _, err := unix.Poll(fds, 0); err != nil {
				return false
			}
			if fds[0].Revents&unix.POLLIN == 0 {
				ended = fds[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
				return ended
			}
			ended = false
			if n.receive(int(fd)) != nil {
				n.id = 0 // the caller was killed meanwhile
			}
			return true
		})
		if err != nil || ended {
			b.listener.Close()
			return
		}
		if n.id == 0 && n.pid == 0 {
			continue
		}
		b.slots <- struct{}{}
		go func() {
			defer func() { <-b.slots }()
			_ = raw.Control(func(fd uintptr) { b.handle(&n, int(fd)) })
		}()
	}
}

// handle ends the waiting of one call.
func (b *broker) handle(n *notification, listener int) {
	if o, ok := b.observes[n.nr]; ok {
		b.observe(n, listener, o)
		n.proceed(listener)
		return
	}
	switch {
	case n.nr == unix.SYS_CONNECT:
		n.answer(listener, b.connect(n, listener))
	case b.made != nil && n.nr == unix.SYS_SOCKET:
		b.makeSocket(n, listener)
	case b.made != nil && (n.nr == unix.SYS_BIND || n.nr == unix.SYS_LISTEN):
		// What the kernel goes on with is Landlock's to judge.
		b.made.release(int(n.pid), int(int32(n.args[0])))
		n.proceed(listener)
	case b.sandbox.fence != nil:
		value, errno := b.sandbox.fence.change(n, listener)
		n.respond(listener, value, errno)
	default:
		n.answer(listener, unix.ENOSYS)
	}
}

// connect does connect(2) and returns its errno.
func (b *broker) connect(n *notification, listener int) unix.Errno {
	size := int(int32(n.args[2]))
	if size < 0 || size > maxSockaddr {
		return unix.EINVAL
	}
	addr := make([]byte, size)
	if errno := readMemory(int(n.pid), n.args[1], addr); errno != 0 {
		return errno
	}
	socket, errno := b.socketOf(int(n.pid), int(int32(n.args[0])))
	if errno != 0 {
		return errno
	}
	defer unix.Close(socket)
	if !n.valid(listener) {
		return unix.EINTR
	}
	if len(addr) >= 2 && binary.NativeEndian.Uint16(addr) == unix.AF_UNIX {
		domain, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil {
			return errnoOf(err)
		}
		if domain == unix.AF_UNIX && len(addr) > 2 {
			errno = b.connectUnix(n, listener, socket, addr)
			if errno == 0 {
				b.made.drop(socket)
			}
			return errno
		}
	}
	errno = b.connectSocket(n, listener, socket, addr)
	if errno != 0 {
		b.tellInternet(socket, addr, errno)
	}
	return errno
}

func errnoOf(err error) unix.Errno {
	if e, ok := err.(unix.Errno); ok {
		return e
	}
	return unix.EIO
}

// readMemory fills a buffer from the memory of a thread.
func readMemory(tid int, at uint64, into []byte) unix.Errno {
	if len(into) == 0 {
		return 0
	}
	local := []unix.Iovec{{Base: &into[0], Len: uint64(len(into))}}
	remote := []unix.RemoteIovec{{Base: uintptr(at), Len: len(into)}}
	got, err := unix.ProcessVMReadv(tid, local, remote, 0)
	if err != nil {
		return errnoOf(err)
	}
	if got != len(into) {
		return unix.EFAULT
	}
	return 0
}

// socketOf returns a descriptor of this process for the open file that a
// descriptor of a thread is of.
func (b *broker) socketOf(tid, number int) (int, unix.Errno) {
	if b.made != nil {
		return b.made.copyOf(tid, number)
	}
	return takeDescriptor(tid, number)
}

// takeDescriptor copies a descriptor of a thread.
func takeDescriptor(tid, number int) (int, unix.Errno) {
	leader, err := threadGroup(tid)
	if err != nil {
		return -1, unix.ESRCH
	}
	pidfd, err := unix.PidfdOpen(leader, 0)
	if err != nil {
		return -1, errnoOf(err)
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, number, 0)
	if err != nil {
		return -1, errnoOf(err)
	}
	return fd, 0
}

// threadGroup returns the process that a thread belongs to.
func threadGroup(tid int) (int, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(text), "\nTgid:\t")
	if !ok {
		return 0, unix.ESRCH
	}
	id, _, _ := strings.Cut(rest, "\n")
	return strconv.Atoi(id)
}

// connectSocket connects without blocking a thread: a command can make
// connects that never end. The command's own blocking mode is restored.
func (b *broker) connectSocket(n *notification, listener, socket int, addr []byte) unix.Errno {
	flags, err := unix.FcntlInt(uintptr(socket), unix.F_GETFL, 0)
	if err != nil {
		return errnoOf(err)
	}
	if flags&unix.O_NONBLOCK != 0 {
		return b.connectRaw(socket, addr)
	}
	deadline := time.Now().Add(brokerPatient)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		_, _ = unix.FcntlInt(uintptr(socket), unix.F_SETFL, flags|unix.O_NONBLOCK)
		errno := b.connectRaw(socket, addr)
		_, _ = unix.FcntlInt(uintptr(socket), unix.F_SETFL, flags)
		switch errno {
		case unix.EINPROGRESS:
			return b.connected(n, listener, socket, deadline)
		case unix.EAGAIN: // a unix socket with a full backlog
			if time.Now().After(deadline) {
				return unix.ETIMEDOUT
			}
			if !n.valid(listener) {
				return unix.EINTR
			}
			time.Sleep(pause)
		default:
			return errno
		}
	}
}

// connectRaw calls connect(2). Where Landlock keeps abstract names apart it is
// called in the sandbox's outer domain, so that it does so here too.
func (b *broker) connectRaw(socket int, addr []byte) unix.Errno {
	if f := b.sandbox.fence; f != nil && abstract(addr) {
		return f.connect(socket, addr)
	}
	return connectRaw(socket, addr)
}

// abstract reports whether an address is an abstract name of a unix socket.
func abstract(addr []byte) bool {
	return len(addr) > 2 && binary.NativeEndian.Uint16(addr) == unix.AF_UNIX && addr[2] == 0
}

// connected waits for the outcome of a connect in progress.
func (b *broker) connected(n *notification, listener, socket int, deadline time.Time) unix.Errno {
	fds := []unix.PollFd{{Fd: int32(socket), Events: unix.POLLOUT}}
	for n.valid(listener) && time.Now().Before(deadline) {
		got, err := unix.Poll(fds, 100)
		if err != nil && err != unix.EINTR {
			return errnoOf(err)
		}
		if got > 0 {
			result, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_ERROR)
			if err != nil {
				return errnoOf(err)
			}
			return unix.Errno(result)
		}
	}
	return unix.ETIMEDOUT
}
