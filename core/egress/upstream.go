// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Upstream is the proxy through which the host itself reaches others. Nil is
// none. It resolves names itself: what caisson knows of a request that goes
// through it is the name, and addresses are the upstream's to check.
type Upstream struct {
	proxy func(*url.URL) (*url.URL, error)
}

// NewUpstream reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY of an
// environment, in both cases; nil where no proxy is named. The error is a
// *diag.Diagnostic for what is no proxy of HTTP.
func NewUpstream(environ []string) (*Upstream, error) {
	get := func(name string) string {
		lower, upper := "", ""
		for _, e := range environ {
			if n, v, _ := strings.Cut(e, "="); n == strings.ToLower(name) {
				lower = v
			} else if n == name {
				upper = v
			}
		}
		if lower != "" {
			return lower
		}
		return upper
	}
	all := get("ALL_PROXY")
	c := httpproxy.Config{HTTPProxy: get("HTTP_PROXY"), HTTPSProxy: get("HTTPS_PROXY"), NoProxy: get("NO_PROXY")}
	if c.HTTPProxy == "" {
		c.HTTPProxy = all
	}
	if c.HTTPSProxy == "" {
		c.HTTPSProxy = all
	}
	if c.HTTPProxy == "" && c.HTTPSProxy == "" {
		return nil, nil
	}
	for name, text := range map[string]string{"HTTP_PROXY": c.HTTPProxy, "HTTPS_PROXY": c.HTTPSProxy} {
		if text == "" {
			continue
		}
		if !strings.Contains(text, "://") {
			text = "http://" + text
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" || u.Hostname() == "" {
			return nil, diag.New(diag.ModeUnsupported, "the proxy that "+name+" or ALL_PROXY names for the host is none of HTTP",
				"name one that begins with http://, or run caisson without the variable")
		}
	}

	return &Upstream{proxy: c.ProxyFunc()}, nil
}

// route is the way of one request through an upstream proxy.
type route struct {
	address string // host and port of the proxy
	auth    string // value of Proxy-Authorization, or empty
}

// routeError is what an upstream proxy answered, in words of caisson.
type routeError struct{ what string }

func (e *routeError) Error() string { return e.what }

// route returns the way to a target, nil where it is direct. Plain requests are
// those of HTTP without TLS.
func (u *Upstream) route(target string, plain bool) *route {
	if u == nil {
		return nil
	}
	scheme := "https"
	if plain {
		scheme = "http"
	}
	proxy, err := u.proxy(&url.URL{Scheme: scheme, Host: target})
	if err != nil || proxy == nil {
		return nil
	}
	r := &route{address: proxy.Host}
	if proxy.Port() == "" {
		r.address = net.JoinHostPort(proxy.Hostname(), "80")
	}
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		r.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
	}
	return r
}

// Is reports whether something that listens at an address, IP:PORT, is the proxy.
// Of names only that of the loopback is known.
func (u *Upstream) Is(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	loopback := net.ParseIP(host).IsLoopback()
	for _, plain := range []bool{false, true} {
		r := u.route("host.invalid:443", plain)
		if r != nil && (r.address == net.JoinHostPort(host, port) || loopback && r.address == net.JoinHostPort("localhost", port)) {
			return true
		}
	}
	return false
}

// dial connects to the proxy and, but for plain requests, through it.
func (r *route) dial(ctx context.Context, target string, plain bool) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", r.address)
	if err != nil {
		return nil, &routeError{"the proxy of the host: " + reasonOf(err)}
	}
	if plain {
		return c, nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline) // fails where writing does
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := r.ask(c, target); err != nil {
		c.Close()
		return nil, err
	}
	_ = c.SetDeadline(time.Time{})
	return c, nil
}

// maxAnswer bounds the head of an upstream's answer.
const maxAnswer = 16 << 10

// ask opens a tunnel. The head is read byte by byte: what follows it is the
// other end's.
func (r *route) ask(c net.Conn, target string) error {
	text := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if r.auth != "" {
		text += "Proxy-Authorization: " + r.auth + "\r\n"
	}
	if _, err := io.WriteString(c, text+"\r\n"); err != nil {
		return fmt.Errorf("write to the upstream proxy: %w", err)
	}
	var head []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(c, one); err != nil {
			return fmt.Errorf("read from the upstream proxy: %w", err)
		}
		if head = append(head, one[0]); len(head) > maxAnswer {
			return &routeError{"the answer of the proxy of the host is too long"}
		}
	}
	if len(head) < 12 || !strings.HasPrefix(string(head), "HTTP/1.") || head[8] != ' ' {
		return &routeError{"the proxy of the host does not speak HTTP"}
	}
	status := string(head[9:12])
	if strings.Trim(status, "0123456789") != "" {
		return &routeError{"the proxy of the host does not speak HTTP"}
	}
	if status[0] != '2' {
		return &routeError{"the proxy of the host answers " + status}
	}
	return nil
}
