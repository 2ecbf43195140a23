// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// mutant is a change of a plan that takes something away.
type mutant struct {
	name   string
	change func(w *plan.Windows)
}

// mutants changes every entry, SID, flag and number of a plan, one at a time.
func mutants(w *plan.Windows) []mutant {
	var list []mutant
	add := func(name string, change func(w *plan.Windows)) { list = append(list, mutant{name, change}) }
	for i, a := range w.ACL {
		add("without "+a.Path+" "+a.ACE, func(w *plan.Windows) { w.ACL = slices.Delete(w.ACL, i, i+1) })
		for _, text := range mutantACEs(a.ACE) {
			add(a.Path+" "+a.ACE+" as "+text, func(w *plan.Windows) { w.ACL[i].ACE = text })
		}
	}
	for i, h := range w.Placeholders {
		add("without "+h.Path, func(w *plan.Windows) { w.Placeholders = slices.Delete(w.Placeholders, i, i+1) })
		for _, text := range mutantACEs(h.ACE) {
			add(h.Path+" "+h.ACE+" as "+text, func(w *plan.Windows) { w.Placeholders[i].ACE = text })
		}
	}
	for i := range w.Undo {
		add(fmt.Sprintf("without undo %d", i), func(w *plan.Windows) { w.Undo = slices.Delete(w.Undo, i, i+1) })
	}
	for i := range w.WFP {
		add(fmt.Sprintf("without filter %d", i), func(w *plan.Windows) { w.WFP = slices.Delete(w.WFP, i, i+1) })
		add(fmt.Sprintf("filter %d permits", i), func(w *plan.Windows) { w.WFP[i].Do = "permit" })
		add(fmt.Sprintf("filter %d for nobody", i), func(w *plan.Windows) { w.WFP[i].If = w.WFP[i].If[1:] })
	}
	lists := map[string]func(w *plan.Windows) *[]string{
		"flags":       func(w *plan.Windows) *[]string { return &w.Token.Flags },
		"denyOnly":    func(w *plan.Windows) *[]string { return &w.Token.DenyOnly },
		"restricting": func(w *plan.Windows) *[]string { return &w.Token.Restricting },
		"privileges":  func(w *plan.Windows) *[]string { return &w.Token.KeepPrivileges },
		"mitigation":  func(w *plan.Windows) *[]string { return &w.Mitigation },
		"handles":     func(w *plan.Windows) *[]string { return &w.Handles },
	}
	for name, of := range lists {
		for i := range *of(w) {
			add(fmt.Sprintf("%s without %d", name, i), func(w *plan.Windows) { l := of(w); *l = slices.Delete(*l, i, i+1) })
		}
		add(name+" with Everyone", func(w *plan.Windows) { l := of(w); *l = append(*l, "S-1-1-0") })
	}
	add("default list for everybody", func(w *plan.Windows) { w.Token.DefaultDACL += "(D;;GA;;;WD)" })
	add("helper without owner rights", func(w *plan.Windows) { w.Helper.SDDL = "D:P(A;;GA;;;SY)" })
	add("job survives", func(w *plan.Windows) { w.Job.Kill = false })
	add("job can be left", func(w *plan.Windows) { w.Job.Breakaway = true })
	add("clipboard", func(w *plan.Windows) { w.Job.UI &^= 2 })
	add("desktop", func(w *plan.Windows) { w.Desktop = "" })
	add("account", func(w *plan.Windows) { w.Account = nil })
	if w.Account == nil {
		list = slices.DeleteFunc(list, func(m mutant) bool { return m.name == "account" })
		add("account", func(w *plan.Windows) { w.Account = &plan.WindowsAccount{Pool: "online"} })
		add("profile", func(w *plan.Windows) { w.Profile = "jail" })
		add("base", func(w *plan.Windows) { w.EnvBase = "account" })
		return list
	}
	add("pool", func(w *plan.Windows) { w.Account.Pool = "online" })
	add("profile", func(w *plan.Windows) {
		w.Profile = map[string]string{"jail": "lean", "lean": "jail"}[w.Profile]
	})
	add("base", func(w *plan.Windows) { w.EnvBase = "caller" })
	return list
}

