// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// actHoard makes sockets until there are no more, and keeps them: it says how
// many, and asks for more until it is ended.
func actHoard([]string) error {
	n := 0
	for ; n < 1000; n++ {
		if _, err := stream(); err == unix.ENFILE {
			break
		} else if err != nil {
			return err
		}
	}
	if err := os.WriteFile("hoard.new", fmt.Appendln(nil, n), 0o600); err != nil {
		return err
	}
	if err := os.Rename("hoard.new", "hoard"); err != nil {
		return err
	}
	for range 8 {
		go func() {
			for {
				_, _ = stream()
			}
		}()
	}
	for {
		time.Sleep(time.Hour)
	}
}

// actKinds makes sockets of kinds that must not be.
func actKinds([]string) error {
	for _, kind := range []int{unix.SOCK_DGRAM, unix.SOCK_RAW, unix.SOCK_RAW | unix.SOCK_NONBLOCK, unix.SOCK_RDM, 0, 15} {
		if fd, err := unix.Socket(unix.AF_UNIX, kind, 0); err == nil {
			return fmt.Errorf("kind %d: descriptor %d", kind, fd)
		}
	}
	if _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|1<<20, 0); err != unix.EINVAL {
		return fmt.Errorf("a strange flag: %w", err)
	}
	if _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 17); err != unix.EPROTONOSUPPORT {
		return fmt.Errorf("a strange protocol: %w", err)
	}
	return nil
}

func evil(fd int) { _, _ = unix.Write(fd, []byte("EVIL")) }

// actDial reaches for a socket.
func actDial(args []string) error {
	fd, err := stream()
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: args[0]}); err != nil {
		return nil
	}
	evil(fd)
	return nil
}

// racing is how long a race is run at a time: without a sandbox it is won then, as
// a rule.
const racing = 500 * time.Millisecond

// actSwap changes what a descriptor and a name are of while it is connected: its
// own sockets, ends of pairs; its own server, another's.
func actSwap(args []string) error {
	l, err := serveAt("w")
	if err != nil {
		return err
	}
	go drain(l)
	const number = 200
	if err := os.Symlink("w", "link"); err != nil {
		return err
	}
	var stop atomic.Bool
	go func() {
		for !stop.Load() {
			a, err := stream()
			if err != nil {
				continue
			}
			_ = unix.Dup3(a, number, 0)
			if pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); err == nil {
				_ = unix.Dup3(pair[0], number, 0)
				unix.Close(pair[0])
				unix.Close(pair[1])
			}
			_ = unix.Dup3(a, number, 0)
			evil(a)
			unix.Close(a)
		}
	}()
	go func() {
		for !stop.Load() {
			for _, to := range []string{args[0], "w"} {
				_ = os.Symlink(to, "next")
				_ = os.Rename("next", "link")
			}
		}
	}()
	signal.Ignore(unix.SIGPIPE)
	for end := time.Now().Add(racing); time.Now().Before(end); {
		if unix.Connect(number, &unix.SockaddrUnix{Name: "link"}) == nil {
			evil(number)
		}
	}
	stop.Store(true)
	return nil
}

func drain(l int) {
	for {
		if a, _, err := unix.Accept(l); err == nil {
			unix.Close(a)
		}
	}
}

// actRewrite changes the address in memory while the call is under way.
func actRewrite(args []string) error {
	l, err := serveAt("r")
	if err != nil {
		return err
	}
	go drain(l)
	var addr unix.RawSockaddrUnix
	addr.Family = unix.AF_UNIX
	put := func(name string) {
		for i := range addr.Path {
			addr.Path[i] = 0
			if i < len(name) {
				addr.Path[i] = int8(name[i])
			}
		}
	}
	own := strings.Repeat("./", (len(args[0])-1)/2) + "r"
	var stop atomic.Bool
	go func() {
		for !stop.Load() {
			put(args[0])
			put(own)
		}
	}()
	signal.Ignore(unix.SIGPIPE)
	for end := time.Now().Add(racing); time.Now().Before(end); {
		fd, err := stream()
		if err != nil {
			return err
		}
		if _, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&addr)), unix.SizeofSockaddrUnix); errno == 0 {
			evil(fd)
		}
		unix.Close(fd)
	}
	stop.Store(true)
	runtime.KeepAlive(&addr)
	return nil
}
