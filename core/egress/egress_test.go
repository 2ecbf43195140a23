// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// world is a proxy with servers that it may reach. The names of the test's own
// resolver are all on the loopback, which the list opens by address.
type world struct {
	t     *testing.T
	proxy *Proxy
	addr  string // of the proxy

	mu      sync.Mutex
	made    []Decision
	asked   []string // names that were looked up
	answers func(name string) []netip.Addr
}

func loopback() netip.Addr { return netip.MustParseAddr("127.0.0.1") }

// rules reads rules for a test.
func rules(t testing.TB, texts ...string) []hostrule.Rule {
	t.Helper()
	var list []hostrule.Rule
	for _, text := range texts {
		r, err := hostrule.ParseRule(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		list = append(list, r)
	}
	return list
}

func newWorld(t *testing.T, c Config) *world {
	t.Helper()
	w := &world{t: t, answers: func(string) []netip.Addr { return []netip.Addr{loopback()} }}
	c.Resolve = func(_ context.Context, name string) ([]netip.Addr, error) {
		w.mu.Lock()
		w.asked = append(w.asked, name)
		w.mu.Unlock()
		return w.answers(name), nil
	}
	if c.Decided == nil {
		c.Decided = func(d Decision) {
			w.mu.Lock()
			w.made = append(w.made, d)
			w.mu.Unlock()
		}
	}
	w.proxy = New(c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	w.proxy.Serve(l)
	t.Cleanup(w.proxy.Close)
	return w
}

// decisions returns what was decided so far.
func (w *world) decisions() []Decision {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Decision(nil), w.made...)
}

// looked returns the names that were looked up.
func (w *world) looked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.asked...)
}

// raw sends bytes to the proxy and returns all that comes back.
func (w *world) raw(text string) string {
	w.t.Helper()
	c := w.dial()
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		w.t.Fatal(err)
	}
	_ = c.CloseWrite()
	answer, _ := io.ReadAll(c) // a reset is an end too
	return string(answer)
}

func (w *world) dial() *net.TCPConn {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// greeter is a server that sends a word and then whatever it receives.
func greeter(t testing.TB, network, addr string) (port int, reached func() int) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	n := 0
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			n++
			mu.Unlock()
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, "hello")
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// through asks for a tunnel and returns the connection and the status.
func (w *world) through(target string) (net.Conn, string) {
	w.t.Helper()
	c := w.dial()
	w.t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	in := bufio.NewReaderSize(c, 16)
	line, err := in.ReadString('\n')
	if err != nil {
		return c, err.Error()
	}
	for {
		next, err := in.ReadString('\n')
		if err != nil || next == "\r\n" {
			break
		}
	}
	return &buffered{c, in}, strings.TrimSpace(line)
}

type buffered struct {
	*net.TCPConn
	in *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

// socks asks for a tunnel by SOCKS5 with a name and returns the reply.
func (w *world) socks(kind byte, host []byte, port int) (net.Conn, byte) {
	w.t.Helper()
	c := w.dial()
	w.t.Cleanup(func() { c.Close() })
	if kind == socksName {
		host = append([]byte{byte(len(host))}, host...)
	}
	message := append([]byte{5, 1, 0, 5, 1, 0, kind}, host...)
	if _, err := c.Write(append(message, byte(port>>8), byte(port))); err != nil {
		w.t.Fatal(err)
	}
	var answer [12]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return c, 0xfe
	}
	return c, answer[3]
}

func word(t *testing.T, c net.Conn) string {
	t.Helper()
	var b [5]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return err.Error()
	}
	return string(b[:])
}

// TestTunnels goes through by CONNECT and by SOCKS5, to names and addresses of
// both families, and not where the list does not say so.
func TestTunnels(t *testing.T) {
	t.Parallel()
	for _, family := range []struct{ network, addr, host string }{{"tcp4", "127.0.0.1:0", "127.0.0.1"}, {"tcp6", "[::1]:0", "::1"}} {
		t.Run(family.network, func(t *testing.T) {
			t.Parallel()
			port, reached := greeter(t, family.network, family.addr)
			open := net.JoinHostPort(family.host, fmt.Sprint(port))
			w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", open), Deny: rules(t, "denied.example")}})
			ip := netip.MustParseAddr(family.host)
			w.answers = func(string) []netip.Addr { return []netip.Addr{ip} }
			kind := byte(socksIPv4)
			if ip.Is6() {
				kind = socksIPv6
			}
			want := 0
			for _, c := range []struct {
				how string
				ok  bool
				do  func() (net.Conn, bool)
			}{
				{"connect a name", true, func() (net.Conn, bool) {
					c, s := w.through(fmt.Sprintf("Allowed.Example.:%d", port))
					return c, strings.Contains(s, " 200 ")
				}},
				{"connect an address", true, func() (net.Conn, bool) { c, s := w.through(open); return c, strings.Contains(s, " 200 ") }},
				{"socks a name", true, func() (net.Conn, bool) {
					c, r := w.socks(socksName, []byte("allowed.example"), port)
					return c, r == 0
				}},
				{"socks an address", true, func() (net.Conn, bool) { c, r := w.socks(kind, ip.AsSlice(), port); return c, r == 0 }},
				{"connect another name", false, func() (net.Conn, bool) {
					c, s := w.through(fmt.Sprintf("other.example:%d", port))
					return c, !strings.Contains(s, " 403 ")
				}},
				{"socks another name", false, func() (net.Conn, bool) {
					c, r := w.socks(socksName, []byte("denied.example"), port)
					return c, r != socksDenied
				}},
			} {
				conn, ok := c.do()
				if ok != c.ok {
					t.Errorf("%s: through is %v", c.how, ok)
					continue
				}
				if c.ok {
					want++
					if got := word(t, conn); got != "hello" {
						t.Errorf("%s: the server says %q", c.how, got)
					}
					if _, err := io.WriteString(conn, "again"); err != nil {
						t.Error(err)
					}
					if got := word(t, conn); got != "again" {
						t.Errorf("%s: the server gives back %q", c.how, got)
					}
				}
			}
			if reached() != want {
				t.Errorf("the server was reached %d times, want %d", reached(), want)
			}
			for _, name := range w.looked() {
				if name != "allowed.example" {
					t.Errorf("%s was looked up", name)
				}
			}
		})
	}
}

