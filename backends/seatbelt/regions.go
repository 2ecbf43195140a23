// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"path"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// region is a path rule with the rules directly inside it. A region stands for
// all that it covers but for the regions inside.
type region struct {
	rule   policy.Rule
	outer  *region // nil: the rest of the file system, which may be read
	within []*region
	temp   bool // a directory for temporary files of the host, hidden by no rule
}

// access is what may be done in a region.
func (r *region) access() policy.Access {
	if r == nil {
		return policy.Read
	}
	return r.rule.Access
}

// inside reports whether r lies in a region of an access, however deep.
func (r *region) inside(a policy.Access) bool {
	for out := r.outer; out != nil; out = out.outer {
		if out.access() == a {
			return true
		}
	}
	return false
}

// regions makes the tree of the rules, parents first. Names that are watched
// are part of the region around them: what appears there is moved away or
// reported, never refused.
func regions(rules []policy.Rule) []*region {
	var list, above []*region
	for _, rule := range rules {
		if rule.Hold == policy.HoldQuarantine || rule.Hold == policy.HoldReport {
			continue
		}
		for len(above) > 0 && !within(above[len(above)-1].rule.Path, rule.Path) {
			above = above[:len(above)-1]
		}
		r := &region{rule: rule}
		if len(above) > 0 {
			r.outer = above[len(above)-1]
			r.outer.within = append(r.outer.within, r)
		}
		list, above = append(list, r), append(above, r)
	}
	return list
}

// carved returns the outermost regions inside r that have an access for which
// is holds: what a rule about r must leave out.
func (r *region) carved(is func(policy.Access) bool) []*region {
	var list []*region
	for _, in := range r.within {
		if is(in.access()) {
			list = append(list, in)
		} else {
			list = append(list, in.carved(is)...)
		}
	}
	return list
}

// withTemp adds the host's directories for temporary files as if they were
// hidden: they are full of what other programs are at. Where the policy makes
// one writable, or hides it anyhow, it stays what the policy says.
func withTemp(rules []policy.Rule, dirs []string) (all []policy.Rule, added map[string]bool) {
	all, added = slices.Clone(rules), map[string]bool{}
	for _, dir := range dirs {
		access := policy.Read
		for _, r := range rules {
			if within(r.Path, dir) {
				access = r.Access
			}
		}
		if access == policy.Read && !slices.ContainsFunc(all, func(r policy.Rule) bool { return r.Path == dir }) {
			all = append(all, policy.Rule{Path: dir, Access: policy.Hidden, Kind: policy.KindDir})
			added[dir] = true
		}
	}
	key := func(r policy.Rule) string { return strings.ReplaceAll(pathspec.Darwin.Key(r.Path), "/", "\x00") }
	slices.SortStableFunc(all, func(a, b policy.Rule) int { return strings.Compare(key(a), key(b)) })
	return all, added
}

// between returns the directories above name and below dir, outermost first.
func between(dir, name string) []string {
	rest := strings.TrimPrefix(strings.TrimPrefix(name, strings.TrimSuffix(dir, "/")), "/")
	names := strings.Split(rest, "/")
	var list []string
	for _, n := range names[:len(names)-1] {
		dir = path.Join(dir, n)
		list = append(list, dir)
	}
	return list
}

func within(dir, name string) bool { return pathspec.Darwin.Within(dir, name) }
