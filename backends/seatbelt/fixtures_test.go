// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/seatbelt/internal/sbpleval"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

const (
	home  = "/Users/me"
	ws    = "/Users/me/src/app"
	state = "/Users/me/.local/state/caisson"
	store = state + "/caches/1"
)

// policyText is the canonical form of a Resolved, as a test writes it.
type policyText struct {
	Format    int            `json:"format"`
	OS        string         `json:"os"`
	Home      string         `json:"home"`
	Workspace []string       `json:"workspace"`
	Rules     []policy.Rule  `json:"rules"`
	Network   policy.Network `json:"network"`
	Env       policy.Env     `json:"env"`
	CacheDir  string         `json:"cache_dir,omitempty"`
	Tmp       string         `json:"tmp,omitempty"`
	Limits    map[string]any `json:"limits,omitempty"`
	Require   []guarantee.ID `json:"require"`
	GitDirs   []string       `json:"git_dirs,omitempty"`
}

func resolved(t testing.TB, change func(*policyText), rules ...policy.Rule) *policy.Resolved {
	t.Helper()
	key := func(r policy.Rule) string { return strings.ReplaceAll(pathspec.Darwin.Key(r.Path), "/", "\x00") }
	slices.SortFunc(rules, func(a, b policy.Rule) int { return strings.Compare(key(a), key(b)) })
	text := policyText{
		Format: 1, OS: "darwin", Home: home, Workspace: []string{ws}, Rules: append([]policy.Rule{}, rules...),
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
	return policy.Rule{Path: name, Access: policy.Write, Kind: policy.KindDir, Root: true, Dev: 1, Ino: 42}
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
	in := strings.TrimSuffix(ws, "/")
	return []policy.Rule{
		root(ws),
		rule(policy.Read, policy.KindFile, in+"/.git/config"),
		rule(policy.Read, policy.KindDir, in+"/.git/hooks"),
		held(policy.HoldFile, in+"/.git/commondir"),
		held(policy.HoldDir, in+"/.mcp.json"),
		held(policy.HoldDir, in+"/.caisson.toml"),
		held(policy.HoldQuarantine, in+"/.envrc"),
		held(policy.HoldReport, in+"/.gitmodules"),
	}
}

// secrets are some of what the standard policy hides, and caisson's own state
// with the store of caches in it.
func secrets() []policy.Rule {
	return []policy.Rule{
		rule(policy.Hidden, policy.KindDir, home+"/.ssh"),
		rule(policy.Hidden, policy.KindFile, home+"/.netrc"),
		{Path: state, Access: policy.Hidden, Kind: policy.KindDir, Origin: policy.Origin{Set: "@caisson"}},
		{Path: store, Access: policy.Write, Kind: policy.KindAbsent, Origin: policy.Origin{Set: "@caisson"}},
	}
}

// sample is a policy of the tests.
type sample struct {
	name  string
	rules []policy.Rule
	edit  func(*policyText)
	proxy bool
}

// samples are the policies whose profiles are golden files, and that the
// properties are tested on.
func samples() []sample {
	cached := func(p *policyText) {
		p.CacheDir = store
		p.GitDirs = []string{ws + "/.git"}
	}
	standard := append(checkout(ws), secrets()...)
	with := func(more ...policy.Rule) []policy.Rule { return append(slices.Clone(standard), more...) }
	return []sample{
		{"workspace", standard, cached, false},
		{"read-only", secrets(), cached, false},
		{"empty", nil, func(p *policyText) { p.Workspace = []string{"/"} }, false},
		{"online", standard, func(p *policyText) {
			p.Network = policy.Network{Mode: policy.Online, Unix: []string{"/private/tmp/.s.PGSQL.5432"}}
		}, false},
		{"ports", standard, func(p *policyText) {
			p.Network = policy.Network{Mode: policy.Offline, Loopback: []int{5432, 6379}, Publish: []int{3000}}
		}, false},
		{"allowlist", standard, func(p *policyText) {
			p.Network = policy.Network{Mode: policy.Allowlist, Allow: []string{"example.org"}}
			p.Require = append(p.Require, guarantee.NetAllowlist)
		}, false},
		{"proxy", standard, func(p *policyText) {
			p.Network = policy.Network{Mode: policy.Allowlist, Allow: []string{"example.org"}, Loopback: []int{5432}, Publish: []int{3000}}
			p.Require = append(p.Require, guarantee.NetAllowlist)
		}, true},
		{"shown", with(rule(policy.Read, policy.KindFile, home+"/.ssh/known_hosts"), rule(policy.Read, policy.KindDir, home+"/.ssh/pub/a"),
			rule(policy.Hidden, policy.KindFile, home+"/.ssh/pub/a/key")), cached, false},
		{"nesting", []policy.Rule{
			root(ws), rule(policy.Read, policy.KindDir, ws+"/a/vendor"),
			root(ws + "/a/vendor/x/gen"), rule(policy.Hidden, policy.KindDir, ws+"/a/vendor/x/gen/k/secret"),
			rule(policy.Read, policy.KindSymlink, ws+"/a/link"), rule(policy.Hidden, policy.KindFile, ws+"/b/.env"),
		}, nil, false},
		{"roots", []policy.Rule{root(ws), root("/Users/me/src/app/sub"), root("/opt/x"), rule(policy.Write, policy.KindFile, "/Users/me/.cache/log")}, nil, false},
		{"tmp-dir", with(root("/Users/me/scratch")), func(p *policyText) { p.Tmp = "/Users/me/scratch" }, false},
		{"in-tmp", checkout("/private/tmp/x/ws"), func(p *policyText) { p.Workspace = []string{"/private/tmp/x/ws"} }, false},
		{"tmp-in-root", []policy.Rule{root("/private/var/folders/zz/me/T")}, nil, false},
		{"whole-disk", append(checkout("/"), secrets()...), func(p *policyText) { p.Workspace = []string{"/"} }, false},
		{"spelling", []policy.Rule{
			root("/Users/me/Caf\u00e9 \U0001f512"), rule(policy.Read, policy.KindDir, "/Users/me/Caf\u00e9 \U0001f512/Stra\u00dfe"),
			rule(policy.Read, policy.KindDir, "/Users/me/Caf\u00e9 \U0001f512/a (b) [c]; #\"d\" \\ 100% *"),
			rule(policy.Hidden, policy.KindFile, "/Users/me/Caf\u00e9 \U0001f512/con\ufb01g"),
		}, nil, false},
		{"limits", standard, func(p *policyText) {
			p.Limits = map[string]any{"time": "10m", "memory": 1 << 30, "processes": 64}
			p.Require = append(p.Require, guarantee.LimitMemory, guarantee.LimitProcesses, guarantee.LimitTime)
		}, false},
	}
}

func (s sample) resolved(t testing.TB) *policy.Resolved {
	return resolved(t, s.edit, slices.Clone(s.rules)...)
}

func compiled(t testing.TB, r *policy.Resolved) *plan.Plan {
	t.Helper()
	return planned(t, r, false)
}

func (s sample) plan(t testing.TB) *plan.Plan {
	t.Helper()
	return planned(t, s.resolved(t), s.proxy)
}

func planned(t testing.TB, r *policy.Resolved, proxy bool) *plan.Plan {
	t.Helper()
	p, err := compile(Typical(), r, proxy)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Fatalf("the plan is invalid: %v", err)
	}
	return p
}

// profileOf returns the profile of a plan.
func profileOf(t testing.TB, p *plan.Plan) string {
	t.Helper()
	for _, s := range p.Steps {
		if b, ok := s.(plan.Seatbelt); ok {
			return b.Profile
		}
	}
	t.Fatal("the plan has no profile")
	return ""
}

func request(name string) sbpleval.Request {
	return sbpleval.Request{Path: name, Type: "REGULAR-FILE"}
}

// connection is both ends at one address.
func connection(end string) sbpleval.Request {
	return sbpleval.Request{Remote: end, Local: end}
}

func itoa(n int) string { return strconv.Itoa(n) }
