// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/policy/recorded"
)

// situation is a machine and a policy whose plan is kept as a golden file.
type situation struct {
	name    string
	backend string
	host    func(*recorded.Host)
	facts   func(*Facts)
	policy  func(*policy.Policy)
}

// listed asks for the hosts of a list.
func listed(p *policy.Policy) {
	p.Network.Mode, p.Network.Allow = policy.Allowlist, []string{"example.org:443"}
}

func situations() []situation {
	write := func(paths ...string) func(*policy.Policy) {
		return func(p *policy.Policy) { p.Files.Write = paths }
	}
	return []situation{
		{name: "standard", backend: AccountName},
		{name: "lean", backend: LeanName},
		{name: "token", backend: TokenName},
		{name: "online", backend: AccountName, policy: func(p *policy.Policy) { p.Network.Mode = policy.Online }},
		{name: "allowlist", backend: AccountName, policy: listed},
		{name: "allowlist-lean", backend: LeanName, policy: listed},
		{name: "allowlist-no-pool", backend: AccountName, policy: listed, facts: func(f *Facts) { f.Setup.Proxy = 0 }},
		{name: "read-only", backend: AccountName, policy: func(p *policy.Policy) { p.Extends = "read-only" }},
		{name: "limits", backend: AccountName, policy: func(p *policy.Policy) {
			p.Limits = policy.Limits{Time: 10 * time.Minute, Memory: 4 << 30, Processes: 256}
		}},
		{name: "two-roots", backend: AccountName, host: func(h *recorded.Host) { h.AddDir(`D:\out`) }, policy: write(`D:\out`)},
		{name: "two-roots-token", backend: TokenName, host: func(h *recorded.Host) { h.AddDir(`D:\out`) }, policy: write(`D:\out`)},
		{name: "hidden-in-workspace", backend: AccountName, host: func(h *recorded.Host) { h.Files[workspace+`\keys\a.pem`] = "" },
			policy: func(p *policy.Policy) {
				p.Files.Hide, p.Files.Show = []string{workspace + `\keys`}, []string{workspace + `\keys\a.pem`}
			}},
		{name: "protected-deep", backend: AccountName, host: func(h *recorded.Host) { h.Files[workspace+`\a\b\c\vendor\x.go`] = "" },
			policy: func(p *policy.Policy) { p.Files.Protect = []string{workspace + `\a\b\c\vendor`} }},
		{name: "protected-deep-token", backend: TokenName, host: func(h *recorded.Host) { h.Files[workspace+`\a\b\c\vendor\x.go`] = "" },
			policy: func(p *policy.Policy) { p.Files.Protect = []string{workspace + `\a\b\c\vendor`} }},
		{name: "no-repository", backend: AccountName, host: func(h *recorded.Host) {
			h.Files = map[string]string{workspace + `\main.go`: ""}
		}},
		{name: "unprotected", backend: AccountName, policy: func(p *policy.Policy) { p.Files.Unprotect = []string{workspace + `\.git\config`} }},
		{name: "own-tmp", backend: AccountName, host: func(h *recorded.Host) { h.AddDir(`D:\t`) }, policy: func(p *policy.Policy) { p.Tmp = `D:\t` }},
		{name: "no-setup", backend: AccountName, facts: func(f *Facts) { f.Setup = Setup{State: "none"} }},
		{name: "everyone-device", backend: AccountName, facts: func(f *Facts) {
			f.Device = "S-1-1-0"
			f.Places = append(f.Places, Place{Path: `C:\drop`, SDDL: "O:BAG:SYD:(A;OICI;0x1301bf;;;WD)"})
		}},
		{name: "everyone-device-token", backend: TokenName, facts: func(f *Facts) { f.Device = "S-1-1-0" }},
		{name: "loose-directory", backend: AccountName, facts: func(f *Facts) {
			f.Places = append(f.Places, Place{Path: `C:\tools`, SDDL: "O:BAG:SYD:(A;OICI;FA;;;WD)"})
		}},
		{name: "loose-fenced", backend: AccountName, host: func(h *recorded.Host) { h.AddDir(`C:\tools`) },
			policy: func(p *policy.Policy) { p.Files.Hide = []string{`C:\tools`} },
			facts: func(f *Facts) {
				f.Places = append(f.Places, Place{Path: `C:\tools`, SDDL: "O:BAG:SYD:(A;OICI;FA;;;WD)"})
			}},
		{name: "null-list", backend: AccountName, facts: func(f *Facts) {
			f.Places = append(f.Places, Place{Path: `C:\open`, SDDL: "O:BAG:SYD:NO_ACCESS_CONTROL"})
		}},
		{name: "arm64", backend: AccountName, facts: func(f *Facts) { f.Arch = "arm64" }},
		{name: "container", backend: ContainerName},
	}
}

