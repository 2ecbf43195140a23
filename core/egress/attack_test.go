// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// TestNames: what looks like a listed name to one reader and like another to
// the next reaches nothing, by no way of asking. Every name that the resolver
// is asked for leads to the server.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"evil.example\x00.allowed.example", "evil.example\r\n.allowed.example", "evil.example\n", "evil.example .allowed.example", "evil.example\t.allowed.example",
		"evil.example%00.allowed.example", "evil.example%2f.allowed.example", "evil.example#.allowed.example", "evil.example?.allowed.example",
		"evil.example/.allowed.example", `evil.example\.allowed.example`, "allowed.example@evil.example", "evil.example:80@allowed.example", ".allowed.example",
		"..allowed.example", "a..allowed.example", "xallowed.example", "allowed.example.evil", "allowed.example..", strings.Repeat("a", 64) + ".allowed.example",
		strings.Repeat("a.", 125) + "allowed.example", "127.1", "2130706433", "0x7f000001", "0177.1", "0", "[::ffff:127.0.0.1]", "[::1%lo]", "[::]", "127.0.0.1.",
		"evil。example", "１２７.0.0.1", "localhost", "localhost.", "a.localhost",
	} {
		h := hear(t)
		w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", "*.allowed.example", fmt.Sprintf("127.0.0.1:%d", h.port))}})
		w.answers = func(string) []netip.Addr { return []netip.Addr{loopback()} }
		target := fmt.Sprintf("%s:%d", name, h.port)
		w.raw("CONNECT " + target + " HTTP/1.1\r\nHost: allowed.example\r\n\r\n")
		w.raw("GET http://" + target + "/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n")
		if len(name) < 256 {
			w.socks(socksName, []byte(name), h.port)
		}
		if ip, err := netip.ParseAddr(strings.TrimSuffix(name, ".")); err == nil && ip == loopback() || isLoopback(name) {
			if len(h.all()) == 0 {
				t.Errorf("%q is the listed address in another form and was not reached", name)
			}
			continue
		}
		if said := h.all(); len(said) > 0 {
			t.Errorf("%q reached the server: %q", name, said)
		}
		for _, asked := range w.looked() {
			if asked != "allowed.example" {
				t.Errorf("%q: %q was looked up", name, asked)
			}
		}
		for _, d := range w.decisions() {
			if d.Verdict == Allowed || strings.Trim(d.Host+d.Reason, printable) != "" || len(d.Host) > 255 {
				t.Errorf("%q: %+v", name, d)
			}
		}
	}
}

// isLoopback reports whether a spelling means 127.0.0.1, which the test lists.
func isLoopback(name string) bool {
	h, err := hostrule.ParseHost(name)
	addr, ok := h.Addr()
	return err == nil && ok && addr == loopback()
}

