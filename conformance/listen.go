// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// server is a listener of the host's that remembers who came and what was said.
type server struct {
	network, addr string
	answer        string // a secret that every guest is told
	packets       bool

	mu     sync.Mutex
	came   int
	heard  strings.Builder
	probes map[string]bool // words of the suite's own guests, and whether they came
}

// listen starts a stream server that ends with the case.
func (t *T) listen(network, addr string) *server {
	if strings.HasPrefix(network, "unix") {
		t.Socket(addr)
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Skip("the host cannot listen on %s %s: %v", network, addr, err)
	}
	t.Cleanup(func() { l.Close() })
	s := &server{network: network, addr: l.Addr().String(), answer: t.Secret(), probes: map[string]bool{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.note("")
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(2 * time.Second))
				io.WriteString(c, s.answer)
				b := make([]byte, 512)
				n, _ := c.Read(b)
				s.hear(string(b[:n]))
			}()
		}
	}()
	return s
}

// listenPackets starts a packet server that ends with the case.
func (t *T) listenPackets(network, addr string) *server {
	if strings.HasPrefix(network, "unix") {
		t.Socket(addr)
	}
	c, err := net.ListenPacket(network, addr)
	if err != nil {
		t.Skip("the host cannot listen on %s %s: %v", network, addr, err)
	}
	t.Cleanup(func() { c.Close() })
	s := &server{network: network, addr: c.LocalAddr().String(), answer: t.Secret(), packets: true, probes: map[string]bool{}}
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			s.note(string(b[:n]))
			if from != nil {
				c.WriteTo([]byte(s.answer), from)
			}
		}
	}()
	return s
}

func (s *server) note(said string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.came++
	if _, ok := s.probes[said]; ok {
		s.probes[said] = true
	}
	s.heard.WriteString(said)
}

func (s *server) hear(said string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard.WriteString(said)
}

func (s *server) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard.String()
}

func (s *server) guests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.came
}

// reached reports whether anybody came. The suite comes itself and waits until
// it is counted: whoever came before stood before it in the queue, however busy
// the machine is.
func (s *server) reached() bool {
	s.mu.Lock()
	own := len(s.probes) + 1
	word := fmt.Sprintf("probe %d of %s", own, s.answer)
	s.probes[word] = false
	s.mu.Unlock()
	c, err := net.DialTimeout(s.network, s.addr, time.Second)
	if err != nil { // its name is gone: a moment must do
		time.Sleep(200 * time.Millisecond)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.probes, word)
		return s.came > len(s.probes)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	if s.packets {
		c.Write([]byte(word))
		for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			s.mu.Lock()
			seen := s.probes[word]
			s.mu.Unlock()
			if seen {
				break
			}
		}
	} else {
		io.ReadFull(c, make([]byte, len(s.answer))) // the server speaks to whom it counted
	}
	return s.guests() > own
}

// port is the port of a server's address.
func (s *server) port() string {
	_, port, _ := net.SplitHostPort(s.addr)
	return port
}

// outerAddress is an address of the host's that is not its loopback.
func (t *T) outerAddress() string {
	addrs, err := net.InterfaceAddrs()
	t.must(err)
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return n.IP.String()
		}
	}
	t.Skip("the host has no address but its loopback")
	return ""
}

// freePort is a port of the host's that nobody listens at for the moment.
func (t *T) freePort() string {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip("the host cannot listen: %v", err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// hears returns what a server at an address says first; "" where there is none.
func hears(addr string) string {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	b := make([]byte, 64)
	n, _ := c.Read(b)
	return string(b[:n])
}

func portNumber(port string) int {
	n, _ := strconv.Atoi(port)
	return n
}
