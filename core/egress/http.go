// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// answerHTTP serves one request of HTTP/1 and ends the connection with it, so
// that each request is decided upon alone: what follows on the same connection
// was decided with the tunnel, or is never read.
func (p *Proxy) answerHTTP(c net.Conn, in *bufio.Reader) {
	h, err := readHead(in, p.limits.Head)
	var m *malformed
	switch {
	case errors.As(err, &m):
		p.malformedHTTP(c, m)
		return
	case err != nil:
		return
	case !p.admits(h):
		sayHTTP(c, 407, "caisson: the proxy is for the commands of one sandbox")
		return
	}
	method, target, version := h.first[0], h.first[1], h.first[2]
	if !token(method) || version != "HTTP/1.1" && version != "HTTP/1.0" {
		p.refuseHTTP(c, Decision{Protocol: HTTP}, &malformed{505, "the request is none of HTTP/1"})
		return
	}
	if method == "CONNECT" {
		p.answerConnect(c, in, target)
		return
	}
	p.answerPlain(c, in, h)
}

// answerConnect opens a tunnel.
func (p *Proxy) answerConnect(c net.Conn, in *bufio.Reader, target string) {
	host, port, err := hostrule.ParseTarget(target)
	if err != nil {
		p.refuseHTTP(c, Decision{Protocol: Connect, Host: quoted(authority(target))}, &malformed{400, err.Error()})
		return
	}
	r := request{Connect, host, port}
	p.waits(c)
	to, refused := p.connect(r, false)
	if refused != nil {
		sayRefused(c, refused)
		return
	}
	defer to.Close()
	if !p.hold(to) {
		return
	}
	defer p.drop(to)
	if _, err := io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	p.tunnel(c, in, to.Conn, r)
}

// answerPlain sends one request on and its answer back.
func (p *Proxy) answerPlain(c net.Conn, in *bufio.Reader, h *head) {
	r, path, err := h.absolute()
	length := int64(0)
	if err == nil {
		length, err = h.bodyLength()
	}
	if err == nil {
		err = h.drop("Host", "Content-Length", "Proxy-Authorization", "Proxy-Authenticate")
	}
	if err != nil {
		d := Decision{Protocol: HTTP, Host: quoted(authority(h.first[1]))}
		if r.port != 0 {
			d.Host, d.Port = r.host.String(), r.port
		}
		p.refuseHTTP(c, d, err)
		return
	}
	p.waits(c)
	to, refused := p.connect(r, true)
	if refused != nil {
		sayRefused(c, refused)
		return
	}
	defer to.Close()
	if !p.hold(to) {
		return
	}
	defer p.drop(to)
	h.address(r, path, length, to.via)
	_ = c.SetDeadline(time.Time{}) // both live as long as bytes come, see exchange
	p.exchange(c, in, to, h, length)
}

