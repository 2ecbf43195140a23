// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// TestAnsweredAtOnce: who speaks another protocol and waits for an answer has
// it, and no time has to pass: the proxy of this test would wait for an hour.
func TestAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"SOCKS4":       {"\x04\x01\x01\xbb\x7f\x00\x00\x01user\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00"},
		"SOCKS4a":      {"\x04\x01\x01\xbb\x00\x00\x00\x01user\x00allowed.example\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00"},
		"SOCKS4, half": {"\x04", "\x00\x5b\x00\x00\x00\x00\x00\x00"},
		"TLS":          {string(clientHello(t, "allowed.example")), "HTTP/1.1 400 "},
		"zero":         {"\x00", "HTTP/1.1 400 "},
		"a line end":   {"\r\n", "HTTP/1.1 400 "},
	} {
		for _, password := range []string{"", "sesame"} {
			w := newWorld(t, Config{Password: password, List: hostrule.List{Allow: rules(t, "*")}, Limits: Limits{Request: time.Hour}})
			conn := w.dial()
			if _, err := io.WriteString(conn, c.text); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(c.want))
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != c.want {
				t.Errorf("%s: answered %q, %v; want %q", name, got, err, c.want)
			}
			made := w.decisions()
			if password == "" && (len(made) != 1 || made[0].Verdict != Denied) || password != "" && len(made) != 0 {
				t.Errorf("%s, password %q: %+v", name, password, made)
			}
			conn.Close()
		}
	}
	// One of TLS sees from the answer what is wrong.
	w := newWorld(t, Config{})
	var header tls.RecordHeaderError
	if err := tls.Client(w.dial(), &tls.Config{ServerName: "x"}).Handshake(); !errors.As(err, &header) {
		t.Errorf("a handshake with the proxy: %v", err)
	}
}

// TestDeniedNameAtAnAddress: a name that a rule denies is not asked for in TLS
// at an address that another rule allows.
func TestDeniedNameAtAnAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sni string
		ok  bool
	}{
		"a name that no rule is about": {"any.example", true},
		"no name":                      {"", true},
		"a denied name":                {"denied.example", false},
		"one below a denied name":      {"a.ads.example", false},
		"a denied name of this port":   {"port.example", false},
		"a name with NUL":              {"any.exam\x00le", false},
	} {
		h := hear(t)
		w := newWorld(t, Config{List: hostrule.List{
			Allow: rules(t, fmt.Sprintf("127.0.0.1:%d", h.port)),
			Deny:  rules(t, "denied.example", "*.ads.example", fmt.Sprintf("port.example:%d", h.port), "any.example:1"),
		}})
		first := clientHello(t, strings.ReplaceAll(c.sni, "\x00", "p"))
		if strings.Contains(c.sni, "\x00") {
			first = []byte(strings.ReplaceAll(string(first), "any.example", c.sni))
		}
		conn, status := w.through(fmt.Sprintf("127.0.0.1:%d", h.port))
		if !strings.Contains(status, " 200 ") {
			t.Fatal(status)
		}
		_, _ = conn.Write(first)
		if c.ok {
			_, _ = conn.Write([]byte("\r\n\r\n"))
			_, _ = io.ReadFull(conn, make([]byte, 8))
		} else if n, err := conn.Read(make([]byte, 8)); err == nil {
			t.Errorf("%s: the tunnel says %d bytes", name, n)
		}
		if said := strings.Join(h.all(), ""); strings.HasPrefix(said, string(first)) != c.ok || !c.ok && said != "" {
			t.Errorf("%s: the server heard %d bytes", name, len(said))
		}
	}
}