// mutantACEs changes the kind, every flag, every right and the SID of an entry.
func mutantACEs(text string) []string {
	a, err := access.ParseACE(text)
	if err != nil {
		return nil
	}
	var list []string
	put := func(b access.ACE) { list = append(list, b.String()) }
	other := a
	other.Kind = access.Deny - a.Kind
	put(other)
	other = a
	other.SID = "{group}"
	put(other)
	for _, f := range []access.Flags{access.ObjectInherit, access.ContainerInherit, access.InheritOnly, access.NoPropagate} {
		if a.Flags == 0 && f != access.InheritOnly {
			continue // without inheritance the other flags mean nothing more
		}
		other = a
		other.Flags ^= f
		put(other)
	}
	for bit := access.Mask(1); bit < 0x200000; bit <<= 1 {
		// For a capability there is only the second pass, which looks at nothing
		// but what writes: such bits are there for systems that look at more.
		unseen := strings.HasPrefix(string(a.SID), "{cap") && bit&access.Files().WriteMask() == 0
		if a.Mask&bit != 0 && !unseen {
			other = a
			other.Mask &^= bit
			put(other)
		}
	}
	return list
}

// TestMutations wants every mutant to be noticed: it is no valid plan, or the
// decision table of one of three machines changes. On one of them the workspace
// has a usual list, on the second one that admits everybody, on the third one
// that admits the user alone: some entries matter only there.
func TestMutations(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"standard", "protected-deep", "hidden-in-workspace", "lean", "token", "protected-deep-token"} {
		at := slices.IndexFunc(situations(), func(x situation) bool { return x.name == s })
		t.Run(s, func(t *testing.T) {
			t.Parallel()
			killed := 0
			usual, open, tight := situations()[at], situations()[at], situations()[at]
			tight.facts = func(f *Facts) {
				at := slices.IndexFunc(f.Places, func(p Place) bool { return p.Path == home+`\src` })
				f.Places[at].SDDL = "O:{user}G:{user}D:P(A;OICI;FA;;;{user})"
				f.Places = append(f.Places, Place{Path: `C:\dev`, SDDL: "O:SYG:SYD:P(A;;FA;;;WD)(A;;GW;;;S-1-5-12)"})
			}
			open.facts = func(f *Facts) {
				loose(f)
				f.Places = append(f.Places, Place{Path: `C:\Users\me\AppData\Local\caisson`, SDDL: "O:{user}G:{user}D:(A;OICI;FA;;;{user})(A;OICI;FA;;;WD)(A;OICI;FA;;;{account})(A;OICI;FA;;;{cap0})(A;OICI;FA;;;{cap1})"})
			}
			type machine struct {
				bench *bench
				plan  *plan.Plan
			}
			var machines []machine
			for _, x := range []situation{usual, open, tight} {
				f, r, p := x.take(t)
				if x.facts != nil {
					settle(t, &f)
					p = prepared(t, x.backend, f, r)
				}
				machines = append(machines, machine{newBench(t, f, r, p), p})
			}
			for _, m := range mutants(machines[0].plan.Windows) {
				noticed := false
				for _, on := range machines {
					changed := copyPlan(t, on.plan)
					m.change(changed.Windows)
					if changed.Validate() != nil && !strings.Contains(m.name, " as ") && !strings.HasPrefix(m.name, "without C:") ||
						on.bench.table(changed.Windows) != on.bench.want {
						noticed = true
						break
					}
				}
				if noticed {
					killed++
				} else {
					t.Errorf("not noticed: %s", m.name)
				}
			}
			if killed < 150 {
				t.Errorf("only %d mutants", killed)
			}
		})
	}
}

// bench is a machine on which plans are compared.
type bench struct {
	t    *testing.T
	make func() *access.Volume
	want string
}

func newBench(t *testing.T, f Facts, r *policy.Resolved, p *plan.Plan) *bench {
	b := &bench{t: t, make: func() *access.Volume { return world(t, f, r, p) }}
	b.want = b.table(p.Windows)
	return b
}

// table applies a plan and gives the decisions, or why it cannot be applied.
func (b *bench) table(w *plan.Windows) string {
	v := b.make()
	if _, err := Apply(w, v); err != nil {
		return err.Error()
	}
	for _, path := range v.Paths() {
		if !v.IsDir(path) || !pathspec.Windows.Within(home, path) {
			continue
		}
		for _, name := range []string{`\new file`, `\new`, `\new\deep file`, `\new\deep`} {
			if err := v.Make(path+name, !strings.HasSuffix(name, "file"), user, user); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	return table(w, v)
}

func copyPlan(t *testing.T, p *plan.Plan) *plan.Plan {
	t.Helper()
	text, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	c, err := plan.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