// absolute reads the target of a request to a proxy: an address of http, whole.
// The path stays as it was written: there is no rule for paths.
func (h *head) absolute() (r request, path string, err error) {
	scheme, rest, ok := strings.Cut(h.first[1], "://")
	switch {
	case h.first[0] == "TRACE":
		return r, "", &malformed{501, "TRACE would show what the way adds"}
	case !ok, !strings.EqualFold(scheme, "http"):
		return r, "", bad("the request is for no http:// address; this is a proxy")
	case strings.ContainsAny(rest, `#\`):
		return r, "", bad("the address has a character that programs read differently")
	case len(h.values("Host")) > 1:
		return r, "", bad("the request has two hosts")
	}
	authority, path := rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
		if path[0] == '?' {
			path = "/" + path
		}
	}
	target := authority
	if i := strings.LastIndexByte(authority, ':'); i < 0 || strings.HasSuffix(authority, "]") {
		target += ":80"
	}
	r.protocol = HTTP
	host, port, err := hostrule.ParseTarget(target)
	if err != nil {
		return r, "", bad(err.Error())
	}
	r.host, r.port = host, port
	return r, path, nil
}

// address makes the head one for the host that was decided upon, whatever the
// field Host said, or for the upstream.
func (h *head) address(r request, path string, length int64, via *route) {
	authority := r.target()
	if r.port == 80 {
		authority = strings.TrimSuffix(authority, ":80")
	}
	h.first[1] = path
	h.fields = append([]field{{"Host", authority}}, h.fields...)
	if via != nil {
		h.first[1] = "http://" + authority + path
		if via.auth != "" {
			h.fields = append(h.fields, field{"Proxy-Authorization", via.auth})
		}
	}
	switch {
	case length == chunked:
		h.fields = append(h.fields, field{"Transfer-Encoding", "chunked"})
	case length > 0 || h.first[0] == "POST" || h.first[0] == "PUT" || h.first[0] == "PATCH":
		h.fields = append(h.fields, field{"Content-Length", strconv.FormatInt(length, 10)})
	}
	h.fields = append(h.fields, field{"Connection", "close"})
}

// exchange sends the request and passes the answer on, until that ends.
func (p *Proxy) exchange(c net.Conn, in *bufio.Reader, to *connection, h *head, length int64) {
	both := p.pair(c, to.Conn)
	defer both.end()
	if _, err := to.Write(h.text()); err != nil {
		return
	}
	method := h.first[0]
	if length != 0 {
		p.serving.Go(func() {
			if err := copyBody(to, both.reader(in, c), length, p.limits.Head); err != nil {
				both.end() // nobody is to take what was sent for the whole
			}
		})
	}
	back := bufio.NewReader(both.reader(to.Conn, to.Conn))
	for {
		answer, err := readHead(back, 4*p.limits.Head)
		if err != nil || !strings.HasPrefix(answer.first[0], "HTTP/1.") || len(answer.first[1]) != 3 {
			sayHTTP(c, 502, "caisson: the host does not answer in HTTP/1")
			return
		}
		status := answer.first[1]
		if status[0] == '1' {
			if status == "101" {
				return // no upgrade was asked for
			}
			if _, err := c.Write(answer.text()); err != nil {
				return
			}
			continue
		}
		rest := answer.answerLength(method)
		coding := answer.values("Transfer-Encoding")
		if answer.drop() != nil {
			return
		}
		for _, v := range coding {
			answer.fields = append(answer.fields, field{"Transfer-Encoding", v})
		}
		answer.fields = append(answer.fields, field{"Connection", "close"})
		if _, err := c.Write(answer.text()); err != nil {
			return
		}
		if rest == untilEOF {
			_, _ = io.Copy(c, back) // either end may break it off
		} else {
			_, _ = io.CopyN(c, back, rest)
		}
		return
	}
}

// answerLength says how many bytes follow the head of an answer.
func (h *head) answerLength(method string) int64 {
	if s := h.first[1]; method == "HEAD" || s == "204" || s == "304" {
		return 0
	}
	if n, err := h.bodyLength(); err == nil && n >= 0 && len(h.values("Content-Length")) == 1 {
		return n
	}
	return untilEOF
}

// malformedHTTP answers what has no head. Where the proxy asks for a password it
// may be anybody's, and is no event.
func (p *Proxy) malformedHTTP(c net.Conn, m *malformed) {
	if p.config.Password != "" {
		sayHTTP(c, m.status, "caisson: "+m.what)
		return
	}
	p.refuseHTTP(c, Decision{Protocol: HTTP}, m)
}

// refuseHTTP answers a request that is not understood. It is a denial.
func (p *Proxy) refuseHTTP(c net.Conn, d Decision, err error) {
	status := 400
	if m, ok := errors.AsType[*malformed](err); ok {
		status = m.status
	}
	d.Verdict, d.Reason = Denied, err.Error()
	p.decided(d)
	sayHTTP(c, status, "caisson: "+d.Reason)
}

// sayRefused tells a client of HTTP why there is no connection.
func sayRefused(c net.Conn, r *refusal) {
	status := 403
	if r.decision.Verdict == Failed {
		status = 502
	}
	sayHTTP(c, status, r.says())
}

// sayHTTP answers with a status and a sentence. Proxy-Status is of RFC 9209.
func sayHTTP(c net.Conn, status int, text string) {
	words := map[int]string{400: "Bad Request", 403: "Forbidden", 407: "Proxy Authentication Required", 431: "Request Header Fields Too Large", 501: "Not Implemented", 502: "Bad Gateway", 505: "HTTP Version Not Supported"}
	cause := map[int]string{403: "; error=http_request_denied", 502: "; error=destination_unavailable"}
	challenge := ""
	if status == 407 {
		challenge = "Proxy-Authenticate: Basic realm=\"caisson\"\r\n"
	}
	text += "\n"
	_, _ = fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nProxy-Status: caisson%s\r\n%sConnection: close\r\n\r\n%s",
		status, words[status], len(text), cause[status], challenge, text) // the client may have gone
	linger(c)
}

// maxLinger bounds what is read of a request that was refused. Closing with
// bytes unread would take the answer from the client.
const maxLinger = 64 << 10

func linger(c net.Conn) {
	if w, ok := c.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = io.CopyN(io.Discard, c, maxLinger)
	}
}

// authority is the part of what a client asked for that may name a host. A
// decision says no more of it: the rest can hold passwords and tokens. Where the
// password itself holds what ends the part, it says nothing.
func authority(target string) string {
	if _, rest, ok := strings.Cut(target, "://"); ok {
		target = rest
	}
	rest := ""
	if i := strings.IndexAny(target, `/?#\`); i >= 0 {
		target, rest = target[:i], target[i:]
	}
	host := target[strings.LastIndexByte(target, '@')+1:]
	if !strings.Contains(rest, "@") {
		return host
	}
	if _, err := hostrule.ParseHost(host); err == nil {
		return host
	}
	if _, _, err := hostrule.ParseTarget(host); err == nil {
		return host
	}
	return ""
}

// maxQuoted bounds what a decision says of something that is no host.
const maxQuoted = 128

// quoted is the beginning of what a client sent, in printable ASCII.
func quoted(text string) string {
	if len(text) > maxQuoted {
		text = text[:maxQuoted]
	}
	q := strconv.QuoteToASCII(text)
	return diag.Quote(q[1 : len(q)-1])
}
