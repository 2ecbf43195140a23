// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// dials is an attack that reaches a listener of the host.
func dials(id, network, address, needs string) attack {
	return attack{
		id: "net/" + id, what: "reach the host by " + network, guarantee: guarantee.NetOffline, needs: needs,
		lay: func(w *world) bait {
			var reached atomic.Int32
			at, err := listen(w, network, address, &reached)
			if err != nil {
				w.t.Logf("%s: %v", id, err)
			}
			return bait{args: []string{at}, harm: func(string, int) string {
				for range 20 {
					if reached.Load() > 0 {
						return "the host was reached"
					}
					time.Sleep(5 * time.Millisecond)
				}
				return ""
			}}
		},
		act: func(args []string) error {
			c, err := net.DialTimeout(network, args[0], time.Second)
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.Write([]byte("EVIL"))
			return err
		},
	}
}

func listen(w *world, network, address string, reached *atomic.Int32) (string, error) {
	if network == "udp4" || network == "udp6" {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			return address, err
		}
		w.t.Cleanup(func() { c.Close() })
		go func() {
			for {
				if _, _, err := c.ReadFrom(make([]byte, 8)); err != nil {
					return
				}
				reached.Add(1)
			}
		}()
		return c.LocalAddr().String(), nil
	}
	if address == "@" {
		address = "@" + token("attack")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return address, err
	}
	w.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			c.Close()
		}
	}()
	return l.Addr().String(), nil
}

func networkAttacks() []attack {
	return []attack{
		dials("tcp4", "tcp4", "127.0.0.1:0", ""),
		dials("udp4", "udp4", "127.0.0.1:0", ""),
		dials("tcp6", "tcp6", "[::1]:0", "an IPv6 loopback"),
		dials("udp6", "udp6", "[::1]:0", "an IPv6 loopback"),
		dials("any", "tcp4", "0.0.0.0:0", ""),
		dials("abstract", "unix", "@", ""),
	}
}

// TestServed listens inside where the host would reach a plain program.
func TestServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	serve := func(run func(address string) (stop func())) bool {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		w.must(err)
		address := l.Addr().String()
		w.must(l.Close()) // the port is likely to stay free for a moment
		defer run(address)()
		for range 100 {
			if c, err := net.DialTimeout("tcp4", address, time.Second); err == nil {
				c.Close()
				return true
			}
			time.Sleep(5 * time.Millisecond)
		}
		return false
	}
	if !serve(func(address string) func() {
		cmd := exec.Command(here.binary)
		cmd.Args = []string{attackerName, "serve", address}
		w.must(cmd.Start())
		return func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	}) {
		t.Fatal("the bait is broken: a plain program cannot be reached")
	}
	sb := w.open()
	if serve(func(address string) func() {
		cmd := sb.Command(t.Context(), here.binary)
		cmd.Args = []string{attackerName, "serve", address}
		out, err := cmd.StdoutPipe()
		w.must(err)
		w.must(cmd.Start())
		// It does listen: its second line says so, and is waited for.
		lines := bufio.NewScanner(out)
		for lines.Scan() && lines.Text() == "acting" {
		}
		if lines.Text() != "listening" {
			t.Errorf("the attacker does not listen: %q", lines.Text())
		}
		return func() { w.must(sb.Close()); _ = cmd.Wait() }
	}) {
		t.Error("net.offline is broken: the host reached a listener inside")
	}
}

func serve(address string) error {
	l, err := net.Listen("tcp4", address)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		c.Close()
	}
}
