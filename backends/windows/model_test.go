// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/policy/recorded"
)

// people are those whose rights the decision tables tell: the command, the
// user, another account of the pool, and a program of the same account that a
// service started without the restricted token.
func people(w *plan.Windows) map[string]access.Token {
	other := Bind(w)
	other.User = "S-1-5-21-1-2-3-1009"
	if other.Restricting != nil { // as its own plan has it
		other.Restricting = []access.SID{other.User, "S-1-5-12"}
	}
	surrogate := Bind(w)
	surrogate.Restricting, surrogate.WriteRestricted = nil, false
	me := access.Token{User: user, Integrity: access.Medium, Privileges: []access.Privilege{access.ChangeNotify}}
	for _, g := range []access.SID{access.Everyone, access.Users, access.Interactive, access.AuthenticatedUsers} {
		me.Groups = append(me.Groups, access.Group{SID: g, Enabled: true})
	}
	return map[string]access.Token{"command": Bind(w), "user": me, "other": other, "surrogate": surrogate}
}

// table writes who may do what to which path. Each line ends with all rights
// that can be had, so that a change of one bit shows.
func table(w *plan.Windows, v *access.Volume) string {
	var b strings.Builder
	who := people(w)
	for _, name := range []string{"command", "user", "other", "surrogate"} {
		t := who[name]
		for _, p := range v.Paths() {
			var may []string
			for _, act := range access.Acts() {
				if v.May(t, act, p) {
					may = append(may, string(act))
				}
			}
			d, _ := v.Descriptor(p)
			most, _ := access.Check(d, t, access.MaximumAllowed, access.Files())
			fmt.Fprintf(&b, "%s %s 0x%x %s\n", name, p, uint32(most), strings.Join(may, ","))
		}
	}
	return b.String()
}

