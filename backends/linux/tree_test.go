// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

func groupOf(t *testing.T, p *plan.Plan) bool {
	t.Helper()
	for _, step := range p.Steps {
		if g, ok := step.(plan.ProcessGroup); ok {
			return g.Own
		}
	}
	t.Error("the plan has no process group")
	return false
}

// placed returns where a step mounts something.
func placed(step plan.Step) (name string, a policy.Access, pin, empty, ok bool) {
	switch st := step.(type) {
	case plan.Devices:
		return "/dev", policy.Read, false, true, true
	case plan.Private:
		if st.ReadOnly {
			return st.Path, policy.Read, false, true, true
		}
		return st.Path, policy.Write, false, true, true
	case plan.Cover:
		return st.Path, policy.Hidden, false, true, true
	case plan.Hold:
		return st.Path, policy.Read, false, false, true
	case plan.Bind:
		if st.Access == "write" {
			return st.Path, policy.Write, st.Role == "pin", false, true
		}
		return st.Path, policy.Read, false, false, true
	}
	return "", 0, false, false, false
}

// around returns the last step that mounted something on a path or above it.
// It is the one that decides if no mount buried another.
func around(steps []plan.Step, name string) (at string, a policy.Access, empty bool) {
	at, a = "/", policy.Read
	for _, step := range steps {
		if where, access, _, e, ok := placed(step); ok && within(where, name) && within(at, where) {
			at, a, empty = where, access, e
		}
	}
	return at, a, empty
}

// checkTree checks what must hold of every plan's mounts, whatever the policy.
func checkTree(t *testing.T, steps []plan.Step) {
	t.Helper()
	var points []string
	for i, step := range steps {
		if mp, ok := step.(plan.MountPoint); ok {
			points = append(points, mp.Path)
			if _, _, empty := around(steps[:i], mp.Path); !empty {
				t.Errorf("the mount point %s would be made in the host's files", mp.Path)
			}
			continue
		}
		name, access, pin, _, ok := placed(step)
		if !ok {
			continue
		}
		for _, earlier := range steps[:i] {
			if e, _, _, _, ok := placed(earlier); ok && e != name && within(name, e) {
				t.Errorf("the mount on %s buries the one on %s", name, e)
			}
		}
		at, outer, empty := around(steps[:i], name)
		if empty && at != name && !contains(points, name) {
			t.Errorf("%s has no mount point in %s", name, at)
		}
		if access == policy.Write && !pin || outer != policy.Write || empty {
			continue
		}
		// Every directory between a mount and the writable root that it lies in
		// is a mount too, or it could be renamed and made anew.
		for dir := path.Dir(name); ; dir = path.Dir(dir) {
			where, a, e := around(steps[:i], dir)
			if where != dir {
				t.Errorf("%s can be moved away with %s", name, dir)
			}
			if a != policy.Write || e || !isPin(steps[:i], dir) {
				break
			}
		}
	}
}

func isPin(steps []plan.Step, name string) bool {
	return slices.ContainsFunc(steps, func(s plan.Step) bool {
		at, _, pin, _, ok := placed(s)
		return ok && pin && at == name
	})
}

// randomRules makes rules of every kind below a few directories, so that they
// meet in every way.
func randomRules(rng *rand.Rand) []policy.Rule {
	rules := map[string]policy.Rule{}
	for range 1 + rng.IntN(12) {
		name := []string{"/a", "/b", "/tmp", "/var/tmp", "/run", "/var"}[rng.IntN(6)]
		for range rng.IntN(4) {
			name += "/" + []string{"x", "y", "x-z", "y.k"}[rng.IntN(4)]
		}
		r := rule(policy.Access(rng.IntN(3)), policy.KindDir, name)
		if r.Access == policy.Read && rng.IntN(3) == 0 {
			r = held([]policy.Hold{policy.HoldDir, policy.HoldFile, policy.HoldQuarantine, policy.HoldReport}[rng.IntN(4)], name)
		}
		rules[name] = r
	}
	var list []policy.Rule
	for _, r := range rules {
		inside := func(o policy.Rule) bool { return o.Path != r.Path && within(o.Path, r.Path) }
		absent := false
		for _, o := range rules {
			absent = absent || inside(o) && o.Hold != policy.HoldNone
		}
		if !absent { // nothing lies below what does not exist
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b policy.Rule) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// TestTreeAgreesWithOracle compares what the mounts of random policies do with
// what the policy says of the same paths.
func TestTreeAgreesWithOracle(t *testing.T) {
	t.Parallel()
	f := userFacts()
	f.Run = f.Run[:1]
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		r := resolved(t, func(p *policyText) { p.Workspace = []string{"/a"} }, randomRules(rng)...)
		p := compiled(t, f, r)
		checkTree(t, p.Steps)
		for _, rule := range r.Rules() {
			for _, name := range []string{rule.Path, rule.Path + "/n", path.Dir(rule.Path)} {
				want, by := r.AccessTo(name)
				at, got, empty := around(p.Steps, name)
				private := empty && got != policy.Hidden // where the host's files are not
				switch {
				case private && (by.Path != at || by.Access != policy.Write):
					continue // the sandbox's own directory, whatever is there outside
				case by.Hold == policy.HoldQuarantine, by.Hold == policy.HoldReport:
					continue // not held: judged by what lies around it
				case by.Hold != policy.HoldNone && got != policy.Write:
					continue // nothing can be made there in any case
				}
				if got != want {
					t.Fatalf("seed %d: %s is %s by %q on %s and %s by the policy's %s\n%s", seed, name, got, at, name, want, by.Path, render(p))
				}
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d\n%s", seed, render(p))
		}
	}
}

// TestOrderDoesNotMatter gives the same rules in another order to the tree.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		rules := randomRules(rng)
		make := func() string {
			tr := &tree{}
			tr.addRules(rules, false)
			tr.build()
			return line(tr.steps)
		}
		first := make()
		rng.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
		if second := make(); first != second {
			t.Fatalf("seed %d:\n%s\n%s", seed, first, second)
		}
	}
}
