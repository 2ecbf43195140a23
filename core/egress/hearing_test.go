// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// hearing is a server that keeps what it is told and answers in HTTP.
type hearing struct {
	port int
	mu   sync.Mutex
	said []string
	from []string // who said it
	own  []string // who of them asked for all
}

func hear(t *testing.T) *hearing {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	h := &hearing{port: l.Addr().(*net.TCPAddr).Port}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			i := len(h.said)
			h.said, h.from = append(h.said, ""), append(h.from, c.RemoteAddr().String())
			h.mu.Unlock()
			go h.keep(c, i)
		}
	}()
	return h
}

func (h *hearing) keep(c net.Conn, i int) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 4096)
	for answered := false; ; {
		n, err := c.Read(b)
		h.mu.Lock()
		h.said[i] += string(b[:n])
		all := h.said[i]
		h.mu.Unlock()
		if err != nil {
			return
		}
		if !answered && strings.Contains(all, "\r\n\r\n") {
			answered = true
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Hop: 1\r\nConnection: X-Hop\r\n\r\nok")
		}
	}
}

// all is what was said so far, connection by connection. Connections are accepted
// in turn, so those that were made before are known when one of its own is.
func (h *hearing) all() []string {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", h.port))
	if err != nil {
		panic(err) // a test asks before its server is closed
	}
	defer c.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own = append(h.own, c.LocalAddr().String())
	for !slices.Contains(h.from, c.LocalAddr().String()) {
		h.mu.Unlock()
		time.Sleep(time.Millisecond)
		h.mu.Lock()
	}
	var list []string
	for i, said := range h.said {
		if !slices.Contains(h.own, h.from[i]) {
			list = append(list, said)
		}
	}
	return list
}
