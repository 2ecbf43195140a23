// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// FuzzRequest: a request that is understood is sent on as one that the reader of
// the standard library understands in the same way, with nothing left over.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET http://example.org/ HTTP/1.1\r\nHost: other\r\n\r\n",
		"POST http://example.org:81?x HTTP/1.0\r\nContent-Length: 4\r\nConnection: a, b\r\nA: 1\r\n\r\nbodyGET http://evil/ HTTP/1.1\r\n\r\n",
		"POST http://[::1]/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nbody\r\n0\r\nT: 1\r\n\r\n",
		"GET http://a@b/ HTTP/1.1\r\n\r\n", "GET http://a/ HTTP/1.1\nHost: a\n\n", "GET  http://a/ HTTP/1.1\r\n\r\n", "GET http://a/ HTTP/1.1\r\nA : 1\r\n\r\n",
		"POST http://a/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "GET http://a/ HTTP/1.1\r\nA: 1\r\n B: 2\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bufio.NewReader(bytes.NewReader(data))
		h, err := readHead(in, 4096)
		if err != nil {
			return
		}
		r, path, err := h.absolute()
		if err != nil {
			return
		}
		length, err := h.bodyLength()
		if err != nil || h.drop("Host", "Content-Length", "Proxy-Authorization", "Proxy-Authenticate") != nil || !token(h.first[0]) || h.first[0] == "CONNECT" {
			return
		}
		if h.first[2] != "HTTP/1.1" && h.first[2] != "HTTP/1.0" {
			return
		}
		h.address(r, path, length, nil)
		var out, body bytes.Buffer
		out.Write(h.text())
		if err := copyBody(io.MultiWriter(&out, &body), in, length, 4096); err != nil {
			return
		}
		rest := bufio.NewReader(&out)
		got, err := http.ReadRequest(rest)
		if err != nil {
			if strings.Contains(err.Error(), "parse") || strings.Contains(err.Error(), "malformed") && len(h.first[0]) > 0 {
				return // stricter than the proxy has to be: the server refuses it
			}
			t.Fatalf("%q was sent on as\n%q: %v", data, out.Bytes(), err)
		}
		if host, port, err := hostrule.ParseTarget(withPort(got.Host)); err != nil || host != r.host || port != r.port {
			t.Fatalf("%q: decided on %s, sent on for %q", data, r.target(), got.Host)
		}
		text, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatalf("%q: the body: %v", data, err)
		}
		if length >= 0 && int64(len(text)) != length {
			t.Fatalf("%q: a body of %d bytes, sent on as %d", data, length, len(text))
		}
		if more, _ := io.ReadAll(rest); len(more) > 0 {
			t.Fatalf("%q: more than one request was sent on: %q", data, more)
		}
	})
}

func withPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i < 0 || strings.HasSuffix(host, "]") {
		return host + ":80"
	}
	return host
}

// FuzzSOCKS: whatever comes, a request that is read is for one host and a port,
// and the reader takes no more than it is long.
func FuzzSOCKS(f *testing.F) {
	f.Add([]byte("\x05\x01\x00\x03\x0bexample.org\x01\xbbrest"))
	f.Add([]byte("\x05\x01\x00\x01\x7f\x00\x00\x01\x01\xbb"))
	f.Add([]byte("\x05\x01\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x7f\x00\x00\x01\x01\xbb"))
	f.Add([]byte("\x05\x02\x00\x03\x03a\x00b\x01\xbb"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bufio.NewReader(bytes.NewReader(data))
		r, said, reply, err := readSOCKS(in)
		if strings.Trim(said, printable) != "" || len(said) > 4*maxQuoted+16 {
			t.Fatalf("%q: says %q", data, said)
		}
		if err != nil {
			return
		}
		if reply != 0 || r.port < 1 || r.host.String() == "" {
			t.Fatalf("%q: %+v, reply %d", data, r, reply)
		}
		rest, _ := io.ReadAll(in)
		if read := len(data) - len(rest); read < 8 || read > 4+1+255+2 {
			t.Fatalf("%q: read %d bytes", data, read)
		}
	})
}

const printable = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

// FuzzGreeting: where the library for TLS reads a name, the proxy reads the same
// one, or refuses; and it passes on exactly what it read.
func FuzzGreeting(f *testing.F) {
	for _, name := range []string{"example.org", "a.very.long.name.example", ""} {
		f.Add(clientHello(f, name))
	}
	f.Add([]byte("SSH-2.0-x\r\n"))
	f.Add([]byte{22, 3, 1, 0, 0})
	f.Add(append([]byte{21, 3, 1, 0, 2, 1, 100}, clientHello(f, "example.org")...))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bufio.NewReader(bytes.NewReader(data))
		read, g, err := readGreeting(in)
		if err != nil {
			return
		}
		if theirs, ok := standardName(data); ok && read == nil {
			t.Fatalf("%q is taken for no TLS, by the library it is for %q", data, theirs)
		}
		if !bytes.HasPrefix(data, read) {
			t.Fatalf("%q was read as %q", data, read)
		}
		if theirs, ok := standardName(data); ok && theirs != strings.TrimSuffix(g.name, ".") && theirs != g.name {
			t.Fatalf("%q: the name %q, by the library %q", data, g.name, theirs)
		}
	})
}

var errSeen = errors.New("seen")

// standardName is the name that crypto/tls reads.
func standardName(data []byte) (name string, ok bool) {
	conn := &fixed{r: bytes.NewReader(data)}
	server := tls.Server(conn, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name, ok = h.ServerName, true
		return nil, errSeen
	}})
	_ = server.Handshake()
	return name, ok
}

// fixed is a connection that says what it was given and hears nothing.
type fixed struct {
	net.Conn
	r io.Reader
}

func (c *fixed) Read(b []byte) (int, error)  { return c.r.Read(b) }
func (c *fixed) Write(b []byte) (int, error) { return len(b), nil }
func (c *fixed) Close() error                { return nil }

// clientHello is how the client of crypto/tls begins.
func clientHello(t testing.TB, name string) []byte {
	t.Helper()
	var said bytes.Buffer
	c := tls.Client(&recorder{fixed{r: strings.NewReader("")}, &said}, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if c.Handshake() == nil {
		t.Fatal("a handshake with nobody")
	}
	return said.Bytes()
}

type recorder struct {
	fixed
	to *bytes.Buffer
}

func (c *recorder) Write(b []byte) (int, error) { return c.to.Write(b) }

// FuzzUpstream: the head of an upstream's answer ends the reading, and what
// follows it stays for the tunnel.
func FuzzUpstream(f *testing.F) {
	for _, s := range []string{"HTTP/1.1 200 OK\r\n\r\nmore", "HTTP/1.0 407 no\r\nA: b\r\n\r\n", "HTTP/1.1 2\r\n\r\n", "\r\n\r\n", "SSH-2.0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rest := bytes.NewReader(data)
		if (&route{}).ask(&fixed{r: rest}, "example.org:443") != nil {
			return
		}
		read := data[:len(data)-rest.Len()]
		if !bytes.HasPrefix(read, []byte("HTTP/1.")) || !bytes.HasSuffix(read, []byte("\r\n\r\n")) || read[9] != '2' || bytes.Count(read, []byte("\r\n\r\n")) != 1 {
			t.Fatalf("%q was taken for a yes", read)
		}
	})
}
