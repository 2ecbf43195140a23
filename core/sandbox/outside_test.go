// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// outside is a sandbox of macOS that is not launched, which needs a Mac: its
// proxy serves what the list says.
func outside(t *testing.T, network string, list ...string) (*Sandbox, int) {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"format": 1, "os": "darwin", "home": "/Users/u", "workspace": []string{"/Users/u/w"},
		"rules":   []policy.Rule{{Path: "/Users/u/w", Access: policy.Write, Kind: policy.KindDir, Root: true, Origin: policy.Origin{File: "standard"}}},
		"network": policy.Network{Mode: policy.Allowlist, Allow: list},
		"env":     map[string]any{"inherit": "clean", "set": map[string]string{"ALL_PROXY": "mine"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := policy.DecodeResolved(text)
	if err != nil {
		t.Fatal(err)
	}
	made := &plan.Plan{OS: "darwin", Env: []plan.EnvEdit{{Name: "CAISSON", Value: "1"}}, Steps: []plan.Step{plan.ProcessGroup{Own: true}, plan.Seatbelt{Network: network}}}
	s := &Sandbox{prepared: &Prepared{Resolved: r, Plan: made, options: Options{Environ: []string{}}}, denied: newDenials(nil)}
	port, err := s.serveOutside()
	if err != nil {
		t.Fatal(err)
	}
	if s.egress != nil {
		t.Cleanup(s.egress.Close)
	}
	return s, port
}

// variable is what commands of a sandbox have in a variable.
func variable(s *Sandbox, name string) string {
	value := ""
	for _, e := range s.edited([]string{"HTTP_PROXY=http://of.the.caller"}) {
		if n, v, _ := strings.Cut(e, "="); n == name {
			value = v
		}
	}
	return value
}

// through asks for an address through a proxy and returns the status.
func through(t *testing.T, proxy, address string) int {
	t.Helper()
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(u)}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport}).Get(address)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	return r.StatusCode
}

// TestServeOutside: on the host's loopback the proxy serves who was told its
// password, what the list says, and nobody else, at every address of the port
// that the profile allows.
func TestServeOutside(t *testing.T) {
	t.Parallel()
	listed := httptest.NewServer(http.NotFoundHandler())
	defer listed.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	allow := strings.TrimPrefix(listed.URL, "http://")
	s, port := outside(t, "proxy", allow)
	second, secondPort := outside(t, "proxy", allow)
	proxy, proxy2 := variable(s, "HTTP_PROXY"), variable(second, "HTTP_PROXY")
	u, err := url.Parse(proxy)
	if err != nil || u.Host != fmt.Sprintf("127.0.0.1:%d", port) || port == secondPort {
		t.Fatalf("%s at %d, %v; another at %d", proxy, port, err, secondPort)
	}
	password, _ := u.User.Password()
	password2, _ := url.Parse(proxy2)
	if len(password) < 20 || password2.User.String() == u.User.String() {
		t.Errorf("passwords %q and %q", u.User, password2.User)
	}
	if variable(s, "ALL_PROXY") != "" || variable(s, "CAISSON") != "1" {
		t.Errorf("ALL_PROXY is %q, which the policy sets itself; CAISSON is %q", variable(s, "ALL_PROXY"), variable(s, "CAISSON"))
	}
	bare, strange := *u, *u
	bare.User, strange.User = nil, password2.User
	for _, c := range []struct {
		name, proxy, address string
		status               int
	}{
		{"its commands, what is listed", proxy, listed.URL, 404},
		{"its commands, another server", proxy, other.URL, 403},
		{"no password", bare.String(), listed.URL, 407},
		{"the password of another sandbox", strange.String(), listed.URL, 407},
	} {
		if got := through(t, c.proxy, c.address); got != c.status {
			t.Errorf("%s: status %d, want %d", c.name, got, c.status)
		}
	}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		l.Close()
		bare.Host = fmt.Sprintf("[::1]:%d", port)
		if got := through(t, bare.String(), listed.URL); got != 407 {
			t.Errorf("at ::1 without a password: status %d", got)
		}
	}
}

