// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// Doors are sockets of the sandbox's network that the supervisor holds. A
// socket stays in the network namespace that it was made in, whoever uses it:
// no process stays inside for it, and nothing listens on the host.
type doors struct {
	mu        sync.Mutex
	closed    bool
	listeners []net.Listener
	spare     [2][]int // unconnected sockets, of IPv4 and of IPv6
}

// backlog is how many connections may wait; the kernel has its own most.
const backlog = 4096

// listen adds the sockets on the loopback inside that the step egress needs. A
// host without IPv6 has those of IPv4 alone.
func (s *setup) listen() {
	for i, step := range s.plan.Steps {
		e, ok := step.(plan.Egress)
		if !ok {
			continue
		}
		s.step = i
		for _, port := range slices.Concat([]int{e.Proxy}, e.Loopback) {
			if port != 0 {
				s.listenAt(port)
			}
		}
		s.done(i)
	}
}

// listenAt hands over the sockets of one port: of both families or, twice, that
// of IPv4.
func (s *setup) listenAt(port int) {
	four, six, tried := s.cell(0), s.cell(0), s.cell(0)
	const kind = unix.SOCK_STREAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	at := func(addr []byte) (arg, arg) { return s.bytes(addr), num(len(addr)) }
	addr, size := at(sockaddrLoopback(unix.AF_INET, port))
	s.call(fmt.Sprintf("make a socket for port %d", port), unix.SYS_SOCKET, num(unix.AF_INET), num(kind), num(0)).to(four)
	s.call(fmt.Sprintf("bind it to port %d", port), unix.SYS_BIND, four.value(), addr, size)
	s.call(fmt.Sprintf("listen on port %d", port), unix.SYS_LISTEN, four.value(), num(backlog))
	s.call("take it for that of IPv6 too", nrCopy, four.at, six.at)
	addr, size = at(sockaddrLoopback(unix.AF_INET6, port))
	first := len(s.entries)
	s.call("make a socket of IPv6", unix.SYS_SOCKET, num(unix.AF_INET6), num(kind), num(0)).to(tried)
	s.call("bind it", unix.SYS_BIND, tried.value(), addr, size)
	s.call("listen on it", unix.SYS_LISTEN, tried.value(), num(backlog))
	s.call("take it", nrCopy, tried.at, six.at)
	for i := first; i < first+3; i++ {
		s.entries[i].with(flagOnError).jump = len(s.entries)
	}
	s.sendDescriptors("hand over the sockets", setupControl, s.words(num(msgPort), num(port), num(0)), 24, four, six)
}

// sockaddrLoopback is the address of a port of the loopback, see ip(7), ipv6(7).
func sockaddrLoopback(family, port int) []byte {
	addr := binary.NativeEndian.AppendUint16(nil, uint16(family))
	addr = binary.BigEndian.AppendUint16(addr, uint16(port))
	if family == unix.AF_INET {
		return append(addr, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	addr = append(addr, make([]byte, 4+15)...)
	return append(addr, 1, 0, 0, 0, 0)
}

// take makes listeners of sockets that process 1 handed over.
func (d *doors) take(fds []int) error {
	seen := map[string]bool{}
	var failed error
	for _, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket inside")
		l, err := net.FileListener(f)
		f.Close()
		switch {
		case err != nil:
			failed = fmt.Errorf("listen inside: %w", err)
		case seen[l.Addr().String()]:
			l.Close()
		default:
			seen[l.Addr().String()] = true
			d.listeners = append(d.listeners, l)
		}
	}
	return failed
}

func (d *doors) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, l := range d.listeners {
		_ = l.Close() // whoever serves it may have closed it
	}
	for _, fd := range slices.Concat(d.spare[0], d.spare[1]) {
		unix.Close(fd)
	}
	d.spare = [2][]int{}
}

// Listeners returns the sockets on the loopback inside that the step egress
// asks for; their addresses tell which is which. They end with the sandbox.
func (s *Sandbox) Listeners() []net.Listener { return s.doors.listeners }

