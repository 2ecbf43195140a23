// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/policy/recorded"
)

// TestObstacles: a machine on which a backend can do nothing is told apart, with
// the reason and what helps; the plan for it claims nothing.
func TestObstacles(t *testing.T) {
	t.Parallel()
	all := []string{AccountName, LeanName, TokenName}
	accounts := all[:2]
	for _, c := range []struct {
		change func(*Facts)
		of     []string
		reason string
	}{
		{func(f *Facts) { f.Nested = true }, all, "inside a caisson sandbox"},
		{func(f *Facts) { f.Build = oldest - 1 }, all, "pseudo console"},
		{func(f *Facts) { f.Restricted = true }, all, "restricted one"},
		{func(f *Facts) { f.Device = "S-1-1-0" }, []string{TokenName}, "null device"},
		{func(f *Facts) { f.Setup = Setup{State: "none"} }, accounts, "not been made"},
		{func(f *Facts) { f.Setup.State, f.Setup.Detail = "partial", "it ended at account x" }, accounts, "not finished: it ended at account x"},
		{func(f *Facts) { f.Setup.State, f.Setup.Detail = "old", "version 0" }, accounts, "another version: version 0"},
		{func(f *Facts) { f.Setup.State, f.Setup.Detail = "broken", "the account x is locked out" }, accounts, "damaged: the account x is locked out"},
		{func(f *Facts) { f.Logon = "disabled" }, accounts, "Secondary Logon"},
		{func(f *Facts) { f.Logon = "missing" }, accounts, "Secondary Logon"},
		{func(f *Facts) { f.DenyLogon = true }, accounts, "policy of this machine or its domain"},
		{func(f *Facts) { f.Session = 0 }, accounts, "session of services"},
		{func(f *Facts) { f.Setup.Offline = 0 }, accounts, "no sandbox account"},
	} {
		for _, name := range all {
			f := TypicalFacts("amd64")
			if o := f.obstacle(name); o != nil {
				t.Fatalf("%s: the usual machine: %s", name, o.reason)
			}
			c.change(&f)
			o := f.obstacle(name)
			hit := len(c.of) == len(all) || len(c.of) == 1 && c.of[0] == name || len(c.of) == 2 && name != TokenName
			if (o != nil) != hit {
				t.Errorf("%s, %q: %v", name, c.reason, o)
				continue
			}
			if o == nil {
				continue
			}
			if !strings.Contains(o.reason, c.reason) || o.remedy == "" {
				t.Errorf("%s: %+v, want %q and a remedy", name, o, c.reason)
			}
			p := prepared(t, name, f, resolve(t, recorded.Windows(), nil))
			if len(p.Claims) > 0 || len(p.Unmet) == 0 || !strings.Contains(p.Unmet[0].Reason, c.reason) {
				t.Errorf("%s, %q: claims %v, unmet %v", name, c.reason, p.Claims, p.Unmet)
			}
		}
	}
	// The Home edition has all that is needed.
	f := TypicalFacts("amd64")
	f.Edition = "Core"
	if o := f.obstacle(AccountName); o != nil {
		t.Errorf("the Home edition: %s", o.reason)
	}
}