// during adds what a run makes, after the plan was applied.
func during(t *testing.T, v *access.Volume, p *plan.Plan) {
	t.Helper()
	owner := user
	if p.Windows.Account != nil {
		owner = account
	}
	for _, path := range []string{workspace + `\made`, workspace + `\.git\index`} {
		if !v.May(Bind(p.Windows), access.ActCreate, path[:strings.LastIndex(path, `\`)]) {
			continue
		}
		if err := v.Make(path, false, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDecisions keeps the decision tables of every phase of every situation.
func TestDecisions(t *testing.T) {
	t.Parallel()
	rows := 0
	for _, s := range situations() {
		f, r, p := s.take(t)
		v := world(t, f, r, p)
		var b strings.Builder
		phase := func(name string) {
			text := table(p.Windows, v)
			rows += strings.Count(text, "\n")
			fmt.Fprintf(&b, "== %s\n%s", name, text)
		}
		phase("before")
		undo, err := Apply(p.Windows, v)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		phase("open")
		during(t, v, p)
		phase("run")
		if err := Undo(undo, v); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		phase("after")
		file := filepath.Join("testdata", s.name+".decisions")
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s: the decisions differ from %s", s.name, file)
		}
	}
	if rows < 300 {
		t.Errorf("%d decision rows", rows)
	}
}

// TestDecisionsFollowPolicy compares what the command may do with what the
// policy says, path by path, where everything is claimed.
func TestDecisionsFollowPolicy(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, s := range situations() {
		f, r, p := s.take(t)
		if len(p.Unmet) > 0 || s.backend != AccountName {
			continue
		}
		v := world(t, f, r, p)
		if _, err := Apply(p.Windows, v); err != nil {
			t.Fatal(err)
		}
		during(t, v, p)
		command := Bind(p.Windows)
		for _, path := range v.Paths() {
			want, rule := r.AccessTo(rooted(path))
			if strings.EqualFold(path, p.Windows.Temp) {
				want = policy.Write
			}
			root := want == policy.Write && strings.EqualFold(rule.Path, path) || strings.EqualFold(path, p.Windows.Temp)
			pinned := slices.ContainsFunc(p.Windows.ACL, func(a plan.WindowsACE) bool {
				return strings.EqualFold(a.Path, path) && strings.HasPrefix(a.ACE, "(D;;0xd0040")
			})
			for _, act := range []access.Act{access.ActWrite, access.ActDelete, access.ActAttributes, access.ActPermit} {
				compared++
				may := v.May(command, act, path)
				expect := want == policy.Write
				switch {
				case act == access.ActPermit && expect: // what a command made is its own, nothing else
					d, _ := v.Descriptor(path)
					expect = d.Owner == account
				case act == access.ActDelete && (root || pinned):
					expect = false
				}
				if may != expect {
					t.Errorf("%s: %s %s is %t, the policy says %s", s.name, act, path, may, want)
				}
			}
			if want == policy.Hidden && rule.Kind != policy.KindAbsent && v.May(command, access.ActRead, path) {
				t.Errorf("%s: %s can be read", s.name, path)
			}
			if want == policy.Write && !v.May(command, access.ActRead, path) {
				t.Errorf("%s: %s cannot be read", s.name, path)
			}
		}
	}
	if compared < 300 {
		t.Errorf("only %d decisions were compared", compared)
	}
}

// loose gives the workspace lists as they are met: everybody has full control,
// the account was given some by hand.
func loose(f *Facts) {
	f.Places = append(f.Places, Place{Path: workspace, SDDL: "O:{user}G:{user}D:(A;OICI;FA;;;{user})(A;OICI;FA;;;WD)(A;OICI;FA;;;{account})(A;OICI;FA;;;BU)(A;OICI;FA;;;{cap2})"})
}

// TestLooseWorkspace shows that protection holds whatever the workspace's list
// admits, and that a program outside of the jail is told apart.
func TestLooseWorkspace(t *testing.T) {
	t.Parallel()
	f := TypicalFacts("amd64")
	loose(&f)
	r := resolve(t, recorded.Windows(), nil)
	p := prepared(t, AccountName, f, r)
	v := world(t, f, r, p)
	command := Bind(p.Windows)
	hooks := workspace + `\.git\hooks`
	if !v.May(command, access.ActDelete, hooks) || !v.May(command, access.ActPermit, hooks) || !v.May(command, access.ActCreate, hooks) {
		t.Fatal("the hooks are protected already, so the test shows nothing")
	}
	if _, err := Apply(p.Windows, v); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{hooks, hooks + `\pre-commit`, workspace + `\.git\config`, workspace + `\.claude`, workspace + `\.git\commondir`} {
		for _, act := range access.Writes() {
			if v.May(command, act, path) {
				t.Errorf("the command may %s %s", act, path)
			}
		}
	}
	for _, path := range []string{workspace, workspace + `\.git`} {
		for _, act := range []access.Act{access.ActDelete, access.ActPermit, access.ActOwn} {
			if v.May(command, act, path) {
				t.Errorf("the command may %s %s", act, path)
			}
		}
	}
	if !v.May(command, access.ActCreate, workspace) || !v.May(command, access.ActDelete, workspace+`\.git\index`) {
		t.Error("the workspace cannot be worked in")
	}
}

// TestOwnedProtected: a protected file that belongs to the account could be
// given another list by it, which takes away the claim.
func TestOwnedProtected(t *testing.T) {
	t.Parallel()
	f := TypicalFacts("amd64")
	f.Places = append(f.Places,
		Place{Path: workspace, SDDL: "O:{user}G:{user}D:(A;OICI;FA;;;{user})"},
		Place{Path: workspace + `\.git`, SDDL: "O:{user}G:{user}D:(A;OICI;FA;;;{user})"},
		Place{Path: workspace + `\.git\hooks`, SDDL: "O:{account}G:{user}D:(A;OICI;FA;;;{user})"})
	p := prepared(t, AccountName, f, resolve(t, recorded.Windows(), nil))
	if _, claimed := p.Claims[guarantee.WriteProtected]; claimed {
		t.Error("fs.write.protected is claimed although the account owns what is protected")
	}
}

// TestTwoWorkspaces: what serves one workspace cannot write the other, in
// either tier.
func TestTwoWorkspaces(t *testing.T) {
	t.Parallel()
	const other = home + `\src\other`
	for _, name := range []string{AccountName, TokenName} {
		h := recorded.Windows()
		h.AddRepository(other)
		f := TypicalFacts("amd64")
		one := prepared(t, name, f, resolve(t, h, nil))
		two := prepared(t, name, f, resolve(t, h, func(p *policy.Policy) { p.Workspace = []string{other} }))
		v := world(t, f, resolve(t, h, func(p *policy.Policy) { p.Files.Write = []string{other} }), one)
		if err := populate(v, resolve(t, h, func(p *policy.Policy) { p.Workspace = []string{other} }), two.Windows); err != nil {
			t.Fatal(err)
		}
		for i, p := range []*plan.Plan{one, two} {
			if _, err := Apply(rename(p, i), v); err != nil {
				t.Fatal(err)
			}
		}
		for i, p := range []*plan.Plan{one, two} {
			token := Bind(rename(p, i))
			if token.User == account {
				token.User = access.SID(fmt.Sprintf("S-1-5-21-9-9-9-%d", 1000+i))
			}
			mine, theirs := workspace, other
			if i == 1 {
				mine, theirs = other, workspace
			}
			if !v.May(token, access.ActCreate, mine) {
				t.Errorf("%s: %s cannot be written", name, mine)
			}
			for _, act := range []access.Act{access.ActCreate, access.ActMkdir, access.ActAttributes, access.ActPermit, access.ActOwn} {
				if v.May(token, act, theirs) {
					t.Errorf("%s: what serves %s may %s %s", name, mine, act, theirs)
				}
			}
		}
	}
}

// rename gives a plan identities of its own, as the helper does.
func rename(p *plan.Plan, n int) *plan.Windows {
	w := *p.Windows
	w.ACL, w.Placeholders = slices.Clone(w.ACL), slices.Clone(w.Placeholders)
	swap := strings.NewReplacer("{account}", fmt.Sprintf("S-1-5-21-9-9-9-%d", 1000+n), "{cap", fmt.Sprintf("{cap%d", n+1))
	for i := range w.ACL {
		w.ACL[i].ACE = swap.Replace(w.ACL[i].ACE)
	}
	for i := range w.Placeholders {
		w.Placeholders[i].ACE = swap.Replace(w.Placeholders[i].ACE)
	}
	w.Token.Restricting = slices.Clone(w.Token.Restricting)
	for i := range w.Token.Restricting {
		w.Token.Restricting[i] = swap.Replace(w.Token.Restricting[i])
	}
	return &w
}