// TestPlaces: names that mean a machine itself, and those of metadata services,
// are not asked of the host's own proxy, whose loopback and whose metadata they
// would be, where everything is listed. Others are.
func TestPlaces(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	upstream := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Host)
		mu.Unlock()
		if r.Method != http.MethodConnect {
			_, _ = io.WriteString(rw, "plain")
		}
	}))
	t.Cleanup(upstream.Close)
	up, err := NewUpstream([]string{"HTTPS_PROXY=" + upstream.URL, "HTTP_PROXY=" + upstream.URL})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, allow string
		asked       bool
	}{
		{"any.example", "*", true},
		{"a.localhost", "*", false},
		{"A.LocalHost.", "*.localhost", false},
		{"localhost.localdomain", "*", false},
		{"ip6-localhost", "*", false},
		{"0", "*", false},
		{"127.9", "*", false},
		{"metadata.google.internal", "*", false},
		{"METADATA.google.internal.", "*.internal", false},
		{"metadata.google.internal", "metadata.google.internal", true},
		{"instance-data.ec2.internal", "*", false},
		{"169.254.169.254", "*", false},
		{"other.internal", "*.internal", true},
	} {
		w := newWorld(t, Config{Upstream: up, List: hostrule.List{Allow: rules(t, c.allow)}})
		w.answers = func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("169.254.169.254")} }
		for _, request := range []string{"CONNECT " + c.host + ":443 HTTP/1.1\r\n\r\n", "GET http://" + c.host + "/ HTTP/1.1\r\n\r\n"} {
			mu.Lock()
			asked = nil
			mu.Unlock()
			answer := w.raw(request)
			mu.Lock()
			if c.asked != (len(asked) == 1) || c.asked != strings.HasPrefix(answer, "HTTP/1.1 200 ") {
				t.Errorf("%s with %s: the proxy of the host was asked for %q, and the answer is %.40q", c.host, c.allow, asked, answer)
			}
			mu.Unlock()
		}
	}
}

// TestNoGrantForMetadata: what a service that hands out credentials would be
// allowed by is not proposed, by whatever name or address it was asked for; for
// another address it is.
func TestNoGrantForMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", "*.internal")}})
	w.answers = func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("169.254.169.254")} }
	for host, want := range map[string]bool{
		"10.1.2.3": true, "other.example": true, "[fd00::1]": true,
		"169.254.169.254": false, "2852039166": false, "[::ffff:169.254.169.254]": false, "[fd00:ec2::254]": false, "[64:ff9b::a9fe:a9fe]": false,
		"metadata.google.internal": false, "instance-data": false, "allowed.example": false,
	} {
		before := len(w.decisions())
		w.through(host + ":80")
		made := w.decisions()[before:]
		if len(made) != 1 || made[0].Verdict != Denied || (made[0].Grant != nil) != want || want == strings.Contains(made[0].Reason, "credentials") {
			t.Errorf("%s: %+v", host, made)
		}
	}
}

// TestPathsAsWritten: there are no rules for paths, so a path that programs read
// in more than one way arrives as it was written.
func TestPathsAsWritten(t *testing.T) {
	t.Parallel()
	h := hear(t)
	w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", fmt.Sprintf("127.0.0.1:%d", h.port))}})
	paths := []string{"/%2e%2e/x", "/../x", "//evil.example/x", "/a;b=c", "/%00", "/%0d%0aX:1", "/x?a=//b", "/A/./b", "/http://evil.example/", "/%2F%5c"}
	for _, path := range paths {
		w.raw(fmt.Sprintf("GET http://allowed.example:%d%s HTTP/1.1\r\n\r\n", h.port, path))
	}
	said := h.all()
	if len(said) != len(paths) {
		t.Fatalf("%d of %d requests arrived", len(said), len(paths))
	}
	for i, path := range paths {
		if want := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: allowed.example:%d\r\n", path, h.port); !strings.HasPrefix(said[i], want) {
			t.Errorf("%s arrived as %.80q", path, said[i])
		}
	}
}

