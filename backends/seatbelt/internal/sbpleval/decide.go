// SPDX-License-Identifier: Apache-2.0

package sbpleval

import "slices"

// Model is one reading of how the kernel decides. The reports about it differ;
// a profile is right if it means the same under all of them.
type Model struct {
	// Flat is true where the last rule of the file that matches decides, about
	// the operation or a wildcard above it, with filters or without. Otherwise
	// the operation is looked up by itself before its wildcards, and the last
	// rule with a matching filter stands before the one without filters.
	Flat bool
	// Fold is true where filters of paths ignore case and normalisation.
	// Patterns never do.
	Fold bool
	// Mapped is true where localhost includes IPv4 addresses mapped to IPv6 and
	// the addresses of the host's own interfaces.
	Mapped bool
	// NoPatterns is true where patterns of paths match nothing. No kernel is
	// like that; it shows what would be left if the engine read one otherwise
	// than was meant, as engines of different releases did.
	NoPatterns bool
}

// Models returns all readings that were reported.
func Models() []Model {
	var list []Model
	for _, flat := range []bool{false, true} {
		for _, fold := range []bool{false, true} {
			for _, mapped := range []bool{false, true} {
				list = append(list, Model{Flat: flat, Fold: fold, Mapped: mapped})
			}
		}
	}
	return list
}

// Decide reports whether an operation on an object is allowed. An operation
// that does not exist is denied.
func (p *Profile) Decide(m Model, op string, r Request) bool {
	op, ok := canonical(op, p.up)
	if !ok {
		return false
	}
	r = r.in(m)
	if m.Flat {
		return p.flat(m, op, r)
	}
	return p.chain(m, op, r)
}

func (p *Profile) chain(m Model, op string, r Request) bool {
	for at := op; at != ""; at = p.up[at] {
		fallback, filtered := -1, -1
		for i, rule := range p.rules {
			switch {
			case !slices.Contains(rule.Ops, at):
			case !rule.Filtered():
				fallback = i
			case rule.matches(m, r):
				filtered = i
			}
		}
		switch {
		case filtered >= 0:
			return p.rules[filtered].Allow
		case fallback >= 0:
			return p.rules[fallback].Allow
		}
	}
	return false
}

func (p *Profile) flat(m Model, op string, r Request) bool {
	for _, rule := range slices.Backward(p.rules) {
		for at := op; at != ""; at = p.up[at] {
			if slices.Contains(rule.Ops, at) && (!rule.Filtered() || rule.matches(m, r)) {
				return rule.Allow
			}
		}
	}
	return false
}

func (r Rule) matches(m Model, q Request) bool {
	return slices.ContainsFunc(r.filters, func(f filter) bool { return f(m, q) })
}
