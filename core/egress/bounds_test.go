// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// TestManyConnections: 10,000 tunnels, of which no more than the limit are
// served at once, beside clients that say one byte and wait. All are served in
// the end, and memory stays within bounds.
func TestManyConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	const (
		total = 10_000
		slow  = 200
		limit = 64
		most  = 24 << 20 // of the heap, with the clients of the test
	)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var now, peak, served atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for n := now.Add(1); ; {
				p := peak.Load()
				if n <= p || peak.CompareAndSwap(p, n) {
					break
				}
			}
			go func() {
				_, _ = io.Copy(c, c)
				now.Add(-1)
				c.Close()
			}()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	w := newWorld(t, Config{
		List:    hostrule.List{Allow: rules(t, fmt.Sprintf("127.0.0.1:%d", port))},
		Limits:  Limits{Connections: limit, Request: 300 * time.Millisecond},
		Decided: func(Decision) {},
	})
	for range slow {
		c := w.dial()
		defer c.Close()
		_, _ = io.WriteString(c, "C")
	}
	var clients sync.WaitGroup
	work := make(chan struct{}, 256)
	request := fmt.Sprintf("CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n", port)
	var heap uint64
	for i := range total {
		work <- struct{}{}
		clients.Go(func() {
			defer func() { <-work }()
			c, err := net.Dial("tcp", w.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(60 * time.Second))
			_, _ = io.WriteString(c, request)
			in := bufio.NewReaderSize(c, 64)
			line, _ := in.ReadString('\n')
			_, _ = in.ReadString('\n')
			_, _ = io.WriteString(c, "ping")
			b := make([]byte, 4)
			if _, err := io.ReadFull(in, b); err == nil && string(b) == "ping" && strings.Contains(line, " 200 ") {
				served.Add(1)
			}
		})
		if i%1000 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			heap = max(heap, m.HeapAlloc+m.StackInuse)
		}
	}
	clients.Wait()
	t.Logf("served %d, at once %d, heap and stacks %d KiB", served.Load(), peak.Load(), heap>>10)
	if served.Load() != total {
		t.Errorf("%d of %d were served", served.Load(), total)
	}
	if peak.Load() > limit {
		t.Errorf("%d were served at once, the limit is %d", peak.Load(), limit)
	}
	if heap > most {
		t.Errorf("%d bytes are held, most is %d", heap, most)
	}
}

// TestSlow: who does not finish a request, and a tunnel in which nothing is
// said, is ended; who says a byte now and then in a tunnel is not.
func TestSlow(t *testing.T) {
	t.Parallel()
	port, _ := greeter(t, "tcp4", "127.0.0.1:0")
	w := newWorld(t, Config{
		List:   hostrule.List{Allow: rules(t, "127.0.0.1")},
		Limits: Limits{Request: 100 * time.Millisecond, Idle: 400 * time.Millisecond},
	})
	for _, begin := range []string{"", "GET http://", "GET http://x/ HTTP/1.1\r\nA: ", "\x05", "\x05\x01\x00\x05\x01"} {
		c := w.dial()
		_, _ = io.WriteString(c, begin)
		_, err := io.ReadAll(c)
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Errorf("%q is waited for", begin)
		}
		c.Close()
	}
	c, _ := w.through(fmt.Sprintf("127.0.0.1:%d", port))
	if got := word(t, c); got != "hello" {
		t.Fatal(got)
	}
	for range 8 {
		time.Sleep(100 * time.Millisecond)
		_, _ = io.WriteString(c, "x")
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatalf("a tunnel that is used was ended: %v", err)
		}
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a tunnel in which nothing is said says something")
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Error("a tunnel in which nothing is said stays")
	}
}

