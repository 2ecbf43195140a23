// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

var update = flag.Bool("update", false, "write the golden files")

// desktop is a host of the usual kind.
func desktop() facts {
	return facts{
		Format: factsFormat, Arch: "amd64", Path: "/usr/bin/bwrap", Works: true, Notify: true, Proc: []string{"keys"}, Temp: []string{"/tmp", "/var/tmp"},
		Mounts: parseMounts("20 1 8:1 / / rw - ext4 /dev/sda1\n21 20 0:20 / /proc rw - proc proc\n24 21 0:30 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1\n26 20 0:22 / /run rw - tmpfs tmpfs\n27 20 8:2 / /home rw shared:1 - ext4 /dev/sda2\n"),
	}
}

// resolved is a policy, of which rules and other members are changed.
func resolved(t *testing.T, change func(map[string]any)) *policy.Resolved {
	t.Helper()
	rule := func(path string, access policy.Access, kind policy.Kind, more ...any) policy.Rule {
		r := policy.Rule{Path: path, Access: access, Kind: kind, Origin: policy.Origin{File: "standard"}}
		for _, m := range more {
			switch m := m.(type) {
			case policy.Hold:
				r.Hold = m
			case bool:
				r.Root = m
			case string:
				r.Content = m
			}
		}
		return r
	}
	text := map[string]any{
		"format": 1, "os": "linux", "home": "/home/u", "workspace": []string{"/home/u/w"},
		"rules": []policy.Rule{
			rule("/etc/shadow", policy.Hidden, policy.KindFile),
			rule("/home/u/.local/state/caisson", policy.Hidden, policy.KindDir),
			rule("/home/u/.local/state/caisson/caches/1", policy.Write, policy.KindAbsent),
			rule("/home/u/.ssh", policy.Hidden, policy.KindDir),
			rule("/home/u/.ssh/known_hosts", policy.Read, policy.KindFile),
			rule("/home/u/missing", policy.Hidden, policy.KindAbsent),
			rule("/home/u/w", policy.Write, policy.KindDir, true),
			rule("/home/u/w/.envrc", policy.Read, policy.KindAbsent, policy.HoldQuarantine),
			rule("/home/u/w/.git/commondir", policy.Read, policy.KindAbsent, policy.HoldFile, ".\n"),
			rule("/home/u/w/.git/hooks", policy.Read, policy.KindDir),
			rule("/home/u/w/.gitmodules", policy.Read, policy.KindAbsent, policy.HoldReport),
			rule("/home/u/w/.mcp.json", policy.Read, policy.KindAbsent, policy.HoldDir),
			rule("/home/u/w/a", policy.Hidden, policy.KindDir),
			rule("/home/u/w/a/b/c", policy.Read, policy.KindDir),
			rule("/home/u/w/sub/.git", policy.Read, policy.KindAbsent, policy.HoldLink, "/proc/held"),
		},
		"network":   map[string]any{"mode": "offline"},
		"env":       map[string]any{"inherit": "clean", "set": map[string]string{"TMP": "/elsewhere"}},
		"cache_dir": "/home/u/.local/state/caisson/caches/1",
		"require":   guarantee.Standard(), "git_dirs": []string{"/home/u/w/.git"}, "own": []string{"/home/u/.local/state/caisson"},
	}
	if change != nil {
		change(text)
	}
	raw, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := policy.DecodeResolved(raw)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func prepare(t *testing.T, f facts, r *policy.Resolved) (*plan.Plan, error) {
	t.Helper()
	raw, err := f.encode()
	if err != nil {
		t.Fatal(err)
	}
	return bubblewrap{}.Prepare(t.Context(), backend.Request{Policy: r, Facts: raw})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		facts  func(*facts)
		change func(map[string]any)
	}{
		{"standard", nil, nil},
		{"online", nil, func(m map[string]any) { m["network"] = map[string]any{"mode": "online"} }},
		{"tmp-dir", nil, func(m map[string]any) { m["tmp"] = "/home/u/t" }},
		{"missing", func(f *facts) { f.Path, f.Works, f.Message = "", false, "bubblewrap is not installed" }, nil},
		{"aliased", func(f *facts) {
			f.Mounts = append(f.Mounts, mount{"/mnt/homes", "8:2", "/", "ext4"}, mount{"/n", "0:50", "/", "nfs4"})
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := desktop()
			if c.facts != nil {
				c.facts(&f)
			}
			p, err := prepare(t, f, resolved(t, c.change))
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			got := words(t, p)
			file := filepath.Join("testdata", c.name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(file); err != nil || string(want) != got {
				t.Errorf("differs from %s (%v):\n%s", file, err, got)
			}
		})
	}
}

// words writes what matters of a plan one thing a line.
func words(t *testing.T, p *plan.Plan) string {
	t.Helper()
	var b strings.Builder
	for _, s := range p.Steps {
		if f, ok := s.(plan.Seccomp); ok { // whose rules are backends/linux's
			first, last := f.Rules[0], f.Rules[len(f.Rules)-1]
			fmt.Fprintf(&b, "seccomp from %v %s%s to %v %s\n", first.Calls, first.Action, first.Errno, last.Calls, last.Action)
			continue
		}
		if w, ok := s.(plan.Wrap); ok {
			b.WriteString(w.Programs[0].Path)
			for _, a := range w.Programs[0].Args {
				if strings.HasPrefix(a, "--") {
					b.WriteString("\n ")
				}
				b.WriteString(" " + a)
			}
			b.WriteString("\n")
			continue
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(s.Name() + " " + string(text) + "\n")
	}
	for _, e := range p.Env {
		b.WriteString("env " + e.Name + "=" + e.Value + "\n")
	}
	for _, id := range p.Claims.IDs() {
		b.WriteString("claims " + string(id) + " by " + string(p.Claims[id].By) + "\n")
	}
	for _, u := range p.Unmet {
		b.WriteString("lacks " + string(u.ID) + ": " + u.Reason + "\n")
	}
	for _, n := range p.Notes {
		b.WriteString("note " + n.String() + "\n")
	}
	return b.String()
}

// TestOrder: nothing is mounted before what it lies in, or it would be covered
// by it.
func TestOrder(t *testing.T) {
	t.Parallel()
	p, err := prepare(t, desktop(), resolved(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	wrap, _ := p.Wrapped()
	var seen []string
	for i, a := range wrap.Programs[0].Args {
		if !slices.Contains([]string{"--bind", "--ro-bind", "--tmpfs"}, a) {
			continue
		}
		at := wrap.Programs[0].Args[i+2]
		if a == "--tmpfs" {
			at = wrap.Programs[0].Args[i+1]
		}
		for _, earlier := range seen {
			if earlier != at && within(at, earlier) {
				t.Errorf("%s is mounted after %s, which lies in it", at, earlier)
			}
		}
		seen = append(seen, at)
	}
	if len(seen) < 10 {
		t.Errorf("only %q", seen)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(map[string]any){
		"a socket": func(m map[string]any) {
			m["network"] = map[string]any{"mode": "online", "unix": []string{"/run/x.sock"}}
		},
		"a port":         func(m map[string]any) { m["network"] = map[string]any{"mode": "offline", "publish": []int{80}} },
		"another system": func(m map[string]any) { m["os"] = "darwin" },
	} {
		_, err := prepare(t, desktop(), resolved(t, change))
		if d, ok := errors.AsType[*diag.Diagnostic](err); !ok || d.Code != diag.ModeUnsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := resolved(t, nil)
	for _, raw := range []string{"", "{}", `{"format":2}`, `{"format":1,"more":1}`, `{"format":1}x`} {
		if _, err := (bubblewrap{}).Prepare(t.Context(), backend.Request{Policy: r, Facts: []byte(raw)}); err == nil {
			t.Errorf("facts %q are taken", raw)
		}
	}
}

// TestClaims: what the host or the policy takes away is not claimed, with the
// reason.
func TestClaims(t *testing.T) {
	t.Parallel()
	link := func(access policy.Access) func(map[string]any) {
		return func(m map[string]any) {
			m["rules"] = append(m["rules"].([]policy.Rule), policy.Rule{Path: "/home/u/w/z", Access: access, Kind: policy.KindSymlink})
		}
	}
	for _, c := range []struct {
		name   string
		lost   guarantee.ID
		facts  func(*facts)
		change func(map[string]any)
	}{
		{"a hidden link", guarantee.ReadHidden, nil, link(policy.Hidden)},
		{"a protected link", guarantee.WriteProtected, nil, link(policy.Read)},
		{"a second mount", guarantee.ReadHidden, func(f *facts) { f.Mounts = append(f.Mounts, mount{"/mnt", "8:2", "/u", "ext4"}) }, nil},
		{"autofs", guarantee.NetOffline, func(f *facts) { f.Mounts = append(f.Mounts, mount{"/net", "0:40", "/", "autofs"}) }, nil},
		{"no temporary directory", guarantee.TmpPrivate, func(f *facts) { f.Temp = nil }, nil},
		{"no bubblewrap", guarantee.WriteConfined, func(f *facts) { f.Works, f.Path, f.Message = false, "", "it is not installed" }, nil},
	} {
		f := desktop()
		whole, err := prepare(t, f, resolved(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		if c.facts != nil {
			c.facts(&f)
		}
		p, err := prepare(t, f, resolved(t, c.change))
		if err != nil {
			t.Fatal(err)
		}
		if _, before := whole.Claims[c.lost]; !before {
			t.Errorf("%s: %s is not claimed in the first place", c.name, c.lost)
		}
		i := slices.IndexFunc(p.Unmet, func(u plan.Unmet) bool { return u.ID == c.lost })
		if _, claimed := p.Claims[c.lost]; claimed || i < 0 || p.Unmet[i].Reason == "" {
			t.Errorf("%s: claims %v, unmet %+v", c.name, p.Claims.IDs(), p.Unmet)
		}
		if offered, _ := offers(f); len(p.Claims.Within(offered)) > 0 {
			t.Errorf("%s: %q is claimed beyond what is offered", c.name, p.Claims.Within(offered))
		}
	}
}

func FuzzPrepare(f *testing.F) {
	raw, err := desktop().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw), "/home/u/x")
	f.Fuzz(func(t *testing.T, raw, name string) {
		d, err := decodeFacts([]byte(raw))
		if err != nil {
			return
		}
		_ = d.aliased(name)
		r := resolved(t, nil)
		p, err := compile(d, r)
		if err != nil {
			return
		}
		if offered, _ := offers(d); len(p.Claims.Within(offered)) > 0 {
			t.Errorf("%q is claimed beyond what is offered", p.Claims.Within(offered))
		}
	})
}

func FuzzMounts(f *testing.F) {
	f.Add("20 1 8:1 / / rw - ext4 /dev/sda1\n27 20 8:2 /a\\040b /home rw shared:1 - ext4 x\n", "/home/u")
	f.Fuzz(func(t *testing.T, text, name string) {
		d := facts{Mounts: parseMounts(text)}
		if m, ok := d.at(name); ok && !within(m.Point, name) {
			t.Errorf("%q does not lie in %q", name, m.Point)
		}
		_, _, _ = d.aliased(name), d.served(), d.automounts()
	})
}
