// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// networkActs reach the address args[0].
func networkActs() map[string]act {
	dial := func(network string) act {
		return func(args []string) error {
			c, err := net.DialTimeout(network, args[0], 2*time.Second)
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.Write([]byte("EVIL"))
			return err
		}
	}
	return map[string]act{
		"tcp4":                dial("tcp4"),
		"tcp6":                dial("tcp6"),
		"udp4":                dial("udp4"),
		"udp6":                dial("udp6"),
		"unix stream":         dial("unix"),
		"unix datagram":       dial("unixgram"),
		"unix seqpacket":      dial("unixpacket"),
		"unix abstract":       dial("unix"),
		"socketpair datagram": pairSend(unix.SOCK_DGRAM),
		"socketpair raw":      pairSend(unix.SOCK_RAW),
		"unix by relative path": func(args []string) error {
			if err := os.Chdir(filepath.Dir(args[0])); err != nil {
				return err
			}
			return dial("unix")([]string{filepath.Base(args[0])})
		},
		"unix by /proc/self/fd": func(args []string) error {
			return withFD(filepath.Dir(args[0]), unix.O_PATH|unix.O_DIRECTORY, func(fd int) error {
				return dial("unix")([]string{fdPath(fd) + "/" + filepath.Base(args[0])})
			})
		},
		"unix by a symlink": func(args []string) error {
			if err := os.Symlink(args[0], "socket-link"); err != nil {
				return err
			}
			defer os.Remove("socket-link")
			return dial("unix")([]string{"socket-link"})
		},
		"unix after the path is swapped": swapPath,
		"tcp fast open": func(args []string) error {
			addr, err := net.ResolveTCPAddr("tcp4", args[0])
			if err != nil {
				return err
			}
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			to := &unix.SockaddrInet4{Port: addr.Port}
			copy(to.Addr[:], addr.IP.To4())
			if err := unix.Sendto(fd, []byte("EVIL"), unix.MSG_FASTOPEN, to); err != nil {
				return err
			}
			time.Sleep(50 * time.Millisecond)
			return nil
		},
	}
}

// pairSend sends by a socketpair's end to a path.
func pairSend(kind int) act {
	return func(args []string) error {
		fds, err := unix.Socketpair(unix.AF_UNIX, kind, 0)
		if err != nil {
			return err
		}
		return unix.Sendto(fds[0], []byte("EVIL"), 0, &unix.SockaddrUnix{Name: args[0]})
	}
}

// swapPath connects to a socket of its own while the path becomes another's.
func swapPath(args []string) error {
	own, err := net.Listen("unix", "own.sock")
	if err != nil {
		return err
	}
	defer own.Close()
	go func() {
		for {
			c, err := own.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	if err := os.Symlink("own.sock", "swapped"); err != nil {
		return err
	}
	defer os.Remove("swapped")
	var stop atomic.Bool
	go func() {
		for !stop.Load() {
			for _, to := range []string{args[0], "own.sock"} {
				_ = os.Symlink(to, "next")
				_ = os.Rename("next", "swapped")
			}
		}
	}()
	defer stop.Store(true)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		c, err := net.DialTimeout("unix", "swapped", time.Second)
		if err == nil {
			_, _ = c.Write([]byte("EVIL"))
			c.Close()
		}
	}
	return nil
}

// TestNetwork reaches for listeners of the host, from a sandbox that is offline
// and, past its proxy, from one with a list of everything.
func TestNetwork(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	boxes := s.networks(t)
	tests := []struct{ id, network, address string }{
		{"tcp4", "tcp4", "127.0.0.1:0"},
		{"tcp6", "tcp6", "[::1]:0"},
		{"udp4", "udp4", "127.0.0.1:0"},
		{"udp6", "udp6", "[::1]:0"},
		{"unix stream", "unix", s.outside + "/stream"},
		{"unix datagram", "unixgram", s.outside + "/dgram"},
		{"unix seqpacket", "unixpacket", s.outside + "/seqpacket"},
		{"unix abstract", "unix", "@caisson-hostile-" + filepath.Base(s.dir)},
		{"socketpair datagram", "unixgram", s.outside + "/pair"},
		{"socketpair raw", "unixgram", s.outside + "/raw"},
		{"unix by relative path", "unix", s.outside + "/relative"},
		{"unix by /proc/self/fd", "unix", s.outside + "/byfd"},
		{"unix by a symlink", "unix", s.outside + "/bylink"},
		{"unix after the path is swapped", "unix", s.outside + "/swap"},
		{"unix stream", "unix", s.work + "/host.sock"}, // a daemon of the host that listens in the workspace
		{"tcp fast open", "tcp4", "127.0.0.1:0"},
	}
	for _, tt := range tests {
		t.Run(strings.TrimPrefix(tt.id+" "+filepath.Base(tt.address), "@"), func(t *testing.T) {
			var reached atomic.Int32
			address := listen(t, tt.network, tt.address, &reached)
			said := s.plain(tt.id, address)
			if arrived(tt.network, address, &reached) == 0 {
				if strings.Contains(said, "cannot assign") || strings.Contains(said, "not supported") {
					t.Skipf("this host has no %s: %s", tt.network, said)
				}
				t.Fatalf("the bait is broken: nothing arrived without a sandbox: %s", said)
			}
			for mode, sb := range boxes {
				said = s.inside(sb, tt.id, address)
				if arrived(tt.network, address, &reached) != 0 {
					t.Errorf("%s: the host was reached (%s)", mode, said)
				}
			}
		})
	}
}

// arrived is how many came to a listener of the host since the last call. To a
// stream listener the test comes itself and waits for its end: whoever came
// before stood before it in the queue, however busy the machine is.
func arrived(network, address string, n *atomic.Int32) int32 {
	if strings.HasPrefix(network, "udp") || network == "unixgram" {
		for range 20 {
			if n.Load() != 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		return n.Swap(0)
	}
	c, err := net.DialTimeout(network, address, time.Second)
	if err != nil {
		return n.Swap(0)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = c.Read(make([]byte, 1))
	return n.Swap(0) - 1
}

// listen counts what arrives at an address of the host.
func listen(t *testing.T, network, address string, n *atomic.Int32) string {
	t.Helper()
	if strings.HasPrefix(network, "udp") || network == "unixgram" {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			t.Skipf("listen: %v", err)
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			for {
				if _, _, err := c.ReadFrom(make([]byte, 16)); err != nil {
					return
				}
				n.Add(1)
			}
		}()
		return c.LocalAddr().String()
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("listen: %v", err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			c.Close()
		}
	}()
	return l.Addr().String()
}
