// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"
)

// actVariable names the act that a re-executed test binary does.
const actVariable = "CAISSON_LAUNCH_ACT"

func TestMain(m *testing.M) {
	id := os.Getenv(actVariable)
	if id == "" {
		os.Exit(m.Run())
	}
	f, ok := socketActs()[id]
	if !ok {
		fmt.Fprintln(os.Stderr, "no act", id)
		os.Exit(99)
	}
	if err := f(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// socketActs are what programs do with unix sockets. They return an error where
// something is otherwise than without a sandbox.
func socketActs() map[string]func(args []string) error {
	return map[string]func([]string) error{
		"echo": actEcho, "kept": actKept, "passed": actPassed, "names": actNames, "ends": actEnds, "signals": actSignals, "hoard": actHoard,
		"spend": actSpend, "unknown": actUnknown, "dial": actDial, "swap": actSwap, "rewrite": actRewrite, "child": actChild, "kinds": actKinds,
	}
}

func stream() (int, error) { return unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) }

func serveAt(name string) (int, error) {
	fd, err := stream()
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		return -1, fmt.Errorf("bind: %w", err)
	}
	return fd, unix.Listen(fd, 64)
}

// actEcho speaks with a server of its own, by each of the kinds.
func actEcho([]string) error {
	for kind, name := range map[int]string{unix.SOCK_STREAM: "s", unix.SOCK_SEQPACKET: "q"} {
		l, err := unix.Socket(unix.AF_UNIX, kind, 0)
		if err == nil {
			err = errors.Join(unix.Bind(l, &unix.SockaddrUnix{Name: name}), unix.Listen(l, 1))
		}
		if err != nil {
			return err
		}
		c, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		if err := unix.Connect(c, &unix.SockaddrUnix{Name: name}); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		if err := unix.Connect(c, &unix.SockaddrUnix{Name: name}); err == nil {
			return errors.New("connected twice")
		}
		if err := exchange(l, c); err != nil {
			return err
		}
	}
	return nil
}

// exchange accepts what is connected, and sends a word.
func exchange(listener, client int) error {
	a, _, err := unix.Accept(listener)
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	defer unix.Close(a)
	if _, err := unix.Write(client, []byte("word")); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	buf := make([]byte, 8)
	if n, err := unix.Read(a, buf); err != nil || string(buf[:n]) != "word" {
		return fmt.Errorf("read %q: %w", buf, err)
	}
	return nil
}

// actKept looks whether what was set on a socket, and what is the same open file,
// is so after connecting.
func actKept([]string) error {
	l, err := serveAt("k")
	if err != nil {
		return err
	}
	c, err := stream()
	if err != nil {
		return err
	}
	flags, err := unix.FcntlInt(uintptr(c), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		return fmt.Errorf("flags %#x: %w", flags, err)
	}
	open, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if flags, err = unix.FcntlInt(uintptr(open), unix.F_GETFD, 0); err != nil || flags != 0 {
		return fmt.Errorf("flags of one that is kept: %#x: %w", flags, err)
	}
	other, err := unix.Dup(c)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(c, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return err
	}
	if err := unix.Connect(c, &unix.SockaddrUnix{Name: "k"}); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if got, err := unix.GetsockoptInt(other, unix.SOL_SOCKET, unix.SO_PASSCRED); err != nil || got != 1 {
		return fmt.Errorf("the option is %d: %w", got, err)
	}
	return exchange(l, other)
}

// actPassed connects a socket that another process made and sent.
func actPassed([]string) error {
	l, err := serveAt("p")
	if err != nil {
		return err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), actVariable+"=child")
	child.Stderr = os.Stderr
	child.ExtraFiles = []*os.File{os.NewFile(uintptr(pair[1]), "")}
	if err := child.Start(); err != nil {
		return err
	}
	control := make([]byte, unix.CmsgSpace(4))
	if _, _, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), control, 0); err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	if err := unix.Connect(fds[0], &unix.SockaddrUnix{Name: "p"}); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return errors.Join(exchange(l, fds[0]), child.Wait())
}

// actChild sends a socket to its parent.
func actChild([]string) error {
	fd, err := stream()
	if err != nil {
		return err
	}
	return unix.Sendmsg(3, []byte("x"), unix.UnixRights(fd), nil, 0)
}

