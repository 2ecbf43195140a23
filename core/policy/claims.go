// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// say is what a claim says of its path.
type say uint8

const (
	sayHide      say = iota // neither read nor listed
	sayProtect              // no more than read
	sayWrite                // writable, asked for by name
	sayDerived              // writable because something else is: never inside what is hidden
	sayAgain                // as sayDerived, and only inside something writable
	sayUnprotect            // writable again inside something protected
	sayShow                 // readable again inside something hidden
)

// claim is what one entry says of one path. Claims are merged to rules; their
// order never matters.
type claim struct {
	Rule  // Access is set by merge
	say   say
	layer LayerKind
	own   bool   // caisson's own file: nothing lifts or overrides it
	key   string // of Path, for sorting; set by merge
}

// lift removes the claims of one kind at a path and below it, or those of one
// named set.
type lift struct {
	say  say // sayHide or sayProtect
	path string
	set  string
}

// applyLifts removes what show and unprotect lift.
func applyLifts(os pathspec.OS, claims []claim, lifts []lift) []claim {
	if len(lifts) == 0 {
		return claims
	}
	return slices.DeleteFunc(claims, func(c claim) bool {
		return !c.own && slices.ContainsFunc(lifts, func(l lift) bool {
			if l.say != c.say {
				return false
			}
			if l.set != "" {
				return l.set == c.Origin.Set && c.layer == LayerStandard
			}
			return os.Within(l.path, c.Path)
		})
	})
}

// dropDerived removes derived write claims below what a file, a flag or a
// program hides or protects by name: what is writable only by consequence gives
// way to what somebody wrote down.
func dropDerived(os pathspec.OS, claims []claim) []claim {
	var named []string
	for _, c := range claims {
		if c.layer != LayerStandard && (c.say == sayHide || c.say == sayProtect) {
			named = append(named, c.Path)
		}
	}
	return slices.DeleteFunc(claims, func(c claim) bool {
		return (c.say == sayDerived || c.say == sayAgain) && slices.ContainsFunc(named, func(p string) bool { return os.Within(p, c.Path) })
	})
}

// merge makes the rules: parents first, at most one for each path, none that
// changes nothing. A rule stands for all below it until a deeper one.
func merge(os pathspec.OS, claims []claim, lifts []lift) []Rule {
	claims = dropDerived(os, applyLifts(os, claims, lifts))
	for i := range claims {
		claims[i].key = sortKey(os, claims[i].Path)
	}
	slices.SortFunc(claims, func(a, b claim) int {
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return compareClaims(a, b)
	})
	var rules []Rule
	var above []Rule // the rules around the current path, outermost first
	for len(claims) > 0 {
		n := 1
		for n < len(claims) && claims[n].key == claims[0].key {
			n++
		}
		here := claims[:n]
		claims = claims[n:]
		for len(above) > 0 && !os.Within(above[len(above)-1].Path, here[0].Path) {
			above = above[:len(above)-1]
		}
		if rule, ok := mergeAt(here, above); ok {
			rules = append(rules, rule)
			above = append(above, rule)
		}
	}
	return rules
}

// sortKey sorts like Key, but a directory directly before all that it holds:
// "/a/b" before "/a-c".
func sortKey(os pathspec.OS, path string) string {
	return strings.ReplaceAll(os.Key(path), os.Separator(), "\x00")
}

// mergeAt decides among the claims on one path. Restrictions come first and the
// strictest wins; then what was asked for by name, then what follows from it.
func mergeAt(here []claim, above []Rule) (Rule, bool) {
	outer := Read
	if len(above) > 0 {
		outer = above[len(above)-1].Access
	}
	opened := slices.ContainsFunc(here, func(c claim) bool { return c.say >= sayWrite && c.say < sayShow })
	for _, c := range here {
		r := c.Rule
		switch {
		case c.say == sayHide:
			r.Access = Hidden
			return r, outer != Hidden || opened
		case c.say == sayProtect && (outer == Write || opened):
			r.Access = Read
			return r, true
		case c.say == sayWrite, c.say == sayDerived && (outer == Read || c.own):
			r.Access = Write
			return r, true
		case (c.say == sayAgain || c.say == sayUnprotect) && outer == Read && slices.ContainsFunc(above, func(r Rule) bool { return r.Access == Write }):
			r.Access = Write
			return r, true
		case c.say == sayShow && outer == Hidden && !inOwn(above):
			r.Access = Read
			return r, true
		}
	}
	return Rule{}, false
}

// inOwn reports whether the innermost rule hides caisson's own state.
func inOwn(above []Rule) bool {
	return len(above) > 0 && above[len(above)-1].Origin.Set == ownSet
}

// compareClaims orders the claims on one path: the strictest first, and among
// equals the lowest layer, which is what an override has to name.
func compareClaims(a, b claim) int {
	return cmp.Or(
		cmp.Compare(a.say, b.say),
		-cmp.Compare(holdRank(a.Hold), holdRank(b.Hold)),
		cmp.Compare(a.layer, b.layer),
		cmp.Compare(a.Origin.File, b.Origin.File),
		cmp.Compare(a.Origin.Line, b.Origin.Line),
		cmp.Compare(a.Origin.Column, b.Origin.Column),
		cmp.Compare(a.Origin.Set, b.Origin.Set),
		cmp.Compare(a.Path, b.Path),
		cmp.Compare(a.Content, b.Content),
		boolRank(a.own, b.own), boolRank(a.Root, b.Root),
	)
}

func boolRank(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// holdRank orders the ways to hold a name: a file is chosen where a tool needs
// one, and then stands before a directory.
func holdRank(h Hold) int {
	return slices.Index([]Hold{HoldNone, HoldReport, HoldQuarantine, HoldDir, HoldFile, HoldLink}, h)
}