// TestRaw: requests that two readers could understand differently are refused,
// and nothing of them is sent on. The first one is well formed.
func TestRaw(t *testing.T) {
	t.Parallel()
	const host = "allowed.example:PORT"
	for _, c := range []struct {
		name, text, status string
	}{
		{"well formed", "GET http://" + host + "/x HTTP/1.1\r\nHost: " + host + "\r\n\r\n", "200"},
		{"HTTP/1.0", "GET http://" + host + "/ HTTP/1.0\r\n\r\n", "200"},
		{"another host in Host", "GET http://" + host + "/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", "200"},
		{"a host of HTTP/1.0 that is not listed", "GET http://evil.example:PORT/ HTTP/1.0\r\n\r\n", "403"},
		{"origin form", "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", "400"},
		{"the form of OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: " + host + "\r\n\r\n", "400"},
		{"https", "GET https://" + host + "/ HTTP/1.1\r\nHost: " + host + "\r\n\r\n", "400"},
		{"ftp", "GET ftp://" + host + "/ HTTP/1.1\r\nHost: " + host + "\r\n\r\n", "400"},
		{"TRACE", "TRACE http://" + host + "/ HTTP/1.1\r\nHost: " + host + "\r\n\r\n", "501"},
		{"two lengths", "POST http://" + host + "/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", "400"},
		{"a length and chunks", "POST http://" + host + "/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{"chunks twice", "POST http://" + host + "/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{"another coding", "POST http://" + host + "/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
		{"a coding with a tab", "POST http://" + host + "/ HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "400"},
		{"a negative length", "POST http://" + host + "/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"},
		{"a length with a sign", "POST http://" + host + "/ HTTP/1.1\r\nContent-Length: +1\r\n\r\nx", "400"},
		{"lengths in a list", "POST http://" + host + "/ HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\nx", "400"},
		{"a length that is too long", "POST http://" + host + "/ HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nx", "400"},
		{"a space before the colon", "POST http://" + host + "/ HTTP/1.1\r\nContent-Length : 1\r\n\r\nx", "400"},
		{"a line that goes on", "GET http://" + host + "/ HTTP/1.1\r\nA: 1\r\n B: 2\r\n\r\n", "400"},
		{"lines that end with LF", "GET http://" + host + "/ HTTP/1.1\nHost: x\n\n", "400"},
		{"CR in a value", "GET http://" + host + "/ HTTP/1.1\r\nA: 1\rB: 2\r\n\r\n", "400"},
		{"NUL in a value", "GET http://" + host + "/ HTTP/1.1\r\nA: 1\x00\r\n\r\n", "400"},
		{"two spaces", "GET  http://" + host + "/ HTTP/1.1\r\n\r\n", "400"},
		{"a tab for a space", "GET\thttp://" + host + "/ HTTP/1.1\r\n\r\n", "400"},
		{"HTTP/0.9", "GET http://" + host + "/\r\n\r\n", "400"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
		{"a version with more", "GET http://" + host + "/ HTTP/1.1 x\r\n\r\n", "505"},
		{"two hosts", "GET http://" + host + "/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
		{"a host that is named away", "GET http://" + host + "/ HTTP/1.1\r\nHost: a\r\nConnection: close, Host\r\n\r\n", "400"},
		{"a length that is named away", "POST http://" + host + "/ HTTP/1.1\r\nContent-Length: 1\r\nConnection: content-length\r\n\r\nx", "400"},
		{"a user in the address", "GET http://x@" + host + "/ HTTP/1.1\r\n\r\n", "400"},
		{"a fragment", "GET http://" + host + "#@evil/ HTTP/1.1\r\n\r\n", "400"},
		{"a backslash", `GET http://` + host + `\@evil/ HTTP/1.1` + "\r\n\r\n", "400"},
		{"a long head", "GET http://" + host + "/ HTTP/1.1\r\nA: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", "431"},
		{"many fields", "GET http://" + host + "/ HTTP/1.1\r\n" + strings.Repeat("A: 1\r\n", 200) + "\r\n", "431"},
		{"no host", "CONNECT :PORT HTTP/1.1\r\n\r\n", "400"},
		{"no port", "CONNECT allowed.example HTTP/1.1\r\n\r\n", "400"},
		{"a path in CONNECT", "CONNECT allowed.example:PORT/x HTTP/1.1\r\n\r\n", "400"},
		{"an address in CONNECT", "CONNECT http://" + host + "/ HTTP/1.1\r\n\r\n", "400"},
	} {
		h := hear(t)
		w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", fmt.Sprintf("127.0.0.1:%d", h.port))}})
		answer := w.raw(strings.ReplaceAll(c.text, "PORT", fmt.Sprint(h.port)))
		if !strings.HasPrefix(answer, "HTTP/1.1 "+c.status+" ") {
			t.Errorf("%s: answered %.60q, want %s", c.name, answer, c.status)
		}
		said := h.all()
		if c.status != "200" && len(said) > 0 {
			t.Errorf("%s: sent on: %q", c.name, said)
		}
		if c.status == "200" && (len(said) != 1 || !strings.Contains(said[0], fmt.Sprintf("\r\nHost: allowed.example:%d\r\n", h.port)) || strings.Contains(said[0], "evil")) {
			t.Errorf("%s: sent on: %q", c.name, said)
		}
	}
}

// TestOneRequest: what follows a request on its connection is not served: each
// is decided upon, and a tunnel is one to the end.
func TestOneRequest(t *testing.T) {
	t.Parallel()
	h, other := hear(t), hear(t)
	w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", fmt.Sprintf("127.0.0.1:%d", h.port))}})
	get := func(host string, port int) string {
		return fmt.Sprintf("GET http://%s:%d/ HTTP/1.1\r\nHost: x\r\n\r\n", host, port)
	}
	connect := func(host string, port int) string {
		return fmt.Sprintf("CONNECT %s:%d HTTP/1.1\r\nHost: x\r\n\r\n", host, port)
	}
	answer := w.raw(get("allowed.example", h.port) + get("evil.example", other.port))
	if strings.Count(answer, "HTTP/1.1 ") != 1 || !strings.HasSuffix(answer, "ok") || strings.Contains(answer, "X-Hop") {
		t.Errorf("two requests were answered by %q", answer)
	}
	c, _ := w.through(fmt.Sprintf("allowed.example:%d", h.port))
	second := connect("evil.example", other.port)
	_, _ = io.WriteString(c, second)
	_, _ = io.ReadFull(c, make([]byte, 15)) // the server's own answer
	if said := h.all(); len(said) != 2 || said[1] != second {
		t.Errorf("in the tunnel: %q", said)
	}
	if said := other.all(); len(said) > 0 {
		t.Errorf("the other server was reached: %q", said)
	}
	// The proxy is no way to itself, by any of its names.
	_, port, _ := net.SplitHostPort(w.addr)
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "allowed.example"} {
		if _, status := w.through(host + ":" + port); !strings.Contains(status, " 403 ") {
			t.Errorf("the proxy through itself as %s: %s", host, status)
		}
	}
}

// TestFronting: a name in TLS that is not listed goes nowhere; that of the
// request does, and so does what is no TLS.
func TestFronting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		first []byte
		ok    bool
	}{
		{"the name asked for", clientHello(t, "allowed.example"), true},
		{"the same in other letters", bytes.ReplaceAll(clientHello(t, "allowed.example"), []byte("allowed"), []byte("ALLOWED")), true},
		{"another listed name", clientHello(t, "also.example"), true},
		{"no name", clientHello(t, ""), true},
		{"no TLS", []byte("SSH-2.0-x\r\n"), true},
		{"a name not listed", clientHello(t, "evil.example"), false},
		{"a denied name", clientHello(t, "denied.example"), false},
		{"a name with NUL", bytes.ReplaceAll(clientHello(t, "allowed.example"), []byte("allowed"), []byte("all\x00wed")), false},
		{"in two records", split(clientHello(t, "evil.example")), false},
		{"the name asked for, in two records", split(clientHello(t, "allowed.example")), true},
		{"behind an alert", append([]byte{21, 3, 1, 0, 2, 1, 100}, clientHello(t, "evil.example")...), false},
		{"behind a change of ciphers", append([]byte{20, 3, 3, 0, 1, 1}, clientHello(t, "evil.example")...), false},
		{"no TLS that begins as an alert", []byte("\x15SSH-2.0-x\r\n"), true},
		{"no TLS of one byte", []byte{21}, true},
		{"a record of nothing", []byte{22, 3, 1, 0, 0, 0}, false},
		{"a record of alerts that says handshake", []byte{22, 3, 1, 0, 4, 9, 9, 9, 9}, false},
	} {
		h := hear(t)
		w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", "also.example", "denied.example", fmt.Sprintf("127.0.0.1:%d", h.port)), Deny: rules(t, "denied.example")}})
		conn, status := w.through(fmt.Sprintf("allowed.example:%d", h.port))
		if !strings.Contains(status, " 200 ") {
			t.Fatal(status)
		}
		_, _ = conn.Write(c.first)
		if c.ok {
			_, _ = conn.Write([]byte("\r\n\r\n"))
			_, _ = io.ReadFull(conn, make([]byte, 8))
		} else if n, err := conn.Read(make([]byte, 8)); err == nil {
			t.Errorf("%s: the tunnel says %d bytes", c.name, n)
		}
		if said := strings.Join(h.all(), ""); strings.HasPrefix(said, string(c.first)) != c.ok || !c.ok && said != "" {
			t.Errorf("%s: the server heard %d bytes", c.name, len(said))
		}
	}
}

// split puts a record of TLS into two.
func split(record []byte) []byte {
	const at = 40
	first := append(append([]byte{}, record[:3]...), 0, at)
	first = append(first, record[5:5+at]...)
	second := binary.BigEndian.AppendUint16(append([]byte{}, record[:3]...), uint16(len(record)-5-at))
	return append(append(first, second...), record[5+at:]...)
}

// TestRebinding: a name is looked up once and the address that was checked is
// the one that is dialled; addresses that are not public are refused.
func TestRebinding(t *testing.T) {
	t.Parallel()
	h := hear(t)
	w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", fmt.Sprintf("127.0.0.1:%d", h.port))}})
	turn := 0
	w.answers = func(string) []netip.Addr {
		turn++
		if turn%2 == 1 {
			return []netip.Addr{netip.MustParseAddr("10.9.9.9"), loopback()} // the good one of both
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")}
	}
	if _, status := w.through(fmt.Sprintf("allowed.example:%d", h.port)); !strings.Contains(status, " 200 ") || turn != 1 {
		t.Errorf("%s after %d lookups", status, turn)
	}
	if _, status := w.through(fmt.Sprintf("allowed.example:%d", h.port)); !strings.Contains(status, " 403 ") {
		t.Errorf("another address of the loopback: %s", status)
	}
	addrs := []string{
		"127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "169.254.1.1", "168.63.129.16", "224.0.0.1", "255.255.255.255",
		"::1", "::", "::ffff:127.0.0.1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:a00:1::", "2001::1", "::7f00:1",
	}
	ifaces, _ := net.InterfaceAddrs()
	for _, a := range ifaces {
		if n, ok := a.(*net.IPNet); ok {
			addrs = append(addrs, n.IP.String()) // the host's own, public or not
		}
	}
	for _, text := range addrs {
		w.answers = func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(text)} }
		if _, status := w.through("allowed.example:9"); !strings.Contains(status, " 403 ") {
			t.Errorf("a name with the address %s: %s", text, status)
		}
	}
	if n := len(h.all()); n != 1 {
		t.Errorf("the server was reached %d times", n)
	}
}