// TestServeOutsideOnlyWhereAsked: a plan without a proxy gets none, and no
// variable that names one.
func TestServeOutsideOnlyWhereAsked(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"none", "ports", "host"} {
		if s, port := outside(t, network, "*"); port != 0 || s.egress != nil || variable(s, "HTTPS_PROXY") != "" {
			t.Errorf("%s: port %d, proxy %v, HTTPS_PROXY %q", network, port, s.egress != nil, variable(s, "HTTPS_PROXY"))
		}
	}
}

// onWindows is a sandbox of Windows that is not launched, whose commands reach the
// proxy at the port of their account where the pool is that of the proxy.
func onWindows(t *testing.T, pool string, list ...string) *Sandbox {
	t.Helper()
	s, _ := outside(t, "none", list...)
	s.prepared.Plan = &plan.Plan{OS: "windows", Env: s.prepared.Plan.Env, Windows: &plan.Windows{Account: &plan.WindowsAccount{Pool: pool}}}
	return s
}

// freePort gives a port of 127.0.0.1 that nobody has, and that the system hands
// out to nobody else meanwhile.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(10000)
		l, err := net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("no port is free")
	return 0
}

// TestServeAt: at the port that setup gave the account the proxy serves who was
// told its password, and who was told another sandbox's gets nothing.
func TestServeAt(t *testing.T) {
	t.Parallel()
	listed := httptest.NewServer(http.NotFoundHandler())
	defer listed.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	var proxies []*url.URL
	for range 2 {
		s := onWindows(t, plan.PoolProxy, strings.TrimPrefix(listed.URL, "http://"))
		if port, err := s.serveOutside(); port != 0 || err != nil || s.egress != nil || !s.prepared.proxyOutside() {
			t.Fatalf("before the port is known the proxy listens at %d, %v", port, err)
		}
		port := freePort(t)
		if err := s.serveAt(port); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.egress.Close)
		u, err := url.Parse(variable(s, "HTTP_PROXY"))
		if err != nil || u.Host != fmt.Sprintf("127.0.0.1:%d", port) {
			t.Fatalf("%s, %v, want port %d", u, err, port)
		}
		proxies = append(proxies, u)
	}
	bare, strange := *proxies[0], *proxies[0]
	bare.User, strange.User = nil, proxies[1].User
	for _, c := range []struct {
		name, proxy, address string
		status               int
	}{
		{"its commands, what is listed", proxies[0].String(), listed.URL, 404},
		{"its commands, another server", proxies[0].String(), other.URL, 403},
		{"no password", bare.String(), listed.URL, 407},
		{"the password of another sandbox", strange.String(), listed.URL, 407},
	} {
		if got := through(t, c.proxy, c.address); got != c.status {
			t.Errorf("%s: status %d, want %d", c.name, got, c.status)
		}
	}
}

// TestServeAtTaken: where another program has the port nothing is served, and no
// variable leads to that program.
func TestServeAtTaken(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"127.0.0.1", "0.0.0.0"} {
		port := freePort(t)
		thief, err := net.Listen("tcp4", fmt.Sprintf("%s:%d", at, port))
		if err != nil {
			t.Fatal(err)
		}
		s := onWindows(t, plan.PoolProxy, "*")
		d, _ := errors.AsType[*diag.Diagnostic](s.serveAt(port))
		if d == nil || d.Code != diag.LaunchFailed || !strings.Contains(d.Message, fmt.Sprint(port)) || d.Remedy == "" {
			t.Errorf("%s is taken: %v", at, d)
		}
		if s.egress != nil || variable(s, "HTTPS_PROXY") != "" || variable(s, "http_proxy") != "" {
			t.Errorf("%s is taken, and commands are told of it", at)
		}
		if err := thief.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.serveAt(port); err != nil {
			t.Errorf("once it is free: %v", err)
			continue
		}
		if l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			t.Error("another program has the port beside the proxy")
		}
		s.egress.Close()
		if l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
			t.Errorf("the port is not given up: %v", err)
		} else {
			l.Close()
		}
	}
}

// TestServeAtOnlyWhereAsked: the other pools of Windows lead to no proxy.
func TestServeAtOnlyWhereAsked(t *testing.T) {
	t.Parallel()
	for _, pool := range []string{plan.PoolOffline, plan.PoolOnline} {
		s := onWindows(t, pool, "*")
		if port, err := s.serveOutside(); port != 0 || err != nil || s.egress != nil || s.prepared.proxyOutside() {
			t.Errorf("%s: port %d, %v", pool, port, err)
		}
	}
}
