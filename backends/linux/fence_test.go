// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// fenceFactsOf are those of a host without user namespaces.
func fenceFactsOf(f Facts) Facts {
	f.Trial = Trial{Step: "namespaces", Errno: "ENOSPC"}
	f.Hints = &Hints{MaxUserNamespaces: 0}
	f.Fence = &Fence{GetFD: true, Keys: true, Parent: "/home/u/.local/state/caisson/tmp", Trial: Trial{OK: true}}
	return f
}

// containerFacts are those of a default container: as root, its keys masked.
func containerFacts() Facts {
	f := fenceFactsOf(rootFacts())
	f.Fence.GetFD, f.Fence.Keys = false, false
	f.Trial, f.Hints = Trial{Step: "namespaces", Errno: "EPERM"}, &Hints{MaxUserNamespaces: -1, Container: "docker"}
	return f
}

// withGroup are facts of a host that delegates a control group to the user.
func withGroup(f Facts) Facts {
	f.Cgroup = &Cgroup{Dir: "/sys/fs/cgroup/user", Memory: true, Pids: true}
	return f
}

// limited asks for limits of what the standard policy leaves free.
func limited(p *policyText) {
	p.Limits = map[string]any{"memory": 1 << 30, "processes": 64}
	p.Require = append(p.Require, guarantee.LimitMemory, guarantee.LimitProcesses)
}

func TestGoldenFencedPlans(t *testing.T) {
	t.Parallel()
	secrets := []policy.Rule{
		rule(policy.Hidden, policy.KindDir, "/home/u/.ssh"),
		rule(policy.Read, policy.KindFile, "/home/u/.ssh/known_hosts"),
		rule(policy.Hidden, policy.KindFile, "/home/u/.netrc"),
		{Path: "/home/u/.local/state/caisson", Access: policy.Hidden, Kind: policy.KindAbsent, Origin: policy.Origin{Set: "@caisson"}},
		{Path: "/home/u/.local/state/caisson/caches/1", Access: policy.Write, Kind: policy.KindAbsent, Origin: policy.Origin{Set: "@caisson"}},
	}
	cached := func(p *policyText) { p.CacheDir = "/home/u/.local/state/caisson/caches/1" }
	old := fenceFactsOf(userFacts())
	old.Landlock = 2
	blind := fenceFactsOf(userFacts())
	blind.Notify, blind.Fence.GetFD = false, false
	for _, c := range []struct {
		name  string
		facts Facts
		rules []policy.Rule
		edit  func(*policyText)
	}{
		{"fence-checkout", fenceFactsOf(userFacts()), append(checkout("/home/u/ws"), secrets...), cached},
		{"fence-container", containerFacts(), append(checkout("/home/u/ws"), secrets...), nil},
		{"fence-old-kernel", old, checkout("/home/u/ws"), nil},
		{"fence-no-notify", blind, checkout("/home/u/ws"), nil},
		{"fence-online", fenceFactsOf(userFacts()), checkout("/home/u/ws"), func(p *policyText) { p.Network = policy.Network{Mode: policy.Online} }},
		{"fence-container-online", containerFacts(), []policy.Rule{root("/w")}, func(p *policyText) { p.Network = policy.Network{Mode: policy.Online} }},
		{"fence-tmp-dir", fenceFactsOf(userFacts()), []policy.Rule{root("/home/u/ws"), root("/tmp/scratch")}, func(p *policyText) { p.Tmp = "/tmp/scratch" }},
		{"fence-read-only", fenceFactsOf(userFacts()), secrets[:3], nil},
		{"fence-limits", withGroup(fenceFactsOf(userFacts())), []policy.Rule{root("/home/u/ws")}, limited},
		{"fence-terminals", fenceFactsOf(userFacts()), []policy.Rule{root("/home/u/ws")}, func(p *policyText) { p.AllowWeaker = []guarantee.ID{guarantee.TTYNoInject} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := compileFence(c.facts, resolved(t, c.edit, c.rules...))
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			if over := p.Claims.Within(fenceOffers(c.facts)); len(over) > 0 {
				t.Errorf("claims beyond the offers: %v", over)
			}
			for i, s := range p.Steps {
				if f, ok := s.(plan.Seccomp); ok { // has a golden file of its own
					f.Rules = nil
					p.Steps[i] = f
				}
			}
			raw, err := plan.Encode(p)
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(v, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, c.name, string(append(got, '\n')))
		})
	}
}