// TestRoots: what cannot be made writable is refused, with the reason and what
// helps.
func TestRoots(t *testing.T) {
	t.Parallel()
	f := TypicalFacts("amd64")
	f.Volumes = append(f.Volumes, Volume{Root: `N:\`, FS: "NTFS", ACLs: true, Remote: true}, Volume{Root: `E:\`, FS: "exFAT"})
	for path, want := range map[string]string{
		workspace: "", `D:\out`: "", `\\server\share\x`: "on the network", `N:\x`: "one of the network", `E:\x`: "exFAT", `Z:\x`: "no such volume", `C:\`: "whole volume",
		`C:\` + strings.Repeat("a", longestDir-3): "", `C:\` + strings.Repeat("a", longestDir-2): "no program can work in it",
		`C:\` + strings.Repeat("\U0001f980", (longestDir-2)/2): "", `C:\` + strings.Repeat("\U0001f980", longestDir/2): "no program can work in it",
	} {
		err := f.checkRoot(path)
		d, _ := errors.AsType[*diag.Diagnostic](err)
		if (err != nil) != (want != "") || err != nil && (d == nil || d.Code != diag.RootUnwritable || d.Remedy == "" || !strings.Contains(d.Message, want)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// TestNetwork: ports are refused whatever the tier, and an allowlist that is unmet
// cannot be given up: nothing is ever run with more network than was asked for.
func TestNetwork(t *testing.T) {
	t.Parallel()
	f := TypicalFacts("amd64")
	for _, name := range []string{AccountName, LeanName, TokenName} {
		for what, change := range map[string]func(*policy.Policy){
			"loopback": func(p *policy.Policy) { p.Network.Loopback = []int{5432} },
			"publish":  func(p *policy.Policy) { p.Network.Publish = []int{3000} },
		} {
			_, err := prepare(t, name, f, resolve(t, recorded.Windows(), change))
			d, _ := errors.AsType[*diag.Diagnostic](err)
			if d == nil || d.Code != diag.ModeUnsupported || d.Remedy == "" {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		_, err := prepare(t, name, f, resolve(t, recorded.Windows(), func(p *policy.Policy) {
			listed(p)
			p.AllowWeaker = []guarantee.ID{guarantee.NetAllowlist}
		}))
		if d, _ := errors.AsType[*diag.Diagnostic](err); d == nil || d.Code != diag.ModeUnsupported || d.Remedy == "" {
			t.Errorf("%s: an allowlist that was given up: %v", name, err)
		}
		// Named in another mode it gives up nothing, and nothing is refused.
		if _, err := prepare(t, name, f, resolve(t, recorded.Windows(), func(p *policy.Policy) {
			p.AllowWeaker = []guarantee.ID{guarantee.NetAllowlist}
		})); err != nil {
			t.Errorf("%s: offline: %v", name, err)
		}
	}
	f.Setup.Online = 0
	if _, err := prepare(t, AccountName, f, resolve(t, recorded.Windows(), func(p *policy.Policy) { p.Network.Mode = policy.Online })); err == nil {
		t.Error("online without an account for it")
	}
}

// TestAllowlist: the guarantee is claimed where setup made accounts for it, and
// the plan is for one of those. Elsewhere it is unmet with what helps, no grant
// gives it up, and no plan has more network than one that is offline.
func TestAllowlist(t *testing.T) {
	t.Parallel()
	made, old := TypicalFacts("amd64"), TypicalFacts("amd64")
	old.Setup.Proxy = 0
	for _, c := range []struct {
		name   string
		facts  Facts
		pool   string // "": the user's own identity
		reason string // "": it is claimed
		remedy string
	}{
		{AccountName, made, plan.PoolProxy, "", ""},
		{LeanName, made, plan.PoolProxy, "", ""},
		{AccountName, old, plan.PoolOffline, "setup made no account that reaches caisson's proxy", "caisson setup install again"},
		{LeanName, old, plan.PoolOffline, "setup made no account that reaches caisson's proxy", "caisson setup install again"},
		{TokenName, made, "", "filtered by account", "caisson setup install and use " + AccountName},
		{TokenName, old, "", "filtered by account", "caisson setup install and use " + AccountName},
	} {
		p := prepared(t, c.name, c.facts, resolve(t, recorded.Windows(), listed))
		if got := poolOf(p.Windows); got != c.pool {
			t.Errorf("%s: the pool is %q, want %q", c.name, got, c.pool)
		}
		if _, both := p.Claims[guarantee.NetOffline]; both {
			t.Errorf("%s: an allowlist is called offline", c.name)
		}
		_, claimed := p.Claims[guarantee.NetAllowlist]
		if claimed != (c.reason == "") {
			t.Errorf("%s, pool %q: claimed %t", c.name, c.pool, claimed)
		}
		at := slices.IndexFunc(p.Unmet, func(u plan.Unmet) bool { return u.ID == guarantee.NetAllowlist })
		if (at < 0) != (c.reason == "") {
			t.Errorf("%s: unmet %+v", c.name, p.Unmet)
			continue
		}
		if at >= 0 {
			if u := p.Unmet[at]; u.Grant != nil || !strings.Contains(u.Reason, c.reason) || !strings.Contains(u.Remedy, c.remedy) {
				t.Errorf("%s: %+v, want %q and %q", c.name, u, c.reason, c.remedy)
			}
		}
	}
	// One mode is not the other's guarantee.
	for _, mode := range []policy.NetworkMode{policy.Offline, policy.Online} {
		p := prepared(t, AccountName, made, resolve(t, recorded.Windows(), func(p *policy.Policy) {
			p.Network.Mode, p.Require = mode, []guarantee.ID{guarantee.NetAllowlist}
		}))
		if _, claimed := p.Claims[guarantee.NetAllowlist]; claimed || len(p.Unmet) != 1 || p.Unmet[0].Reason != "the policy asks for no list" {
			t.Errorf("%s: claimed %t, %+v", mode, claimed, p.Unmet)
		}
	}
}