// take makes what a situation says.
func (s situation) take(t testing.TB) (Facts, *policy.Resolved, *plan.Plan) {
	t.Helper()
	h, f := recorded.Windows(), TypicalFacts("amd64")
	if s.host != nil {
		s.host(h)
	}
	if s.facts != nil {
		s.facts(&f)
	}
	r := resolve(t, h, s.policy)
	return f, r, prepared(t, s.backend, f, r)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, s := range situations() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			_, _, p := s.take(t)
			text, err := plan.Encode(p)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := json.Indent(&got, text, "", " "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			file := filepath.Join("testdata", s.name+".json")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("differs from %s:\n%s", file, got.Bytes())
			}
			again, err := plan.Decode(text)
			if err != nil {
				t.Fatal(err)
			}
			if twice, err := plan.Encode(again); err != nil || !bytes.Equal(twice, text) {
				t.Errorf("read and written again, the plan is %s, %v", twice, err)
			}
		})
	}
}

// TestClaims says which of the needed guarantees each situation lacks.
func TestClaims(t *testing.T) {
	t.Parallel()
	everything := guarantee.Standard()
	token := []guarantee.ID{
		guarantee.WriteConfined, guarantee.WriteProtected, guarantee.ReadHidden, guarantee.TmpPrivate, guarantee.DeviceDenied, guarantee.NetOffline,
		guarantee.UnixConfined, guarantee.OutsideUntouchable, guarantee.NoPrivs, guarantee.IPCConfined,
	}
	want := map[string][]guarantee.ID{
		"lean":                  {guarantee.WriteConfined, guarantee.DeviceDenied, guarantee.UnixConfined},
		"token":                 token,
		"two-roots-token":       token,
		"protected-deep-token":  token,
		"everyone-device-token": everything,
		"online":                {},
		"allowlist-lean":        {guarantee.WriteConfined, guarantee.DeviceDenied, guarantee.UnixConfined},
		"allowlist-no-pool":     {guarantee.NetAllowlist},
		"no-setup":              everything,
		"everyone-device":       {guarantee.WriteConfined},
		"loose-directory":       {guarantee.WriteConfined},
		"null-list":             {guarantee.WriteConfined},
		"container":             everything,
	}
	for _, s := range situations() {
		_, r, p := s.take(t)
		got := p.Claims.Missing(r.Require())
		if w := want[s.name]; len(got) != len(w) || len(p.Claims.Missing(w)) != len(w) {
			t.Errorf("%s: unmet %q, want %q", s.name, got, w)
		}
		if _, hidden := p.Claims[guarantee.OutsideHidden]; hidden {
			t.Errorf("%s claims that processes outside are hidden", s.name)
		}
		if len(p.Unmet) != len(got) {
			t.Errorf("%s: %d reasons for %d unmet guarantees", s.name, len(p.Unmet), len(got))
		}
		for _, u := range p.Unmet {
			if u.Reason == "" {
				t.Errorf("%s: no reason for %s", s.name, u.ID)
			}
		}
	}
}
