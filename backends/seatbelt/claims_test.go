// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// TestClaims says which guarantees hold for which policy.
func TestClaims(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		edit  func(*policyText)
		unmet []guarantee.ID
	}{
		{"offline", nil, nil},
		{"online", func(p *policyText) { p.Network.Mode = policy.Online }, []guarantee.ID{guarantee.NetOffline}},
		{"allowlist", func(p *policyText) {
			p.Network.Mode = policy.Allowlist
			p.Require = []guarantee.ID{guarantee.NetAllowlist}
		}, []guarantee.ID{guarantee.NetAllowlist}},
		{"limits", func(p *policyText) {
			p.Require = []guarantee.ID{guarantee.LimitMemory, guarantee.LimitProcesses, guarantee.LimitTime}
		}, []guarantee.ID{guarantee.LimitMemory, guarantee.LimitProcesses}},
		{"more", func(p *policyText) {
			p.Require = []guarantee.ID{guarantee.OutsideHidden, guarantee.DenialsReported}
		}, []guarantee.ID{guarantee.OutsideHidden, guarantee.DenialsReported}},
	} {
		p := compiled(t, resolved(t, c.edit, checkout(ws)...))
		var unmet []guarantee.ID
		for _, u := range p.Unmet {
			unmet = append(unmet, u.ID)
			if u.Reason == "" || u.Grant == nil {
				t.Errorf("%s: %+v", c.name, u)
			}
		}
		if !slices.Equal(unmet, c.unmet) {
			t.Errorf("%s: unmet %v, want %v", c.name, unmet, c.unmet)
		}
		if beyond := p.Claims.Within(offers(Typical(), false)); len(beyond) > 0 {
			t.Errorf("%s: claims %v and does not offer it", c.name, beyond)
		}
	}
}

// TestProxied wants an allowlist to be upheld where a proxy is served, with
// nothing on the network but its port, and to be refused with a way out where
// none is.
func TestProxied(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		if s.name != "proxy" {
			continue
		}
		p := s.plan(t)
		claim, ok := p.Claims[guarantee.NetAllowlist]
		if !ok || claim.By != guarantee.ByKernel || !strings.HasPrefix(claim.Note, modelled) || len(p.Unmet) > 0 {
			t.Errorf("with a proxy: claim %+v, unmet %+v", claim, p.Unmet)
		}
		if beyond := p.Claims.Within(offers(Typical(), true)); len(beyond) > 0 {
			t.Errorf("claims %v and does not offer it", beyond)
		}
		p = compiled(t, s.resolved(t))
		if len(p.Unmet) != 1 || p.Unmet[0].ID != guarantee.NetAllowlist || !strings.Contains(p.Unmet[0].Remedy, "--net") {
			t.Errorf("without a proxy: unmet %+v", p.Unmet)
		}
		if strings.Contains(profileOf(t, p), paramProxy) {
			t.Error("without a proxy the profile speaks of one")
		}
		return
	}
	t.Error("there is no such policy")
}

// TestEvidence wants every claim to say what it rests on, in the words that
// the documentation allows.
func TestEvidence(t *testing.T) {
	t.Parallel()
	have := offers(Typical(), false)
	for id, claim := range have {
		if !strings.HasPrefix(claim.Note, modelled) && !strings.HasPrefix(claim.Note, neverRun) {
			t.Errorf("%s: %+v does not say that it was not run", id, claim)
		}
	}
	if got := len(have) + len(unoffered(Typical(), false)); got != len(guarantee.All()) {
		t.Errorf("%d guarantees are offered or explained, of %d", got, len(guarantee.All()))
	}
}

// TestBackend goes the way of the library: facts in JSON, a plan.
func TestBackend(t *testing.T) {
	t.Parallel()
	b := New(Options{})
	raw, err := json.Marshal(Typical())
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Prepare(context.Background(), backend.Request{Policy: samples()[0].resolved(t), Facts: raw})
	if err != nil {
		t.Fatal(err)
	}
	text, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Decode(text); err != nil {
		t.Error(err)
	}
	if info := b.Info(); p.Backend != info.Name || !slices.Equal(info.OS, []string{p.OS}) {
		t.Errorf("%+v made a plan of %s for %s", info, p.Backend, p.OS)
	}
}

// TestSummary wants the lists of the step, which people read, to say of each
// path what the profile does.
func TestSummary(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		p := s.plan(t)
		profile := interpreted(t, profileOf(t, p))
		for _, step := range p.Steps {
			st, ok := step.(plan.Seatbelt)
			if !ok {
				continue
			}
			for _, name := range st.Write {
				if op := allowed(profile, request(name), "file-write-data", "file-read-data"); op != "" {
					t.Errorf("%s: %s is writable, and %s is denied", s.name, name, op)
				}
			}
			for _, name := range slices.Concat(st.Protect, st.Absent) {
				if op := denied(profile, request(name), changes()...); op != "" {
					t.Errorf("%s: %s is protected, and %s is allowed", s.name, name, op)
				}
			}
			for _, name := range st.Show {
				if op := allowed(profile, request(name), "file-read-data"); op != "" {
					t.Errorf("%s: %s is shown, and %s is denied", s.name, name, op)
				}
			}
			for _, name := range slices.Concat(st.Hide, st.Private) {
				if op := denied(profile, request(name), reads()...); op != "" {
					t.Errorf("%s: %s is hidden, and %s is allowed", s.name, name, op)
				}
			}
			online := allowed(profile, connection("tcp 198.51.100.7:443"), "network-outbound") == ""
			if online != (st.Network == "host") {
				t.Errorf("%s: the network is %s, and the address is reached: %v", s.name, st.Network, online)
			}
			for _, port := range st.Ports {
				end := "tcp 127.0.0.1:" + itoa(port)
				if allowed(profile, connection(end), "network-outbound") != "" && allowed(profile, connection(end), "network-bind") != "" {
					t.Errorf("%s: port %d is neither reached nor listened on", s.name, port)
				}
			}
		}
	}
}
