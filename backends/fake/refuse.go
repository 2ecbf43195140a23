// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// refuses reports whether a leak of a duty is in the way of an allowed act.
func (m *Monitor) refuses(a Act) bool {
	if a.Op == Fork {
		return m.Leaky("duty.no-children") || m.Leaky("duty.few-children") && a.Num > 10
	}
	for _, w := range a.paths() {
		p, err := m.find(w.path, a.Dir, w.follow)
		if err == nil && m.refusesPath(a, w, p) {
			return true
		}
	}
	return false
}

func (m *Monitor) refusesPath(a Act, w wants, p place) bool {
	ops := func(leak string, ops ...Op) bool { return m.Leaky("duty."+leak) && slices.Contains(ops, a.Op) }
	inside := slices.ContainsFunc(m.Policy.Workspace(), func(dir string) bool { return below(p.path, dir) })
	temp := m.temp(p.path) != ""
	access, _ := m.access(p.path)
	switch {
	case ops("metadata", Mode, Times), ops("renames", Rename), ops("links", Link, Symlink), ops("removals", Remove, RemoveTree),
		ops("mappings", Map), ops("nodes", Fifo):
	case m.Leaky("duty.read-outside") && !inside && !temp && w.need == toSee:
	case m.Leaky("duty.read-protected") && inside && access == policy.Read && w.need == toSee:
	case m.Leaky("duty.read-links") && !inside && len(p.links) > 0:
	case m.Leaky("duty.home") && filepath.Dir(p.path) == m.Policy.Home():
	case m.Leaky("duty.workspace") && !temp && w.need != toSee && !usual(p):
	case m.Leaky("duty.long-paths") && len(p.path) > 255:
	case m.Leaky("duty.names") && strings.ContainsAny(filepath.Base(p.path), `'"$;`):
	case m.Leaky("duty.second-root") && !inside && access == policy.Write:
	case m.Leaky("duty.beside-protected") && w.need != toSee && m.protects(filepath.Dir(p.path)):
	case m.Leaky("duty.large-files") && w.need != toSee && a.Num > 1<<20:
	case m.Leaky("duty.tools") && inside && a.Op == Execute:
	case m.Leaky("duty.temporary") && temp:
	case m.Leaky("duty.devices") && usual(p):
	default:
		return false
	}
	return true
}

// protects reports whether something that exists in a directory is protected.
func (m *Monitor) protects(dir string) bool {
	return slices.ContainsFunc(m.Policy.Rules(), func(r policy.Rule) bool {
		return r.Access == policy.Read && r.Hold == policy.HoldNone && filepath.Dir(r.Path) == dir
	})
}