// TestOwn: an address of the host's own is told from others.
func TestOwn(t *testing.T) {
	t.Parallel()
	if !own(loopback()) || own(netip.MustParseAddr("192.0.2.1")) {
		t.Error("the loopback is the host's own, an address elsewhere is not")
	}
}

// TestBadSOCKS: what is none of SOCKS5, or another command of it, opens nothing.
func TestBadSOCKS(t *testing.T) {
	t.Parallel()
	h := hear(t)
	w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", fmt.Sprintf("127.0.0.1:%d", h.port))}})
	port := string([]byte{byte(h.port >> 8), byte(h.port)})
	for name, c := range map[string]struct{ text, want string }{
		"well formed":        {"\x05\x01\x00\x05\x01\x00\x03\x0fallowed.example" + port, "\x05\x00\x05\x00"},
		"BIND":               {"\x05\x01\x00\x05\x02\x00\x03\x0fallowed.example" + port, "\x05\x00\x05\x07"},
		"UDP ASSOCIATE":      {"\x05\x01\x00\x05\x03\x00\x01\x7f\x00\x00\x01" + port, "\x05\x00\x05\x07"},
		"NUL in the name":    {"\x05\x01\x00\x05\x01\x00\x03\x14evil\x00.allowed.example" + port, "\x05\x00\x05\x02"},
		"no name":            {"\x05\x01\x00\x05\x01\x00\x03\x00" + port, "\x05\x00\x05\x02"},
		"port 0":             {"\x05\x01\x00\x05\x01\x00\x03\x0fallowed.example\x00\x00", "\x05\x00\x05\x02"},
		"an unknown address": {"\x05\x01\x00\x05\x01\x00\x02\x0fallowed.example" + port, "\x05\x00\x05\x08"},
		"a mapped address":   {"\x05\x01\x00\x05\x01\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x7f\x00\x00\x02" + port, "\x05\x00\x05\x02"},
		"only passwords":     {"\x05\x01\x02\x01\x01a\x01b", "\x05\xff"},
		"SOCKS4a":            {"\x04\x01" + port + "\x00\x00\x00\x01u\x00allowed.example\x00\r\n\r\n", "\x00\x5b\x00\x00"},
		"half a request":     {"\x05\x01\x00\x05\x01\x00\x03\x0fallo", "\x05\x00"},
	} {
		conn := w.dial()
		_, _ = io.WriteString(conn, c.text)
		_ = conn.CloseWrite()
		got, _ := io.ReadAll(bufio.NewReader(conn))
		if !strings.HasPrefix(string(got), c.want) || len(c.want) < 3 && len(got) != len(c.want) {
			t.Errorf("%s: answered %q, want %q", name, got, c.want)
		}
		conn.Close()
	}
	if n := len(h.all()); n != 1 {
		t.Errorf("the server was reached %d times, want 1", n)
	}
}