// TestDecisions looks at what is said of each answer.
func TestDecisions(t *testing.T) {
	t.Parallel()
	port, _ := greeter(t, "tcp4", "127.0.0.1:0")
	w := newWorld(t, Config{
		List:   hostrule.List{Allow: rules(t, "allowed.example", "inner.example", fmt.Sprintf("127.0.0.1:%d", port)), Deny: rules(t, "*.bad.example")},
		Origin: func(r hostrule.Rule) string { return "FILE:" + r.String() },
	})
	w.answers = func(name string) []netip.Addr {
		return map[string][]netip.Addr{"allowed.example": {loopback()}, "inner.example": {netip.MustParseAddr("10.1.2.3")}}[name]
	}
	for _, target := range []string{fmt.Sprintf("allowed.example:%d", port), "other.example:443", "a.bad.example:443", "inner.example:443", "127.0.0.1:1", "[::1]:6379"} {
		w.through(target)
	}
	var got []string
	for _, d := range w.decisions() {
		grant := "-"
		if d.Grant != nil {
			grant = d.Grant.Flags()
		}
		got = append(got, strings.ReplaceAll(fmt.Sprint(d.Protocol, " ", d.Host, ":", d.Port, " ", d.Address, " ", d.Verdict, " ", d.Rule, " ", d.Origin, " (", d.Reason, ") ", grant), fmt.Sprint(port), "PORT"))
	}
	want := []string{
		"connect allowed.example:PORT 127.0.0.1 allowed allowed.example FILE:allowed.example () -",
		"connect other.example:443  denied   (no rule allows it) --allow-host other.example:443",
		"connect a.bad.example:443  denied *.bad.example FILE:*.bad.example (a rule denies it) -",
		"connect inner.example:443 10.1.2.3 denied   (its address is a private network) --allow-host 10.1.2.3:443",
		"connect 127.0.0.1:1 127.0.0.1 denied   (no rule allows it, and its address is the host's loopback) --allow-loopback 1",
		"connect ::1:6379 ::1 denied   (no rule allows it, and its address is the host's loopback) --allow-loopback 6379",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestPlain sends requests of HTTP through the proxy with the client of Go.
func TestPlain(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/redirect" {
			http.Redirect(rw, r, "http://other.example/", http.StatusFound)
			return
		}
		fmt.Fprintf(rw, "%s %s %s %q %q", r.Method, r.Host, r.RequestURI, body, r.Header.Get("Proxy-Authorization")+r.Header.Get("X-Hop"))
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", "127.0.0.1:"+port)}})
	host := "allowed.example:" + port

	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(mustURL("http://" + w.addr))}}
	defer client.CloseIdleConnections()
	do := func(method, path string, body io.Reader) (int, string) {
		t.Helper()
		req, _ := http.NewRequest(method, "http://"+host+path, body)
		req.Header.Set("Connection", "X-Hop")
		req.Header.Set("X-Hop", "hop")
		res, err := client.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	for _, c := range []struct {
		method, path string
		body         io.Reader
		status       int
		text         string
	}{
		{"GET", "/a%2e%2e/%2F?x=%20&y", nil, 200, "GET " + host + ` /a%2e%2e/%2F?x=%20&y "" ""`},
		{"POST", "/", strings.NewReader("body"), 200, "POST " + host + ` / "body" ""`},
		{"POST", "/", io.MultiReader(strings.NewReader("chunk"), strings.NewReader("ed")), 200, "POST " + host + ` / "chunked" ""`},
		{"HEAD", "/", nil, 200, ""},
		{"PUT", "/", strings.NewReader(""), 200, "PUT " + host + ` / "" ""`},
		{"GET", "/redirect", nil, 403, "caisson: other.example:80: no rule allows it; it would be allowed by --allow-host other.example:80\n"},
	} {
		if status, text := do(c.method, c.path, c.body); status != c.status || text != c.text {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, status, text, c.status, c.text)
		}
	}
}

func mustURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}