// DialInside connects to a port of the loopback inside, by IPv4 and then by
// IPv6, as a client inside would.
func (s *Sandbox) DialInside(ctx context.Context, port int) (net.Conn, error) {
	var errs []error
	for i, family := range []int{unix.AF_INET, unix.AF_INET6} {
		fd, err := s.spareSocket(i)
		if err != nil {
			return nil, err
		}
		if err = connectInside(ctx, fd, sockaddrLoopback(family, port)); err == nil {
			f := os.NewFile(uintptr(fd), "socket inside")
			defer f.Close()
			return net.FileConn(f)
		}
		unix.Close(fd)
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("port %d inside: %w", port, errors.Join(errs...))
}

// connectInside connects a socket that does not block. On a loopback the answer
// is there at once, but where who listens does not take connections.
func connectInside(ctx context.Context, fd int, addr []byte) error {
	errno := connectRaw(fd, addr)
	if errno != unix.EINPROGRESS {
		if errno != 0 {
			return errno
		}
		return nil
	}
	for ctx.Err() == nil {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, int(pollPause.Milliseconds()))
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("poll: %w", err)
		}
		if n > 0 {
			result, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err == nil && result != 0 {
				err = unix.Errno(result)
			}
			return err
		}
	}
	return ctx.Err()
}

// pollPause is how often a wait looks whether it is over.
const pollPause = 100 * time.Millisecond

// spareSocket returns an unconnected socket of the sandbox's network.
func (s *Sandbox) spareSocket(i int) (int, error) {
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	if s.doors.closed {
		return -1, net.ErrClosed
	}
	if len(s.doors.spare[i]) == 0 {
		var err error
		if s.keeper.do(func() { err = s.makeSpare() }); err != nil {
			return -1, err
		}
		if len(s.doors.spare[i]) == 0 {
			return -1, unix.EAFNOSUPPORT
		}
	}
	list := s.doors.spare[i]
	s.doors.spare[i] = list[:len(list)-1]
	return list[len(list)-1], nil
}

// spares is how many sockets of each family one list makes.
const spares = 8

// makeSpare has a list enter the sandbox's network, make sockets and end. It
// runs on the keeper.
func (s *Sandbox) makeSpare() error {
	list := s.spareProgram()
	image, err := list.memfd()
	if err != nil {
		return err
	}
	defer unix.Close(image)
	ctl, err := newControl()
	if err != nil {
		return err
	}
	defer ctl.close()
	pid, err := execImage(image, append([]int{ctl.other}, s.networkSpaces()...)...)
	if err != nil {
		return err
	}
	ctl.handedOver()
	defer reap(pid)
	for {
		m, err := ctl.receive()
		switch {
		case err != nil:
			_ = unix.Kill(pid, unix.SIGKILL)
			return err
		case m == nil:
			return nil
		case len(m.words) == 2:
			return list.failureOf(m.words, s.plan.Steps)
		}
		for _, fd := range m.fds {
			domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
			if err != nil {
				unix.Close(fd)
				return fmt.Errorf("look at a socket: %w", err)
			}
			i := 0
			if domain == unix.AF_INET6 {
				i = 1
			}
			s.doors.spare[i] = append(s.doors.spare[i], fd)
		}
	}
}

// networkSpaces are the namespaces that lead to the sandbox's network.
func (s *Sandbox) networkSpaces() []int {
	ns := s.plan.Steps[0].(plan.Namespaces)
	var fds []int
	for _, kind := range []string{"user", "net"} {
		if i := slices.Index(ns.Kinds, kind); i >= 0 {
			fds = append(fds, s.spaces[i])
		}
	}
	return fds
}

// spareProgram is the list of makeSpare. Its process is in no pid namespace of
// the sandbox, so that nothing inside sees it.
func (s *Sandbox) spareProgram() *program {
	p := &program{report: setupControl, step: -1}
	n := len(s.networkSpaces())
	p.call("keep the listed descriptors only", unix.SYS_CLOSE_RANGE, num(1+n), num(1<<32-1), num(0))
	p.call("die with the caller", unix.SYS_PRCTL, num(unix.PR_SET_PDEATHSIG), num(int(unix.SIGKILL)))
	parent := p.cell(0)
	p.call("look whether the caller lives", unix.SYS_GETPPID).to(parent)
	p.check("the caller lives", parent.at, ^uint64(0), uint64(os.Getpid()))
	p.hideMemory()
	for i := range n {
		p.call("enter the network", unix.SYS_SETNS, num(1+i), num(0))
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		first := len(p.entries)
		var cells []cell
		for range spares {
			fd := p.cell(0)
			e := p.call("make a socket", unix.SYS_SOCKET, num(family), num(unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK), num(0)).to(fd)
			if family == unix.AF_INET6 {
				e.with(flagOnError)
			}
			cells = append(cells, fd)
		}
		p.sendDescriptors("hand over the sockets", setupControl, p.words(num(msgPort), num(0), num(0)), 24, cells...)
		if family == unix.AF_INET6 {
			for i := first; i < first+spares; i++ {
				p.entries[i].jump = len(p.entries)
			}
		}
	}
	p.call("end", unix.SYS_EXIT_GROUP, num(0))
	return p
}
