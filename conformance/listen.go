// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// server is a listener of the host's that remembers who came and what was said.
type server struct {
	addr   string
	answer string // a secret that every guest is told

	mu    sync.Mutex
	came  int
	heard strings.Builder
}

// listen starts a stream server that ends with the case.
func (t *T) listen(network, addr string) *server {
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Skip("the host cannot listen on %s %s: %v", network, addr, err)
	}
	t.Cleanup(func() { l.Close() })
	s := &server{addr: l.Addr().String(), answer: t.Secret()}
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
	c, err := net.ListenPacket(network, addr)
	if err != nil {
		t.Skip("the host cannot listen on %s %s: %v", network, addr, err)
	}
	t.Cleanup(func() { c.Close() })
	s := &server{addr: c.LocalAddr().String(), answer: t.Secret()}
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
	s.heard.WriteString(said)
}

func (s *server) hear(said string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard.WriteString(said)
}

// reached reports whether anybody came, waiting a moment for packets on their
// way.
func (s *server) reached() bool {
	for range 10 {
		if s.guests() > 0 {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
	return false
}

func (s *server) guests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.came
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