// TestFenceClaims: what each host and policy loses without namespaces, each
// with a reason, a remedy and a grant.
func TestFenceClaims(t *testing.T) {
	t.Parallel()
	checked := func(f Facts, edit func(*policyText), rules ...policy.Rule) *plan.Plan {
		p, err := compileFence(f, resolved(t, edit, rules...))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	online := func(p *policyText) { p.Network = policy.Network{Mode: policy.Online} }
	old := fenceFactsOf(userFacts())
	old.Landlock = 5
	broken := fenceFactsOf(userFacts())
	broken.Fence.Trial = Trial{Message: "step landlock: EPERM"}
	keyless := fenceFactsOf(userFacts())
	keyless.Fence.Keys = false
	for _, c := range []struct {
		name string
		plan *plan.Plan
		lost []guarantee.ID
		says string // of the first one
	}{
		{"nothing protected", checked(keyless, nil, root("/home/u/ws")), nil, ""},
		{"keys are listed", checked(fenceFactsOf(userFacts()), nil, root("/home/u/ws")), []guarantee.ID{guarantee.IPCConfined}, "/proc/keys"},
		{"a checkout", checked(keyless, nil, checkout("/home/u/ws")...), []guarantee.ID{guarantee.WriteProtected}, "Landlock cannot except /home/u/ws/.git"},
		{"protected beside", checked(keyless, nil, root("/home/u/ws"), rule(policy.Read, policy.KindDir, "/home/u/wsx")), nil, ""},
		{"hidden inside", checked(keyless, nil, root("/home/u/ws"), rule(policy.Hidden, policy.KindFile, "/home/u/ws/.env")), []guarantee.ID{guarantee.ReadHidden}, "/home/u/ws/.env"},
		{"an older kernel", checked(func() Facts { f := old; f.Fence = keyless.Fence; return f }(), nil, root("/home/u/ws")),
			[]guarantee.ID{guarantee.OutsideUntouchable, guarantee.TreeKilled}, "ABI 6"},
		{"a container", checked(containerFacts(), nil, root("/w")), []guarantee.ID{guarantee.DeviceDenied}, "root owns the device nodes"},
		{"online", checked(keyless, online, root("/home/u/ws")), []guarantee.ID{guarantee.NetOffline}, "the host's network"},
		{"online in a container", checked(containerFacts(), online, root("/w")), []guarantee.ID{guarantee.DeviceDenied, guarantee.NetOffline}, ""},
		{"online in a container, with unix sockets", checked(containerFacts(), func(p *policyText) {
			online(p)
			p.AllowWeaker = []guarantee.ID{guarantee.UnixConfined}
		}, root("/w")), []guarantee.ID{guarantee.DeviceDenied, guarantee.NetOffline, guarantee.UnixConfined}, ""},
		{"a shared /tmp", checked(keyless, nil, root("/tmp")), []guarantee.ID{guarantee.TmpPrivate}, "/tmp"},
		{"limits", checked(withGroup(keyless), limited, root("/w")), nil, ""},
		{"limits without a group", checked(keyless, limited, root("/w")), []guarantee.ID{guarantee.LimitMemory, guarantee.LimitProcesses}, "control group"},
		{"terminals", checked(keyless, func(p *policyText) { p.AllowWeaker = []guarantee.ID{guarantee.TTYNoInject} }, root("/w")), []guarantee.ID{guarantee.TTYNoInject}, "pseudoterminals"},
		{"it does not work", checked(broken, nil, root("/w")), guarantee.Standard(), "step landlock: EPERM"},
	} {
		var lost []guarantee.ID
		for _, u := range c.plan.Unmet {
			lost = append(lost, u.ID)
			if u.Reason == "" || u.Grant == nil && c.name != "it does not work" {
				t.Errorf("%s: %s has no reason or grant", c.name, u.ID)
			}
		}
		slices.Sort(lost)
		want := slices.Sorted(slices.Values(c.lost))
		if !slices.Equal(lost, want) {
			t.Errorf("%s: lost %v, want %v", c.name, lost, want)
		}
		if len(c.plan.Unmet) > 0 && !strings.Contains(c.plan.Unmet[0].Reason, c.says) {
			t.Errorf("%s: %q does not say %q", c.name, c.plan.Unmet[0].Reason, c.says)
		}
	}
}

// TestFenceRemedies: what lacks namespaces says how to get them.
func TestFenceRemedies(t *testing.T) {
	t.Parallel()
	have := fenceFactsOf(userFacts())
	have.Trial, have.Hints = Trial{OK: true}, nil
	for _, c := range []struct {
		facts Facts
		want  string
	}{
		{fenceFactsOf(userFacts()), "for linux/namespaces: sysctl -w user.max_user_namespaces=15000"},
		{have, "use linux/namespaces, which this host can have"},
		{containerFacts(), "--security-opt seccomp=caisson.json"},
	} {
		if got := fenceUnmet(c.facts, guarantee.OutsideHidden).Remedy; !strings.Contains(got, c.want) {
			t.Errorf("%q does not say %q", got, c.want)
		}
	}
}

func TestFenceRefuses(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*policyText){
		"a port of the host": func(p *policyText) { p.Network = policy.Network{Mode: policy.Offline, Loopback: []int{5432}} },
		"another system":     func(p *policyText) { p.OS = "darwin" },
	} {
		if _, err := compileFence(fenceFactsOf(userFacts()), resolved(t, edit, root("/home/u/ws"))); err == nil {
			t.Errorf("%s is not refused", name)
		}
	}
	socket := func(p *policyText) {
		p.Network = policy.Network{Mode: policy.Offline, Unix: []string{"/home/u/agent"}}
	}
	old := containerFacts()
	old.Notify = false
	if _, err := compileFence(old, resolved(t, socket, root("/home/u/ws"))); err == nil || !strings.Contains(err.Error(), "/home/u/agent") {
		t.Errorf("a socket that nobody can connect is not refused: %v", err)
	}
	online := func(p *policyText) { socket(p); p.Network.Mode = policy.Online }
	if _, err := compileFence(containerFacts(), resolved(t, online, root("/home/u/ws"))); err == nil || !strings.Contains(err.Error(), "online") {
		t.Errorf("a socket that nobody can connect online is not refused: %v", err)
	}
	given := func(p *policyText) { online(p); p.AllowWeaker = []guarantee.ID{guarantee.UnixConfined} }
	if _, err := compileFence(containerFacts(), resolved(t, given, root("/home/u/ws"))); err != nil {
		t.Error(err)
	}
	for _, f := range []Facts{fenceFactsOf(userFacts()), containerFacts()} { // the controls
		if _, err := compileFence(f, resolved(t, socket, root("/home/u/ws"))); err != nil {
			t.Error(err)
		}
	}
	if _, err := compileFence(fenceFactsOf(userFacts()), resolved(t, nil, root("/proc"))); err == nil {
		t.Error("a writable /proc is not refused")
	}
}

// TestFencePrepare: facts go through JSON, and those of the other backend give
// a plan that claims nothing.
func TestFencePrepare(t *testing.T) {
	t.Parallel()
	b := NewLandlock(Options{})
	f := fenceFactsOf(userFacts())
	raw, err := f.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := DecodeFacts(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, decoded); diff != "" {
		t.Error(diff)
	}
	r := resolved(t, nil, checkout("/home/u/ws")...)
	p, err := b.Prepare(context.Background(), backend.Request{Policy: r, Facts: raw})
	if err != nil || len(p.Claims) == 0 || p.Backend != LandlockName {
		t.Errorf("%v %v", p, err)
	}
	other := userFacts()
	if raw, err = other.MarshalJSON(); err != nil {
		t.Fatal(err)
	}
	p, err = b.Prepare(context.Background(), backend.Request{Policy: r, Facts: raw})
	if err != nil || len(p.Claims) != 0 {
		t.Errorf("facts of another backend: %v %v", p, err)
	}
}
