// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

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
