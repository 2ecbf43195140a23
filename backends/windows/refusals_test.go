// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"errors"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
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

// TestNetwork: ports are refused whatever the tier, and an allowlist is unmet and
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
		p := prepared(t, name, f, resolve(t, recorded.Windows(), func(p *policy.Policy) {
			p.Network.Mode, p.Network.Allow = policy.Allowlist, []string{"example.org:443"}
		}))
		found := false
		for _, u := range p.Unmet {
			if u.ID == guarantee.NetAllowlist {
				found = u.Grant == nil && u.Reason != "" && u.Remedy != ""
			}
		}
		if _, claimed := p.Claims[guarantee.NetAllowlist]; claimed || !found {
			t.Errorf("%s: an allowlist: %+v", name, p.Unmet)
		}
		if w := p.Windows; w.Account != nil && (w.Account.Pool != "offline" || len(w.WFP) == 0) {
			t.Errorf("%s: an allowlist gets the pool %s", name, w.Account.Pool)
		}
		_, err := prepare(t, name, f, resolve(t, recorded.Windows(), func(p *policy.Policy) {
			p.Network.Mode, p.Network.Allow = policy.Allowlist, []string{"example.org:443"}
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
	none := Facts{Setup: Setup{State: "none"}}
	for _, name := range []string{AccountName, LeanName} {
		if u := unmet(name, none, guarantee.NetAllowlist); u.Reason != whyNoList || u.Grant != nil {
			t.Errorf("%s: setup is said to help to an allowlist: %+v", name, u)
		}
	}
	f.Setup.Online = 0
	if _, err := prepare(t, AccountName, f, resolve(t, recorded.Windows(), func(p *policy.Policy) { p.Network.Mode = policy.Online })); err == nil {
		t.Error("online without an account for it")
	}
}
