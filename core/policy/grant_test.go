// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

func grants() []diag.Grant {
	return []diag.Grant{
		diag.NewGrant(diag.GrantWrite, "/w"), diag.NewGrant(diag.GrantShow, "/s"), diag.NewGrant(diag.GrantUnprotect, "/u"),
		diag.NewGrant(diag.GrantHost, "x.org:443"), diag.NewGrant(diag.GrantLoopback, "5432"), diag.NewGrant(diag.GrantPublish, "3000"),
		diag.NewGrant(diag.GrantUnix, "/run/s"), diag.NewGrant(diag.GrantEnv, "TOKEN"), diag.NewGrant(diag.GrantEnv, "CI=1=2"),
		diag.NewGrant(diag.GrantFD, "3"), diag.NewGrant(diag.GrantWeaker, "net.offline"), diag.NewGrant(diag.GrantLoopback, "x"),
		diag.NewGrant(diag.GrantPublish, "0"), diag.NewGrant("nonsense", "x"), {Kind: diag.GrantWrite, Value: "/w"},
	}
}

func TestGrantsInAnyOrder(t *testing.T) {
	t.Parallel()
	want := Policy{
		Version: 1, Extends: "standard", Workspace: []string{"/ws"}, AllowWeaker: []guarantee.ID{guarantee.NetOffline},
		Files: Files{Write: []string{"/w"}, Show: []string{"/s"}, Unprotect: []string{"/u"}},
		Network: Network{
			Mode: Allowlist, Allow: []string{"x.org:443"}, Loopback: []int{5432}, Publish: []int{3000}, Unix: []string{"/run/s"},
		},
		Env: Env{Pass: []string{"TOKEN"}, Set: map[string]string{"CI": "1=2"}},
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		list := grants()
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		p := Standard("/ws")
		for _, g := range list {
			p = p.With(g)
		}
		if diff := cmp.Diff(want, p, sameFields, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	}
}

func TestGrantsNameTheirFlag(t *testing.T) {
	t.Parallel()
	p := Standard("/ws")
	for _, g := range grants() {
		p = p.With(g)
	}
	want := map[string]string{
		"files.write": "--write", "files.show": "--show", "files.unprotect": "--unprotect", "network.allow": "--allow-host", "network.mode": "--allow-host",
		"network.loopback": "--allow-loopback", "network.publish": "--publish", "network.unix": "--allow-unix", "env.pass": "--env", "env.set": "--env",
		"allow-weaker": "--allow-weaker", "workspace": "program", "extends": "program",
	}
	for _, s := range p.Settings() {
		if s.Layer != "flag" {
			continue
		}
		if s.Origin.File != want[s.Name] {
			t.Errorf("%s: from %q, want %q", s.Name, s.Origin.File, want[s.Name])
		}
		delete(want, s.Name)
	}
	if len(want) != 0 {
		t.Errorf("no setting for %v", want)
	}
}

func TestWithLeavesTheOriginalAlone(t *testing.T) {
	t.Parallel()
	base := Standard("/ws").With(diag.NewGrant(diag.GrantWrite, "/a")).With(diag.NewGrant(diag.GrantEnv, "A=1"))
	one := base.With(diag.NewGrant(diag.GrantWrite, "/one")).With(diag.NewGrant(diag.GrantEnv, "A=one"))
	two := base.With(diag.NewGrant(diag.GrantWrite, "/two")).With(diag.NewGrant(diag.GrantEnv, "A=two"))
	for want, p := range map[string]Policy{"1": base, "one": one, "two": two} {
		if p.Env.Set["A"] != want || want != "1" && !slices.Contains(p.Files.Write, "/"+want) || len(p.entries("files.write")) > 2 {
			t.Errorf("%s: %v, %v", want, p.Env.Set, p.entries("files.write"))
		}
	}
}

func TestHostGrantKeepsAWiderMode(t *testing.T) {
	t.Parallel()
	p := Standard("/ws")
	p.Network.Mode = Online
	if p = p.With(diag.NewGrant(diag.GrantHost, "x.org")); p.Network.Mode != Online {
		t.Errorf("mode became %s", p.Network.Mode)
	}
}

func TestWithFlag(t *testing.T) {
	t.Parallel()
	p := flags(t, "--read-only", "extends", "read-only", "--timeout", "limits.time", "90s", "--timeout", "limits.time", "2m",
		"--memory", "limits.memory", "1MiB", "--processes", "limits.processes", "7", "--env-inherit", "env.inherit", "all")
	want := Policy{
		Version: 1, Extends: "read-only", Env: Env{Inherit: "all"}, Limits: Limits{Time: 2 * time.Minute, Memory: 1 << 20, Processes: 7},
	}
	if diff := cmp.Diff(want, p, sameFields); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, s := range p.Settings() {
		if s.Name == "limits.time" && (s.Value != "2m0s" || s.Origin.File != "--timeout") {
			t.Errorf("got %+v", s)
		}
	}
	for _, c := range []struct{ flag, setting, value, want string }{
		{"--net", "network.mode", "on", `--net: unknown value "on"; known: allowlist`},
		{"--write", "files.write", "/x/*", "--write: '/x/*' is a pattern"},
		{"--timeout", "limits.time", "5", `--timeout: invalid duration "5"; write it like "90s", "10m" or "1h30m"`},
		{"--timeout", "limits.time", "0s", "--timeout: must be more than 0"},
		{"--memory", "limits.memory", "4GB", `--memory: invalid size "4GB"; write it like "512MiB" or "4GiB"`},
		{"--processes", "limits.processes", "many", `--processes: invalid number "many"; write it like 512`},
		{"--env", "env.set", "A B=c", "--env: no variable can be called 'A B'; write NAME or NAME=VALUE, without spaces in the name"},
		{"--env", "env.pass", "A\tB", `--env: no variable can be called $'A\tB'`},
		{"--processes", "limits.processes", "-3", "--processes: must be more than 0"},
		{"--publish", "network.publish", "99999", "--publish: 99999 is no port"},
		{"--require", "require", "net", `--require: unknown guarantee "net"`},
		{"--x", "final", "network.mode", "--x: no flag sets final"},
		{"--x", "nonsense", "", "--x: no flag sets nonsense"},
	} {
		q, err := p.WithFlag(c.flag, c.setting, c.value)
		wantRefusal(t, err, diag.UsageInvalid, c.want)
		if diff := cmp.Diff(p, q, sameFields); diff != "" {
			t.Errorf("%s: changed by an error: %s", c.flag, diff)
		}
	}
}

// TestEverySettingCanBePut keeps put and values in step with settings.
func TestEverySettingCanBePut(t *testing.T) {
	t.Parallel()
	for _, s := range settings() {
		value := map[string]string{
			"require": "net.offline", "allow-weaker": "net.offline", "env.set": "A=1", "limits.time": "1m0s",
			"limits.memory": "5", "limits.processes": "5", "network.loopback": "5", "network.publish": "5",
		}[s.name]
		if value == "" {
			value = "x.y"
			if known := words(s.name); known != nil {
				value = known[1]
			}
		}
		if s.name == "final" {
			continue
		}
		p := flags(t, "--x", s.name, value)
		entries := p.entries(s.name)
		if last := entries[len(entries)-1]; last.Value != value || last.Origin.File != "--x" || last.Dir != "." {
			t.Errorf("%s: %+v", s.name, last)
		}
	}
}
