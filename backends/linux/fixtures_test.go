// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// userFacts are those of an ordinary desktop and an ordinary user.
func userFacts() Facts {
	return Facts{
		Format: factsFormat, Kernel: "6.12.0", Arch: "amd64", UID: 1000, GID: 1000, Memory: 16 << 30,
		Landlock: 6, Notify: true, Temp: []string{"/tmp", "/var/tmp"},
		Run: []Entry{
			{Path: "/run", Kind: "dir"},
			{Path: "/run/shm", Kind: "symlink", Target: "/dev/shm"},
			{Path: "/run/systemd/resolve", Kind: "dir"},
		},
		Mounts: []string{
			"20 1 8:1 / / rw - ext4 /dev/sda1",
			"21 20 0:20 / /proc rw - proc proc",
			"22 20 0:21 / /sys rw - sysfs sysfs",
			"23 20 0:6 / /dev rw - devtmpfs udev",
			"24 21 0:30 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1",
			"25 22 0:7 / /sys/kernel/debug rw - debugfs debugfs",
			"26 20 0:22 / /run rw - tmpfs tmpfs",
		},
		FileMounts: []string{},
		Trial:      Trial{OK: true},
	}
}

func rootFacts() Facts {
	f := userFacts()
	f.UID, f.GID = 0, 0
	return f
}

// policyText is the canonical form of a Resolved, as a test writes it.
type policyText struct {
	Format      int            `json:"format"`
	OS          string         `json:"os"`
	Home        string         `json:"home"`
	Workspace   []string       `json:"workspace"`
	Rules       []policy.Rule  `json:"rules"`
	Network     policy.Network `json:"network"`
	Env         policy.Env     `json:"env"`
	CacheDir    string         `json:"cache_dir,omitempty"`
	Tmp         string         `json:"tmp,omitempty"`
	Limits      map[string]any `json:"limits,omitempty"`
	Require     []guarantee.ID `json:"require"`
	AllowWeaker []guarantee.ID `json:"allow_weaker,omitempty"`
	GitDirs     []string       `json:"git_dirs,omitempty"`
}

func resolved(t testing.TB, change func(*policyText), rules ...policy.Rule) *policy.Resolved {
	t.Helper()
	slices.SortFunc(rules, func(a, b policy.Rule) int { return comparePaths(a.Path, b.Path) })
	text := policyText{
		Format: 1, OS: "linux", Home: "/home/u", Workspace: []string{"/home/u/ws"}, Rules: append([]policy.Rule{}, rules...),
		Network: policy.Network{Mode: policy.Offline}, Env: policy.Env{Inherit: "clean"}, Require: guarantee.Standard(),
	}
	if change != nil {
		change(&text)
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

func root(name string) policy.Rule {
	return policy.Rule{Path: name, Access: policy.Write, Kind: policy.KindDir, Root: true, Dev: 8<<8 | 1, Ino: 42}
}

func rule(a policy.Access, kind policy.Kind, name string) policy.Rule {
	return policy.Rule{Path: name, Access: a, Kind: kind}
}

func held(h policy.Hold, name string) policy.Rule {
	r := policy.Rule{Path: name, Access: policy.Read, Kind: policy.KindAbsent, Hold: h}
	if h == policy.HoldFile {
		r.Content = ".\n"
	}
	return r
}

// checkout are the rules of a workspace that is a git repository.
func checkout(ws string) []policy.Rule {
	return []policy.Rule{
		root(ws),
		rule(policy.Read, policy.KindFile, ws+"/.git/config"),
		rule(policy.Read, policy.KindDir, ws+"/.git/hooks"),
		held(policy.HoldFile, ws+"/.git/commondir"),
		held(policy.HoldDir, ws+"/.mcp.json"),
		held(policy.HoldQuarantine, ws+"/.envrc"),
		held(policy.HoldReport, ws+"/.gitmodules"),
	}
}

func compiled(t testing.TB, f Facts, r *policy.Resolved) *plan.Plan {
	t.Helper()
	p, err := compile(f, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Fatalf("the plan is invalid: %v\n%s", err, render(p))
	}
	return p
}

// render prints a plan with one line for each step. The system call rules have
// a test of their own; here only what is asked of the supervisor is printed.
func render(p *plan.Plan) string {
	var b strings.Builder
	for _, step := range p.Steps {
		if s, ok := step.(plan.Seccomp); ok {
			for _, r := range s.Rules {
				if r.Action == "notify" {
					fmt.Fprintf(&b, "seccomp notify %s\n", strings.Join(r.Calls, " "))
				}
			}
			continue
		}
		fmt.Fprintln(&b, step.Name(), line(step))
	}
	for _, e := range p.Env {
		fmt.Fprintf(&b, "env %s=%s\n", e.Name, e.Value)
	}
	for _, id := range p.Claims.IDs() {
		fmt.Fprintln(&b, "claim", id, line(p.Claims[id]))
	}
	for _, u := range p.Unmet {
		fmt.Fprintln(&b, "unmet", line(u))
	}
	for _, n := range p.Notes {
		fmt.Fprintln(&b, "note", line(n))
	}
	return b.String()
}

func line(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