// TestLike: names that look like a listed one are other names.
func TestLike(t *testing.T) {
	t.Parallel()
	h := hear(t)
	w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", "*.allowed.example", fmt.Sprintf("127.0.0.1:%d", h.port))}})
	for _, name := range []string{
		"аllowed.example", "allοwed.example", "allowed.ехample", "al\u200blowed.example", "allowed\u00ad.example.evil", "xn--llowed-4fg.example",
		"allowed.example\u2024evil", "ａllowed.example．evil", "allowed\u2215.example", "a\u0338llowed.example", "ⓐllowed.example.evil",
	} {
		for _, request := range []string{"CONNECT %s:%d HTTP/1.1\r\n\r\n", "GET http://%s:%d/ HTTP/1.1\r\n\r\n"} {
			w.raw(fmt.Sprintf(request, name, h.port))
		}
		w.socks(socksName, []byte(name), h.port)
	}
	for _, name := range w.looked() {
		// A soft hyphen and a sign of no width are nothing, by IDNA: what is left is the name itself.
		if name != "allowed.example" {
			t.Errorf("%q was looked up", name)
		}
	}
	if _, status := w.through(fmt.Sprintf("allowed.example:%d", h.port)); !strings.Contains(status, " 200 ") {
		t.Errorf("the name itself: %s", status)
	}
}

// TestSmuggledUpstream: of a body that readers measure differently nothing gets
// to the host's own proxy, which would serve what follows it with its rights.
func TestSmuggledUpstream(t *testing.T) {
	t.Parallel()
	h := hear(t)
	up, err := NewUpstream([]string{fmt.Sprintf("HTTP_PROXY=http://user:word@127.0.0.1:%d", h.port)})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, Config{Upstream: up, List: hostrule.List{Allow: rules(t, "allowed.example")}})
	const inner = "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner)
	for name, text := range map[string]string{
		"chunks of HTTP/1.0":          "POST http://allowed.example/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
		"chunks of HTTP/1.0, kept":    "POST http://allowed.example/ HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
		"a length and chunks":         "POST http://allowed.example/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
		"chunks with a space before":  "POST http://allowed.example/ HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n" + chunk,
		"chunks in a list":            "POST http://allowed.example/ HTTP/1.1\r\nTransfer-Encoding: identity, chunked\r\n\r\n" + chunk,
		"another request that waits":  "GET http://allowed.example/ HTTP/1.1\r\n\r\n" + inner,
		"a body of GET, and no more":  fmt.Sprintf("GET http://allowed.example/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n%s", inner),
		"an upgrade":                  "GET http://allowed.example/ HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n" + inner,
		"a password of their own":     "GET http://allowed.example/ HTTP/1.1\r\nProxy-Authorization: Basic eDp5\r\n\r\n",
		"chunks that end too early":   "POST http://allowed.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"a chunk longer than it says": "POST http://allowed.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n" + inner,
	} {
		before := len(h.all())
		w.raw(text)
		for _, said := range h.all()[before:] {
			if strings.Contains(said, "evil.example") || strings.Contains(said, "eDp5") || strings.Contains(said, "HTTP/1.0") && strings.Contains(said, "chunked") || strings.Contains(said, "pgrade") {
				t.Errorf("%s: the proxy of the host heard %q", name, said)
			}
		}
	}
	if answer := w.raw("GET http://allowed.example/ HTTP/1.0\r\n\r\n"); !strings.HasSuffix(answer, "ok") {
		t.Errorf("a request of HTTP/1.0: %q", answer)
	}
}

// TestHostInATunnel: what is said inside of a tunnel is not read but for the
// name in TLS. A listed server that answers for other names does so for commands
// too, as docs/contract.md says; this test notices when that is no longer so.
func TestHostInATunnel(t *testing.T) {
	t.Parallel()
	h := hear(t)
	w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", fmt.Sprintf("127.0.0.1:%d", h.port))}})
	c, _ := w.through(fmt.Sprintf("allowed.example:%d", h.port))
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: fronted.example\r\n\r\n")
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	_, _ = io.ReadFull(c, make([]byte, 15))
	if said := h.all(); len(said) != 1 || !strings.Contains(said[0], "Host: fronted.example") {
		t.Errorf("the server heard %q", said)
	}
}
