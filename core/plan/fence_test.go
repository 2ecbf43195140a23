// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

func fenceSample() *Plan {
	read := []string{"execute", "read_dir", "read_file"}
	return &Plan{
		Format: Format, Backend: "linux/landlock", OS: "linux", Arch: "amd64",
		Claims: guarantee.Set{guarantee.WriteConfined: {By: guarantee.ByKernel}},
		Steps: []Step{
			TempDir{Parent: "/home/u/.local/state/caisson/tmp"},
			Limits{Core: 1},
			Broker{Makes: true},
			Metadata{Protect: []string{"/home/u/ws/.git/hooks"}},
			Privileges{},
			Landlock{Handled: append([]string{"write_file"}, read...), Scoped: []string{"signal"}, Rules: []LandlockRule{
				{Path: "/", Access: read, Except: []string{"/dev", "/home/u/.ssh", "/tmp"}},
				{Path: "/home/u/.ssh/known_hosts", Access: []string{"read_file"}},
				{Path: "/home/u/ws", Access: append([]string{"write_file"}, read...), Dev: 1, Ino: 2},
				{Path: TmpSymbol, Access: append([]string{"write_file"}, read...)},
			}},
			Seccomp{Newest: 471, Rules: []SeccompRule{{Calls: []string{"socket"}, Action: "errno", Errno: "EAFNOSUPPORT",
				When: []SeccompCondition{{Arg: 0, Mask: 0xffffffff, Op: "==", Value: 2}}, Why: "the network is the host's"}}},
		},
	}
}

func TestFencedPlan(t *testing.T) {
	t.Parallel()
	p := fenceSample()
	text, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Error(diff)
	}
	if !p.Fenced() || sample().Fenced() || wrapSample().Fenced() || darwinSample().Fenced() {
		t.Error("a plan is taken for one without namespaces, or is not")
	}
	var b bytes.Buffer
	if err := p.Explain(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"network: none, a loopback neither", "  /home/u/ws\n", "shown:\n  /home/u/.ssh/known_hosts\n", "hidden:\n  /dev\n  /home/u/.ssh\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing:\n%s", want, b.String())
		}
	}
}

func TestFencedRefuses(t *testing.T) {
	t.Parallel()
	rule := func(r LandlockRule) func(*Plan) {
		return func(p *Plan) { p.Steps[5] = Landlock{Rules: []LandlockRule{r}} }
	}
	for _, c := range []struct {
		name   string
		change func(*Plan)
		want   string
	}{
		{"a mount", func(p *Plan) { p.Steps[2] = Bind{Path: "/x", Access: "write", Kind: "dir", Role: "root"} }, "bind, needs namespaces"},
		{"no Landlock", func(p *Plan) { p.Steps = append(p.Steps[:5:5], p.Steps[6]) }, "neither namespaces nor landlock"},
		{"no filter", func(p *Plan) { p.Steps = p.Steps[:6] }, "neither namespaces nor seccomp"},
		{"privileges", func(p *Plan) { p.Steps = append(p.Steps[:4:4], p.Steps[5:]...) }, "neither namespaces nor privileges"},
		{"a directory that is not made", func(p *Plan) { p.Steps = p.Steps[1:] }, "temp-dir"},
		{"an exception elsewhere", rule(LandlockRule{Path: "/a", Except: []string{"/ab"}}), "is not beneath"},
		{"an exception of everything", rule(LandlockRule{Path: "/", Except: []string{"/"}}), "root"},
		{"an exception of a symbol", rule(LandlockRule{Path: TmpSymbol, Except: []string{"/a"}}), "has exceptions"},
		{"a relative protected path", func(p *Plan) { p.Steps[3] = Metadata{Protect: []string{"x"}} }, "not absolute"},
		{"sockets made beside namespaces", func(p *Plan) { *p = *sample(); p.Steps = append(p.Steps[:1:1], Broker{Makes: true}) }, "makes sockets"},
	} {
		p := fenceSample()
		c.change(p)
		err := p.Validate()
		var d *diag.Diagnostic
		if !errors.As(err, &d) || d.Code != diag.PlanInvalid || !strings.Contains(d.Message, c.want) {
			t.Errorf("%s: got %v, want plan-invalid with %s", c.name, err, c.want)
		}
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	l := fenceSample().Steps[5].(Landlock)
	for _, c := range []struct {
		path, right string
		want        bool
	}{
		{"/usr/bin/x", "read_file", true}, {"/usr/bin/x", "write_file", false}, {"/dev", "read_dir", false}, {"/device", "read_dir", true},
		{"/home/u/.ssh/id", "read_file", false}, {"/home/u/.ssh/known_hosts", "read_file", true}, {"/home/u/.ssh/known_hosts", "read_dir", false},
		{"/home/u/ws/a", "write_file", true}, {"/home/u/ws", "write_file", true}, {"/home/u/wsx", "write_file", false},
	} {
		if got := l.Allows(c.path, c.right); got != c.want {
			t.Errorf("%s of %s: %v", c.right, c.path, got)
		}
	}
	if over := l.ExceptOver("/tmp/a/b"); over != "/tmp" {
		t.Errorf("/tmp/a/b lies in %q", over)
	}
}
