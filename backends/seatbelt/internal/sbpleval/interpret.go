// SPDX-License-Identifier: Apache-2.0

package sbpleval

import (
	"fmt"
	"slices"
)

// Profile is a profile that was read. It is safe for concurrent use.
type Profile struct {
	rules []Rule
	up    map[string]string
}

// Rule is one rule of a profile, in the order of the text.
type Rule struct {
	Allow   bool
	Ops     []string // canonical names
	At      int      // offset in the text
	filters []filter // alternatives; empty: the rule sets a fallback
}

// Filtered reports whether the rule is about some objects only.
func (r Rule) Filtered() bool { return len(r.filters) > 0 }

// Rules returns the rules. They are not to be changed.
func (p *Profile) Rules() []Rule { return p.rules }

// Interpret reads a profile as libsandbox would with these parameters. What it
// does not know is an error, never skipped: a head, an operation, a filter, a
// symbol, a parameter. So are what libsandbox takes and nobody means: a rule
// with an empty list of filters, two fallbacks of one operation, a path that no
// file can have.
func Interpret(text string, params map[string]string) (*Profile, error) {
	nodes, err := read(text)
	if err != nil {
		return nil, err
	}
	in := &interpreter{params: params, defined: map[string]value{}, profile: &Profile{up: parents}}
	for i, n := range nodes {
		if err := in.top(n, i == 0); err != nil {
			return nil, err
		}
	}
	if len(in.profile.rules) == 0 || !slices.Contains(in.profile.rules[0].Ops, "default") {
		return nil, fmt.Errorf("the profile does not begin with what holds by default")
	}
	return in.profile, nil
}

// value is what an expression stands for: a string, or a truth.
type value struct {
	text  string
	truth *bool
}

type interpreter struct {
	params  map[string]string
	defined map[string]value
	profile *Profile
}

func failAt(n node, format string, args ...any) error {
	return fmt.Errorf("offset %d: %s", n.at, fmt.Sprintf(format, args...))
}

// head returns the first word of a list.
func head(n node) string {
	if n.kind == listNode && len(n.list) > 0 && n.list[0].kind == symbolNode {
		return n.list[0].text
	}
	return ""
}

func (in *interpreter) top(n node, first bool) error {
	h := head(n)
	if first != (h == "version") {
		return failAt(n, "the version stands first and once")
	}
	switch h {
	case "version":
		if len(n.list) != 2 || n.list[1].kind != numberNode || n.list[1].text != "1" {
			return failAt(n, "a version other than 1")
		}
		return nil
	case "allow", "deny":
		return in.rule(n, h == "allow")
	case "define":
		if len(n.list) != 3 || n.list[1].kind != symbolNode {
			return failAt(n, "a definition that is no constant")
		}
		v, err := in.eval(n.list[2])
		in.defined[n.list[1].text] = v
		return err
	case "if", "when":
		return in.conditional(n, h)
	case "begin":
		for _, part := range n.list[1:] {
			if err := in.top(part, false); err != nil {
				return err
			}
		}
		return nil
	}
	return failAt(n, "unbound variable: %s", h)
}

func (in *interpreter) conditional(n node, h string) error {
	if len(n.list) < 3 || h == "if" && len(n.list) > 4 {
		return failAt(n, "a condition with %d parts", len(n.list)-1)
	}
	v, err := in.eval(n.list[1])
	if err != nil {
		return err
	}
	holds := v.truth == nil || *v.truth
	then := n.list[2:3]
	switch {
	case h == "when" && holds:
		then = n.list[2:]
	case h == "when":
		then = nil
	case !holds:
		then = n.list[3:]
	}
	for _, part := range then {
		if err := in.top(part, false); err != nil {
			return err
		}
	}
	return nil
}

// eval gives the value of an expression.
func (in *interpreter) eval(n node) (value, error) {
	switch {
	case n.kind == stringNode || n.kind == regexNode:
		return value{text: n.text}, nil
	case n.kind == boolNode:
		t := n.text == "#t"
		return value{truth: &t}, nil
	case n.kind == symbolNode:
		if v, ok := in.defined[n.text]; ok {
			return v, nil
		}
		return value{}, failAt(n, "unbound variable: %s", n.text)
	case head(n) == "param" && len(n.list) == 2 && n.list[1].kind == stringNode:
		if s, ok := in.params[n.list[1].text]; ok {
			return value{text: s}, nil
		}
		no := false
		return value{truth: &no}, nil
	case head(n) == "string-append":
		var out value
		for _, part := range n.list[1:] {
			v, err := in.eval(part)
			if err != nil {
				return value{}, err
			}
			if v.truth != nil {
				return value{}, failAt(part, "string-append: argument must be: string")
			}
			out.text += v.text
		}
		return out, nil
	}
	return value{}, failAt(n, "unbound variable: %s", head(n))
}

func (in *interpreter) rule(n node, allows bool) error {
	r := Rule{Allow: allows, At: n.at}
	parts := n.list[1:]
	for len(parts) > 0 && parts[0].kind == symbolNode {
		op, ok := canonical(parts[0].text, in.profile.up)
		if !ok {
			return failAt(parts[0], "unbound variable: %s", parts[0].text)
		}
		if slices.Contains(r.Ops, op) {
			return failAt(parts[0], "%s stands twice", op)
		}
		r.Ops = append(r.Ops, op)
		parts = parts[1:]
	}
	if len(r.Ops) == 0 {
		return failAt(n, "a rule without an operation")
	}
	for _, part := range parts {
		f, err := in.filter(part)
		if err != nil {
			return err
		}
		r.filters = append(r.filters, f)
	}
	if !r.Filtered() {
		for _, other := range in.profile.rules {
			for _, op := range r.Ops {
				if !other.Filtered() && slices.Contains(other.Ops, op) {
					return failAt(n, "%s has two fallbacks", op)
				}
			}
		}
	}
	in.profile.rules = append(in.profile.rules, r)
	return nil
}
