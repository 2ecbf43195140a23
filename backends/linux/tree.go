// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"cmp"
	"path"
	"slices"

	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// tree builds the mounts of a plan. Everything that has a place in the file
// system, rules and the sandbox's own directories alike, is an item; items are
// applied parents first, each over the ones that it lies in. That is the order
// by which the policy's oracle judges, and no mount buries an earlier one.
type tree struct {
	items []item
	steps []plan.Step
	watch plan.Watch
	above []layer // what the current item lies in, outermost first
	pins  map[string]bool
}

// item is one thing with a place: a step of the sandbox's own, or a rule.
type item struct {
	path string
	rank int
	own  plan.Step // nil: rule
	rule *policy.Rule
	only bool // the rule only restricts, it shows nothing
}

// The ranks of items at one path. The sandbox's own directories give way to
// rules, and the strictest rule comes last, so that it stands.
const (
	rankOwn = iota
	rankWrite
	rankRead
	rankHidden
)

// layer is something that was mounted. In an empty one, a private directory or
// a cover, nothing of the host is left: what comes there needs a mount point.
type layer struct {
	path   string
	access policy.Access
	empty  bool
}

func (t *tree) addOwn(name string, step plan.Step) {
	t.items = append(t.items, item{path: name, rank: rankOwn, own: step})
}

// addRules adds rules; the new /proc buries what is there. Where only is true
// the rules restrict and show nothing.
func (t *tree) addRules(rules []policy.Rule, only bool) {
	for i := range rules {
		if r := &rules[i]; !within("/proc", r.Path) {
			t.addRule(r, only)
		}
	}
}

// addSockets shows the granted sockets where something of the sandbox's own, or
// what hides them, would be in the way. Inside a writable root they are
// protected: no command puts another socket in their place.
func (t *tree) addSockets(r *policy.Resolved) {
	for _, name := range r.Network().Unix {
		if !within("/proc", name) {
			t.addRule(&policy.Rule{Path: name, Access: policy.Read, Kind: policy.KindOther}, false)
		}
	}
}

func (t *tree) addRule(r *policy.Rule, only bool) {
	rank := rankHidden
	switch r.Access {
	case policy.Write:
		rank = rankWrite
	case policy.Read:
		rank = rankRead
	}
	t.items = append(t.items, item{path: r.Path, rank: rank, rule: r, only: only})
}

// build makes the steps of all items.
func (t *tree) build() {
	slices.SortStableFunc(t.items, func(a, b item) int {
		return cmp.Or(comparePaths(a.path, b.path), cmp.Compare(a.rank, b.rank))
	})
	t.pins = map[string]bool{}
	t.above = []layer{{path: "/", access: policy.Read}}
	for _, it := range t.items {
		for !within(t.top().path, it.path) {
			t.above = t.above[:len(t.above)-1]
		}
		switch {
		case it.own != nil:
			t.placeOwn(it.path, it.own)
		case it.rule.Access == policy.Hidden:
			t.hide(it.rule)
		case it.rule.Access == policy.Read:
			t.read(it.rule, it.only)
		default:
			t.write(it.rule)
		}
	}
}

func (t *tree) top() layer { return t.above[len(t.above)-1] }

// mount adds a step that mounts something, with what it needs: a mount point
// where nothing is, pins where what it lies in could be renamed.
func (t *tree) mount(l layer, kind string, step plan.Step) {
	top := t.top()
	switch {
	case top.empty && top.path != l.path:
		t.steps = append(t.steps, plan.MountPoint{Path: l.path, Kind: kind})
	case top.access == policy.Write:
		t.pin(l.path)
	}
	t.steps = append(t.steps, step)
	t.above = append(t.above, l)
}

// pin makes mounts of the directories between the writable mount and name,
// outermost first. A mount cannot be renamed; without this, moving a directory
// away and making it anew would lose what is mounted in it.
func (t *tree) pin(name string) {
	var between []string
	for dir := path.Dir(name); dir != t.top().path && within(t.top().path, dir); dir = path.Dir(dir) {
		between = append(between, dir)
	}
	for _, dir := range slices.Backward(between) {
		if !t.pins[dir] {
			t.pins[dir] = true
			t.steps = append(t.steps, plan.Bind{Path: dir, Access: "write", Kind: "dir", Role: "pin"})
		}
	}
}

func (t *tree) placeOwn(name string, step plan.Step) {
	switch st := step.(type) {
	case plan.Link:
		if t.top().empty {
			t.steps = append(t.steps, st)
		}
	case plan.Private:
		access := policy.Write
		if st.ReadOnly {
			access = policy.Read
		}
		t.mount(layer{name, access, true}, "dir", st)
	case plan.Devices:
		t.mount(layer{name, policy.Read, true}, "dir", st)
	case plan.Bind:
		t.mount(layer{name, policy.Write, false}, "dir", st)
	}
}

// hide covers a path. In an empty layer there is nothing to hide. An absent
// path has no secret, but for caisson's own directory, which may yet be made.
func (t *tree) hide(r *policy.Rule) {
	if t.top().empty || r.Kind == policy.KindAbsent && !isOwn(r) {
		return
	}
	kind := "file"
	if r.Kind == policy.KindDir || r.Kind == policy.KindAbsent {
		kind = "dir"
	}
	t.mount(layer{r.Path, policy.Hidden, true}, kind, plan.Cover{Path: r.Path, Kind: kind, Optional: r.Kind == policy.KindAbsent})
}

// isOwn reports whether a rule is about caisson's own files.
func isOwn(r *policy.Rule) bool { return r.Origin.Set == "@caisson" }

// read protects inside something writable and shows inside something hidden.
// Elsewhere everything is readable and nothing writable already. A directory of
// the sandbox's own is not replaced by the host's.
func (t *tree) read(r *policy.Rule, only bool) {
	top := t.top()
	switch {
	case top.empty:
		if r.Kind != policy.KindAbsent && r.Path != top.path && !only {
			t.bind(r, "read", "show")
		}
	case top.access == policy.Write:
		t.protect(r)
	}
}

func (t *tree) protect(r *policy.Rule) {
	switch r.Hold {
	case policy.HoldNone:
		if r.Kind != policy.KindAbsent {
			t.bind(r, "read", "protect")
		}
	case policy.HoldDir, policy.HoldFile, policy.HoldLink:
		t.mount(layer{r.Path, policy.Read, false}, string(r.Hold), plan.Hold{Path: r.Path, Kind: string(r.Hold), Content: r.Content})
	case policy.HoldQuarantine:
		t.watch.Quarantine = append(t.watch.Quarantine, r.Path)
	case policy.HoldReport:
		t.watch.Report = append(t.watch.Report, r.Path)
	}
}

// write makes writable what is not. The launcher's caller makes the directory
// for caches where it is missing, so an absent path is one.
func (t *tree) write(r *policy.Rule) {
	if top := t.top(); top.access == policy.Write && !top.empty {
		return
	}
	role := "write"
	if r.Root {
		role = "root"
	}
	t.bind(r, "write", role)
}

func (t *tree) bind(r *policy.Rule, access, role string) {
	kind := string(r.Kind)
	switch r.Kind {
	case policy.KindAbsent:
		kind = "dir"
	case policy.KindOther:
		kind = "file"
	}
	b := plan.Bind{Path: r.Path, Access: access, Kind: kind, Role: role, Dev: r.Dev, Ino: r.Ino}
	t.mount(layer{r.Path, r.Access, false}, kind, b)
}