// TestUpstream goes through a proxy of the host's, as its variables say, and
// asks it for nothing that is not listed.
func TestUpstream(t *testing.T) {
	t.Parallel()
	port, _ := greeter(t, "tcp4", "127.0.0.1:0")
	var mu sync.Mutex
	var asked []string
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization"))
		mu.Unlock()
		if r.Method != http.MethodConnect {
			_, _ = io.WriteString(rw, "plain")
			return
		}
		if strings.HasPrefix(r.Host, "refused.example") {
			rw.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		to, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		c, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(to, c); to.Close() }()
		_, _ = io.Copy(c, to)
		c.Close()
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	url := "http://user:word@" + l.Addr().String()
	up, err := NewUpstream([]string{"HTTPS_PROXY=http://ignored:1", "https_proxy=" + url, "HTTP_PROXY=" + url, "NO_PROXY=direct.example"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, Config{Upstream: up, List: hostrule.List{
		Allow: rules(t, "allowed.example", "refused.example", "direct.example", fmt.Sprintf("127.0.0.1:%d", port)),
	}})
	c, status := w.through("allowed.example:443")
	if got := word(t, c); got != "hello" || !strings.Contains(status, " 200 ") {
		t.Errorf("through the upstream: %s, %q", status, got)
	}
	if _, status := w.through("evil.example:443"); !strings.Contains(status, " 403 ") {
		t.Errorf("what is not listed: %s", status)
	}
	if _, status := w.through("refused.example:443"); !strings.Contains(status, " 502 ") {
		t.Errorf("what the upstream refuses: %s", status)
	}
	if len(w.looked()) > 0 {
		t.Errorf("%q were looked up, which is the upstream's to do", w.looked())
	}
	if _, status := w.through(fmt.Sprintf("direct.example:%d", port)); !strings.Contains(status, " 200 ") {
		t.Errorf("past the upstream: %s", status)
	}
	if answer := w.raw("GET http://allowed.example/a?b HTTP/1.1\r\nHost: x\r\nProxy-Authorization: theirs\r\n\r\n"); !strings.HasSuffix(answer, "plain") {
		t.Errorf("a plain request: %q", answer)
	}
	auth := " Basic " + base64.StdEncoding.EncodeToString([]byte("user:word"))
	want := "CONNECT allowed.example:443" + auth + "|CONNECT refused.example:443" + auth + "|GET http://allowed.example/a?b" + auth
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(asked, "|"); got != want {
		t.Errorf("the upstream was asked\n%s, want\n%s", got, want)
	}
}

func TestUpstreamVariables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environ []string
		none    bool
		code    diag.Code
	}{
		"none":               {environ: []string{"PATH=/bin", "NO_PROXY=*"}, none: true},
		"empty":              {environ: []string{"HTTPS_PROXY="}, none: true},
		"without a scheme":   {environ: []string{"HTTPS_PROXY=proxy.corp:3128"}},
		"for all":            {environ: []string{"all_proxy=http://proxy.corp"}},
		"SOCKS":              {environ: []string{"ALL_PROXY=socks5://proxy.corp"}, code: diag.ModeUnsupported},
		"SOCKS beside HTTP":  {environ: []string{"ALL_PROXY=socks5://proxy.corp", "HTTP_PROXY=http://a", "HTTPS_PROXY=http://a"}},
		"TLS to the proxy":   {environ: []string{"HTTPS_PROXY=https://proxy.corp"}, code: diag.ModeUnsupported},
		"no host":            {environ: []string{"HTTPS_PROXY=http://"}, code: diag.ModeUnsupported},
		"a malformed secret": {environ: []string{"HTTPS_PROXY=http://u:p%zz@proxy"}, code: diag.ModeUnsupported},
	} {
		u, err := NewUpstream(c.environ)
		var code diag.Code
		if d, ok := err.(*diag.Diagnostic); ok {
			code = d.Code
			if strings.Contains(d.String(), "p%zz") {
				t.Errorf("%s: the error says the password: %v", name, d)
			}
		}
		if code != c.code || (u == nil) != (c.none || c.code != "") {
			t.Errorf("%s: %v, %v", name, u, err)
		}
	}
}

// TestUpstreamIs: the host's proxy is known by its address, so that nobody is
// told to let commands reach it by themselves.
func TestUpstreamIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		environ, address string
		want             bool
	}{
		{"HTTPS_PROXY=http://127.0.0.1:3128", "127.0.0.1:3128", true},
		{"HTTP_PROXY=http://127.0.0.1:3128", "127.0.0.1:3128", true},
		{"all_proxy=http://u:p@10.0.0.1", "10.0.0.1:80", true},
		{"HTTPS_PROXY=localhost:3128", "127.0.0.1:3128", true},
		{"HTTPS_PROXY=localhost:3128", "[::1]:3128", true},
		{"HTTPS_PROXY=http://[::1]:3128", "[::1]:3128", true},
		{"HTTPS_PROXY=http://127.0.0.1:3128", "127.0.0.1:3129", false},
		{"HTTPS_PROXY=http://127.0.0.1:3128", "192.0.2.1:3128", false},
		{"HTTPS_PROXY=localhost:3128", "192.0.2.1:3128", false},
		{"HTTPS_PROXY=http://proxy.corp:3128", "127.0.0.1:3128", false},
		{"HTTPS_PROXY=localhost:3128", "nothing", false},
		{"PATH=/bin", "127.0.0.1:3128", false},
	} {
		u, err := NewUpstream([]string{c.environ})
		if err != nil || u.Is(c.address) != c.want {
			t.Errorf("%s: %s: want %v, %v", c.environ, c.address, c.want, err)
		}
	}
}
