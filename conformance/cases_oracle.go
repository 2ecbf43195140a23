// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
)

const meansOracle = "What `caisson explain` says of a path is not what the system does: people and agents decide on a wrong answer."

// rule is one entry of a random policy.
type rule struct{ kind, path string }

// tree is a random tree of files and a random policy over it.
type tree struct {
	files []string // each holds secret
	dirs  []string
	rules []rule
	kinds []string // of the rules that the round draws from
}

func oracleCases() []Case {
	oracle := func(id, title string, g guarantee.ID, kinds ...string) Case {
		return Case{ID: id, Title: title, Guarantee: g, Clause: string(g), Requirement: Must, Needs: []Need{NeedOracle},
			Meaning: meansOracle, once: true, run: func(t *T) { t.consult(kinds) }}
	}
	return []Case{
		oracle("oracle-01", "random writable and protected paths are what the policy says", guarantee.WriteProtected, "write", "protect"),
		oracle("oracle-02", "random hidden and shown paths are what the policy says", guarantee.ReadHidden, "hide", "show"),
		oracle("oracle-03", "random paths of every kind are what the policy says", guarantee.WriteConfined, "write", "protect", "hide", "show"),
	}
}

// rounds is how many random policies one case tries.
const rounds = 4

func (t *T) consult(kinds []string) {
	h := fnv.New64a()
	h.Write([]byte(t.c.ID))
	for round := range rounds {
		rng := rand.New(rand.NewPCG(t.run.Seed, h.Sum64()+uint64(round)))
		g := t.grow(rng, fmt.Sprintf("r%d", round), kinds)
		if t.Bare() {
			// Nothing is denied here: what the policy would deny is done.
			t.Harm(tells(t.Do(act.Request{Op: "read", Path: g.files[0]}), "content"), "a file was read")
			return
		}
		wrong := t.compare(g)
		if wrong == "" {
			continue
		}
		g, wrong = t.shrink(g, wrong)
		t.Harm(true, "seed %d: %s, with the rules %v", t.run.Seed, wrong, g.rules)
		return
	}
	t.Harm(false, "")
}

// grow makes a tree in the workspace and one beside it, and rules for some of
// its paths.
func (t *T) grow(rng *rand.Rand, name string, kinds []string) tree {
	g := tree{kinds: kinds}
	var fill func(dir string, depth int)
	fill = func(dir string, depth int) {
		g.dirs = append(g.dirs, t.Dir(dir))
		g.files = append(g.files, t.File(filepath.Join(dir, "f"), "content"))
		if depth == 0 {
			return
		}
		for _, child := range []string{"a", "b c", "ü"}[:1+rng.IntN(3)] {
			fill(filepath.Join(dir, child), depth-1)
		}
	}
	fill(t.In(name), 2)
	fill(t.Out(name), 2)
	all := slices.Concat(g.dirs, g.files)
	for range 2 + rng.IntN(6) {
		g.rules = append(g.rules, rule{kinds[rng.IntN(len(kinds))], all[rng.IntN(len(all))]})
	}
	return g
}

func (r rule) add(f *policy.Files) {
	switch r.kind {
	case "write":
		f.Write = append(f.Write, r.path)
	case "protect":
		f.Protect = append(f.Protect, r.path)
	case "hide":
		f.Hide = append(f.Hide, r.path)
	case "show":
		f.Show = append(f.Show, r.path)
	}
}

// compare opens a sandbox with the rules of a tree and returns the first
// difference between what the policy says and what happens; "" is none.
func (t *T) compare(g tree) string {
	spec := t.Spec
	spec.Policy = func(p policy.Policy) policy.Policy {
		for _, r := range g.rules {
			r.add(&p.Files)
		}
		return p
	}
	t.sb = t.open(t.current(), spec)
	sb, ok := t.sb.(resolver)
	if !ok {
		t.Fatal("the target does not say what its policy means")
	}
	resolved := sb.Resolved()
	if !t.upholdsAll(g.kinds) {
		return ""
	}
	h := t.StartWith(Command{}, "serve")
	wrong := ""
	for _, f := range g.files {
		access, _ := resolved.AccessTo(f)
		if wrong = t.probe(h, f, access); wrong != "" {
			break
		}
	}
	for _, d := range g.dirs {
		if wrong != "" {
			break
		}
		access, _ := resolved.AccessTo(filepath.Join(d, "new"))
		h.Do(act.Request{Op: "create", Path: filepath.Join(d, "new"), Data: "x"})
		made := t.Exists(filepath.Join(d, "new"))
		removeAll(filepath.Join(d, "new"))
		if made != (access == policy.Write) {
			wrong = fmt.Sprintf("a file can be made in %s: %v, and the policy says %s", d, made, access)
		}
		if wrong == "" {
			wrong = g.listing(d, h.Do(act.Request{Op: "list", Path: d}).List, resolved, t.fenced())
		}
	}
	h.end()
	t.helpers = slices.DeleteFunc(t.helpers, func(one *Inside) bool { return one == h })
	if err := t.sb.Close(); err != nil {
		t.Fatal("the sandbox did not close: %v", err)
	}
	return wrong
}

// upholdsAll reports whether the sandbox of a round over several kinds of rules
// promises what each of them is about: what is judged is what they are together.
func (t *T) upholdsAll(kinds []string) bool {
	about := map[string]guarantee.ID{"protect": guarantee.WriteProtected, "hide": guarantee.ReadHidden}
	for _, kind := range kinds {
		id, ok := about[kind]
		_, now := t.sb.Claims()[id]
		_, judged := t.claimed[id] // by the claims of the first round
		if ok && !now && (id != t.c.Guarantee || judged) {
			return false
		}
	}
	return true
}

// listing compares the names that a directory gave inside with the policy: all
// of them where it can be read; where it is hidden, those on the way to
// something shown.
//
// Without namespaces, what cannot be listed in full cannot be listed at all.
func (g tree) listing(dir string, names []string, resolved *policy.Resolved, fenced bool) string {
	access, _ := resolved.AccessTo(dir)
	for _, path := range slices.Concat(g.dirs, g.files) {
		if filepath.Dir(path) != dir {
			continue
		}
		way := slices.ContainsFunc(slices.Concat(g.dirs, g.files), func(p string) bool {
			a, _ := resolved.AccessTo(p)
			return a != policy.Hidden && (p == path || strings.HasPrefix(p, path+string(filepath.Separator)))
		})
		if seen := slices.Contains(names, filepath.Base(path)); seen != (access != policy.Hidden || way) && (seen || !fenced) {
			return fmt.Sprintf("%s is listed: %v, and the policy says %s of its directory", path, seen, access)
		}
	}
	return ""
}

// probe reads and writes one file inside and compares with what is allowed.
func (t *T) probe(h *Inside, f string, access policy.Access) string {
	read := tells(h.Do(act.Request{Op: "read", Path: f}), "content")
	h.Do(act.Request{Op: "append", Path: f, Data: "."})
	wrote := strings.HasSuffix(t.Content(f), ".")
	if wrote {
		t.File(f, "content")
	}
	if read != (access != policy.Hidden) || wrote != (access == policy.Write) {
		return fmt.Sprintf("%s can be read: %v, and written: %v, and the policy says %s", f, read, wrote, access)
	}
	return ""
}

// shrink takes rules away while something is wrong.
func (t *T) shrink(g tree, wrong string) (tree, string) {
	for i := 0; i < len(g.rules); {
		less := g
		less.rules = slices.Delete(slices.Clone(g.rules), i, i+1)
		if w := t.compare(less); w != "" {
			g, wrong = less, w
			continue
		}
		i++
	}
	return g, wrong
}
