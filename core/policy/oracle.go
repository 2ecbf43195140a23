// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"sort"
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// AccessTo says what may be done with an absolute path, and the rule that says
// so. It is the oracle that enforcement is judged by: a backend that applies
// Rules in their order, each over the ones before it, gives the same answers.
//
// Symbolic links are not followed; resolve the path first. What no rule covers
// may be read, by a Rule without Path. A path that cannot exist on the system
// is Hidden by such a rule. An absent path that is held may be read but not
// made; one that is only watched may be written.
func (r *Resolved) AccessTo(path string) (Access, Rule) {
	os := pathspec.OS(r.data.OS)
	if os.Check(path) != nil || !os.IsAbs(path) {
		return Hidden, Rule{Access: Hidden, Origin: Origin{File: originStandard}}
	}
	path = os.Clean(path)
	rule, ok := r.nearest(path)
	if !ok {
		return Read, Rule{Access: Read, Origin: Origin{File: originStandard}}
	}
	if rule.Hold == HoldQuarantine || rule.Hold == HoldReport {
		return Write, rule
	}
	return rule.Access, rule
}

// nearest returns the most specific rule that covers a cleaned path. The rules
// are sorted like their keys, so each ancestor is found by a search.
func (r *Resolved) nearest(path string) (Rule, bool) {
	os := pathspec.OS(r.data.OS)
	rules := r.data.Rules
	for {
		key := sortKey(os, path)
		i := sort.Search(len(rules), func(i int) bool { return strings.Compare(sortKey(os, rules[i].Path), key) >= 0 })
		if i < len(rules) && sortKey(os, rules[i].Path) == key {
			return rules[i], true
		}
		up := os.Dir(path)
		if up == path {
			return Rule{}, false
		}
		path = up
	}
}
