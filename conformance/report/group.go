// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// group is a guarantee, or the duties, with what belongs to it.
type group struct {
	id      guarantee.ID // "" is the duties
	promise string
}

// name is what reports call the group; it is also its class in JUnit.
func (g group) name() string {
	if g.id == "" {
		return "duty"
	}
	return string(g.id)
}

// groups returns the duties, all guarantees in the order of the contract, and
// then those of used that this version does not know, sorted.
func groups(used []guarantee.ID) []group {
	list := []group{{"", "real work goes on inside: reading, writing in the workspace, streams, terminals, signals, exit statuses"}}
	for _, i := range guarantee.All() {
		list = append(list, group{i.ID, i.Promise})
	}
	used = slices.Clone(used)
	slices.Sort(used)
	for _, id := range slices.Compact(used) {
		if id != "" && !guarantee.Known(id) {
			list = append(list, group{id, "this version of caisson does not know this guarantee"})
		}
	}
	return list
}

// rank orders verdicts by what weighs most where several are put into one.
func rank(v Verdict) int {
	return slices.Index([]Verdict{NotApplicable, Held, Pass, NotHeld, NotRun, Error, Fail}, v)
}

// state puts results into one: the verdict that weighs most, and what it means
// for their group, in a few words. Of none, the verdict is "".
func state(results []Result) (Verdict, string) {
	if len(results) == 0 {
		return "", "no case"
	}
	v := slices.MaxFunc(results, func(a, b Result) int { return rank(a.Verdict) - rank(b.Verdict) }).Verdict
	part := ""
	if slices.ContainsFunc(results, func(other Result) bool { return other.Verdict != v }) {
		part = "in part "
	}
	switch v {
	case Pass:
		return v, "kept"
	case Fail:
		if slices.ContainsFunc(results, func(r Result) bool { return r.Verdict == Fail && r.Requirement == "must" }) {
			return v, "broken"
		}
		return v, "broken, but in no must"
	case Held:
		return v, "not claimed, held"
	case NotHeld:
		return v, "not claimed, not held"
	case NotApplicable:
		return v, "not applicable"
	case Error:
		return v, part + "not judged"
	case NotRun:
		return v, part + "not run"
	}
	return v, string(v)
}

// of returns the results of a group, in the order of the report.
func (r *Report) of(g group) []Result {
	var list []Result
	for _, one := range r.Results {
		if one.Guarantee == g.id {
			list = append(list, one)
		}
	}
	return list
}

// groups returns the groups of a report. All guarantees are there, so that a
// missing one is seen to be missing.
func (r *Report) groups() []group {
	used := r.Claims.IDs()
	for _, one := range r.Results {
		used = append(used, one.Guarantee)
	}
	return groups(used)
}

// claim says who upholds a group: its claim in words.
func claim(claims guarantee.Set, g group) string {
	if g.id == "" {
		return "always asked for"
	}
	c, ok := claims[g.id]
	if !ok {
		return "not claimed"
	}
	words := "claimed"
	if c.By != "" {
		words += ", upheld by " + string(c.By)
	}
	if c.Note != "" {
		words += " (" + c.Note + ")"
	}
	return words
}

// detailed reports whether a verdict needs its reason and its meaning.
func detailed(v Verdict) bool { return v != Pass && v != Held && v != NotApplicable }

// fold is results that a page shows when asked to.
type fold struct {
	title   string
	results []Result
}

// folded parts results into those that a reader must see and those that may be
// folded away: what held, and what is not applicable.
func folded(results []Result) (open []Result, folds []fold) {
	var held, none []Result
	for _, one := range results {
		switch {
		case detailed(one.Verdict):
			open = append(open, one)
		case one.Verdict == NotApplicable:
			none = append(none, one)
		default:
			held = append(held, one)
		}
	}
	if len(held) > 0 {
		folds = append(folds, fold{count(len(held), "case") + " that held", held})
	}
	if len(none) > 0 {
		folds = append(folds, fold{count(len(none), "case") + " not applicable", none})
	}
	return open, folds
}

// title is how a target is called.
func (t Target) title() string { return strings.TrimSpace(t.Name + " " + t.Version) }

// title is how a host is called.
func (h Host) title() string {
	var parts []string
	for _, p := range []string{h.System, h.Kernel, h.OS + "/" + h.Arch, "as " + h.User} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}