// TestNothingSecretInDecisions: of a request that is refused a decision names
// the host, and neither the user, the path nor the query.
func TestNothingSecretInDecisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	for _, c := range []struct{ first, host string }{
		{"GET https://user:SECRET@host.example/SECRET?SECRET HTTP/1.1", "host.example"},
		{"GET http://user:SECRET@host.example:1/ HTTP/1.1", "host.example"},
		{"GET http://host.example:1/?SECRET#SECRET HTTP/1.1", "host.example"},
		{"CONNECT user:SECRET@host.example:1 HTTP/1.1", "host.example"},
		{"CONNECT host.example:1/SECRET HTTP/1.1", "host.example"},
		{"GET https://host.example:1/@SECRET HTTP/1.1", "host.example"},
		{"GET http://user:SECRET/x@host.example/ HTTP/1.1", "''"},
		{"GET http://user:SECRET#x@host.example/ HTTP/1.1", "''"},
		{"GET http://user:SECRET?x@host.example:1/ HTTP/1.1", "''"},
		{"CONNECT user:SECRET/x@host.example:1 HTTP/1.1", "''"},
		{"GET http://user:x@SECRET!/x@host.example/ HTTP/1.1", "''"},
	} {
		before := len(w.decisions())
		w.raw(c.first + "\r\n\r\n")
		made := w.decisions()[before:]
		if len(made) != 1 || !strings.HasPrefix(made[0].Host, c.host) || strings.Contains(fmt.Sprintf("%+v", made[0]), "SECRET") {
			t.Errorf("%s: %+v", c.first, made)
		}
	}
}
