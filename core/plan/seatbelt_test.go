// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

const sampleProfile = "(version 1)\n(deny default)\n(allow file-write* (subpath (param \"TMP\")))\n"

// darwinSample is a plan with every step that the launcher of macOS knows.
func darwinSample() *Plan {
	return &Plan{
		Format: Format, Backend: "darwin/seatbelt", OS: "darwin", Arch: "arm64",
		Claims: guarantee.Set{guarantee.WriteConfined: {By: guarantee.ByKernel, Note: "MODELLED"}},
		Steps: []Step{
			TempDir{Parent: "/private/var/folders/zz/me/T/caisson"},
			Watch{Report: []string{"/w/.gitmodules"}},
			Limits{Milliseconds: 1},
			ProcessGroup{Own: true},
			Seatbelt{
				Profile: sampleProfile, Network: "ports", Ports: []int{5432}, Write: []string{"/w"}, Protect: []string{"/w/.git/hooks"},
				Absent: []string{"/w/.mcp.json"}, Show: []string{"/h/.ssh/known_hosts"}, Hide: []string{"/h/.ssh"}, Private: []string{"/private/tmp"},
			},
		},
		Env: []EnvEdit{{Name: "CAISSON", Value: "1"}},
	}
}

func TestDarwinGolden(t *testing.T) {
	t.Parallel()
	golden(t, darwinSample(), "darwin.json", "darwin-explain.golden")
}

func TestDarwinRefuses(t *testing.T) {
	t.Parallel()
	seatbelt := func(change func(*Seatbelt)) func(*Plan) {
		return func(p *Plan) {
			s := p.Steps[4].(Seatbelt)
			change(&s)
			p.Steps[4] = s
		}
	}
	for _, c := range []struct {
		name   string
		change func(*Plan)
		want   string
	}{
		{"a step of another system", func(p *Plan) { p.Steps = append([]Step{ReadOnlyRoot{}}, p.Steps...) }, "read-only-root, is unknown on darwin"},
		{"no profile", func(p *Plan) { p.Steps = p.Steps[:4] }, "no seatbelt"},
		{"a profile on Linux", func(p *Plan) { p.OS = "linux" }, "seatbelt, is unknown on linux"},
		{"two profiles", func(p *Plan) { p.Steps = append(p.Steps, p.Steps[4]) }, "once"},
		{"a profile that allows by default", seatbelt(func(s *Seatbelt) { s.Profile = "(version 1)\n(allow default)\n" }), "denying everything"},
		{"a profile with NUL", seatbelt(func(s *Seatbelt) { s.Profile += "\x00" }), "no text"},
		{"an endless profile", seatbelt(func(s *Seatbelt) { s.Profile += strings.Repeat(" ", maxProfile) }), "too long"},
		{"a parameter without a directory", func(p *Plan) { p.Steps = p.Steps[1:] }, "do not agree"},
		{"a directory without a parameter", seatbelt(func(s *Seatbelt) { s.Profile = "(version 1)\n(deny default)\n" }), "do not agree"},
		{"a network of no kind", seatbelt(func(s *Seatbelt) { s.Network = "some" }), `"some"`},
		{"ports that do not count", seatbelt(func(s *Seatbelt) { s.Network = "none" }), "1 ports"},
		{"a proxy without its parameter", seatbelt(func(s *Seatbelt) { s.Network = "proxy" }), "otherwise"},
		{"a parameter without a proxy", seatbelt(func(s *Seatbelt) { s.Profile += "(allow network-outbound (remote ip (param \"PROXY\")))\n" }), "otherwise"},
		{"no port", seatbelt(func(s *Seatbelt) { s.Ports = []int{0} }), "port 0"},
		{"a relative path", seatbelt(func(s *Seatbelt) { s.Hide = []string{"x"} }), `"x"`},
		{"the root for temporary files", func(p *Plan) { p.Steps[0] = TempDir{Parent: "/"} }, "root"},
	} {
		p := darwinSample()
		c.change(p)
		err := p.Validate()
		var d *diag.Diagnostic
		if !errors.As(err, &d) || d.Code != diag.PlanInvalid || !strings.Contains(d.Message, c.want) {
			t.Errorf("%s: got %v, want plan-invalid with %s", c.name, err, c.want)
		}
	}
}

// TestProxyExplained is about a network that only plans with a proxy have.
func TestProxyExplained(t *testing.T) {
	t.Parallel()
	for ports, want := range map[int]string{0: "what caisson's proxy lets through", 5432: "what caisson's proxy lets through, and these ports of the host's loopback: 5432"} {
		p := darwinSample()
		s := p.Steps[4].(Seatbelt)
		s.Network, s.Ports, s.Profile = "proxy", nil, s.Profile+"(allow network-outbound (remote ip (param \"PROXY\")))\n"
		if ports > 0 {
			s.Ports = []int{ports}
		}
		p.Steps[4] = s
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := p.Explain(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), "network: "+want+"\n") {
			t.Errorf("explained as %s, want %q", &text, want)
		}
	}
}

func TestPrivateOver(t *testing.T) {
	t.Parallel()
	s := Seatbelt{Private: []string{"/private/tmp"}, Write: []string{"/private/tmp/x/ws", "/w"}}
	for path, want := range map[string]string{
		"/private/tmp": "/private/tmp", "/private/tmp/a": "/private/tmp", "/PRIVATE/tmp/a": "/private/tmp", "/private/tmp/x": "/private/tmp",
		"/private/tmp/x/ws": "", "/private/tmp/x/ws/a": "", "/private/tmpx": "", "/w": "", "/etc": "",
	} {
		if got := s.PrivateOver(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