// actNames takes abstract names, connects to them, and gives them back.
func actNames(args []string) error {
	name := fmt.Sprintf("@%s-%d", args[0], os.Getpid())
	for i := range 3 {
		l, err := serveAt(name)
		if err != nil {
			return fmt.Errorf("time %d: %w", i, err)
		}
		c, err := stream()
		if err != nil {
			return err
		}
		if err := unix.Connect(c, &unix.SockaddrUnix{Name: name}); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		if err := exchange(l, c); err != nil {
			return err
		}
		unix.Close(c)
		unix.Close(l)
		lock, err := stream() // a name as a lock, without a server
		if err != nil {
			return err
		}
		if err := unix.Bind(lock, &unix.SockaddrUnix{Name: name}); err != nil {
			return fmt.Errorf("a lock: %w", err)
		}
		unix.Close(lock)
	}
	return nil
}

// actEnds sees the end of a connection, and of a server.
func actEnds([]string) error {
	l, err := serveAt("e")
	if err != nil {
		return err
	}
	for range 3 {
		c, err := stream()
		if err != nil {
			return err
		}
		if err := unix.Connect(c, &unix.SockaddrUnix{Name: "e"}); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		a, _, err := unix.Accept(l)
		if err != nil {
			return err
		}
		unix.Close(c)
		fds := []unix.PollFd{{Fd: int32(a), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 60_000); err != nil || n != 1 || fds[0].Revents&unix.POLLHUP == 0 {
			return fmt.Errorf("the end is not seen: %d %#x %w", n, fds[0].Revents, err)
		}
		unix.Close(a)
	}
	unix.Close(l)
	c, err := stream()
	if err != nil {
		return err
	}
	if err := unix.Connect(c, &unix.SockaddrUnix{Name: "e"}); err == nil {
		return errors.New("a server that is gone was reached")
	}
	return nil
}

// actSignals connects while signals come all the time.
func actSignals([]string) error {
	l, err := serveAt("i")
	if err != nil {
		return err
	}
	signal.Notify(make(chan os.Signal, 1), unix.SIGALRM)
	if _, err := unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Interval: unix.Timeval{Usec: 300}, Value: unix.Timeval{Usec: 300}}); err != nil {
		return err
	}
	for i := range 300 {
		c, err := stream()
		if err != nil {
			return fmt.Errorf("socket %d: %w", i, err)
		}
		if err := unix.Connect(c, &unix.SockaddrUnix{Name: "i"}); err != nil {
			return fmt.Errorf("connect %d: %w", i, err)
		}
		a, err := accepted(l)
		if err != nil {
			return err
		}
		unix.Close(a)
		unix.Close(c)
	}
	return nil
}

func accepted(l int) (int, error) {
	for {
		if a, _, err := unix.Accept(l); err != unix.EINTR {
			return a, err
		}
	}
}

// actSpend makes many sockets, one after the other, and connects one at last.
func actSpend([]string) error {
	l, err := serveAt("n")
	if err != nil {
		return err
	}
	c, err := stream()
	if err != nil {
		return err
	}
	for i := range 300 {
		fd, err := stream()
		if err != nil {
			return fmt.Errorf("socket %d: %w", i, err)
		}
		unix.Close(fd)
	}
	if err := unix.Connect(c, &unix.SockaddrUnix{Name: "n"}); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return exchange(l, c)
}

// actUnknown connects sockets that the supervisor did not make, or let go.
func actUnknown([]string) error {
	if _, err := serveAt("u"); err != nil {
		return err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	bound, err := stream()
	if err == nil {
		err = unix.Bind(bound, &unix.SockaddrUnix{Name: "b"})
	}
	if err != nil {
		return err
	}
	null, err := unix.Open(os.DevNull, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	for what, c := range map[string]struct {
		fd   int
		want error
	}{"an end of a pair": {pair[0], unix.EACCES}, "one with a name": {bound, unix.EACCES}, "a file": {null, unix.ENOTSOCK}, "nothing": {999, unix.EBADF}} {
		if err := unix.Connect(c.fd, &unix.SockaddrUnix{Name: "u"}); err != c.want {
			return fmt.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	return nil
}
