// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// form is a profile as nested lists, for making mutants of its text.
type form struct {
	text string // of an atom, as it is written
	list []form
}

func (f form) isList() bool { return f.text == "" }

func (f form) head() string {
	if len(f.list) > 0 {
		return f.list[0].text
	}
	return ""
}

func (f form) String() string {
	if !f.isList() {
		return f.text
	}
	var parts []string
	for _, in := range f.list {
		parts = append(parts, in.String())
	}
	return "(" + strings.Join(parts, " ") + ")"
}

// without returns a copy that lacks one element.
func (f form) without(i int) form {
	return form{list: append(slices.Clone(f.list[:i]), f.list[i+1:]...)}
}

// with returns a copy with another element.
func (f form) with(i int, in form) form {
	list := slices.Clone(f.list)
	list[i] = in
	return form{list: list}
}

// forms reads the text of a profile that Print wrote.
func forms(text string) []form {
	stack := [][]form{nil}
	for len(text) > 0 {
		switch c := text[0]; {
		case c == ' ' || c == '\n':
			text = text[1:]
			continue
		case c == ';':
			_, text, _ = strings.Cut(text, "\n")
			continue
		case c == '(':
			stack = append(stack, nil)
			text = text[1:]
			continue
		case c == ')':
			done := form{list: stack[len(stack)-1]}
			stack = stack[:len(stack)-1]
			stack[len(stack)-1] = append(stack[len(stack)-1], done)
			text = text[1:]
			continue
		}
		n := atomEnd(text)
		stack[len(stack)-1] = append(stack[len(stack)-1], form{text: text[:n]})
		text = text[n:]
	}
	return stack[0]
}

func atomEnd(text string) int {
	raw := strings.HasPrefix(text, `#"`)
	if !raw && text[0] != '"' {
		return strings.IndexAny(text, " \n()")
	}
	for i := strings.IndexByte(text, '"') + 1; ; i++ {
		switch {
		case text[i] == '\\' && !raw:
			i++
		case text[i] == '"':
			return i + 1
		}
	}
}

// mutant is a profile with one fault, and what the fault is.
type mutant struct {
	what string
	text string
}

// mutants returns every mutant of a profile, but of the rules that skip holds.
// Faults: a rule, an operation or a filter is missing; a denial stands before
// the allowances; a part of a condition is missing; a path, a name or a pattern
// is wider; neighbours are exchanged, if one allows what the other denies.
func mutants(text string, skip func(rule string) bool) []mutant {
	rules := forms(text)
	var list []mutant
	add := func(what string, changed []form) {
		var b strings.Builder
		for _, f := range changed {
			b.WriteString(f.String() + "\n")
		}
		list = append(list, mutant{what, b.String()})
	}
	for i, rule := range rules {
		if i < 2 || skip(rule.String()) {
			continue // the version and (deny default)
		}
		replaced := func(what string, f form) {
			changed := slices.Clone(rules)
			changed[i] = f
			add(fmt.Sprintf("%s in %s", what, rule), changed)
		}
		add("no "+rule.String(), slices.Delete(slices.Clone(rules), i, i+1))
		if rule.head() == "deny" {
			front := slices.Insert(slices.Delete(slices.Clone(rules), i, i+1), 2, rule)
			add("at the front: "+rule.String(), front)
		}
		if next := i + 1; next < len(rules) && rule.head() != rules[next].head() && shareOps(rule, rules[next]) {
			changed := slices.Clone(rules)
			changed[i], changed[next] = changed[next], changed[i]
			add("exchanged with the next: "+rule.String(), changed)
		}
		lists := 0
		for _, part := range rule.list {
			if part.isList() {
				lists++
			}
		}
		for n, part := range rule.list[1:] {
			n++
			if !part.isList() && len(rule.list)-lists > 2 || part.isList() && lists > 1 {
				replaced("no "+part.String(), rule.without(n))
			}
			if part.isList() {
				for _, f := range variants(part) {
					replaced(fmt.Sprintf("%s for %s", f, part), rule.with(n, f))
				}
			}
		}
	}
	return list
}

// variants are the faulty forms of a filter.
func variants(f form) []form {
	var list []form
	switch f.head() {
	case "require-all", "require-any":
		for i := range f.list {
			if i > 0 && len(f.list) > 2 {
				list = append(list, f.without(i))
			}
		}
	case "literal":
		list = append(list, form{list: []form{{text: "subpath"}, f.list[1]}})
		list = append(list, wider(f)...)
		return list
	case "subpath":
		return wider(f)
	case "remote", "local":
		switch f.list[1].text {
		case "ip":
			return openedUp(f)
		case "tcp":
			return append(openedUp(f), f.with(1, form{text: "ip"}))
		}
	case "global-name", "sysctl-name", "ipc-posix-name":
		return []form{{list: []form{{text: f.head() + "-prefix"}, f.list[1]}}}
	case "sysctl-name-prefix":
		name := f.list[1].text
		return []form{f.with(1, form{text: name[:len(name)-2] + `"`})}
	case "regex", "ipc-posix-name-regex":
		pattern := f.list[1].text
		for _, loose := range []string{strings.Replace(pattern, "^", "", 1), strings.Replace(pattern, "(/|$)", "", 1), strings.Replace(pattern, `$"`, `"`, 1)} {
			if loose != pattern {
				list = append(list, f.with(1, form{text: loose}))
			}
		}
		return list
	}
	for i, part := range f.list {
		if part.isList() {
			for _, v := range variants(part) {
				list = append(list, f.with(i, v))
			}
		}
	}
	return list
}

// openedUp are a filter of an address and every port, and every host.
func openedUp(f form) []form {
	port := itoa(proxyPort)
	if !f.list[2].isList() {
		_, port, _ = strings.Cut(strings.Trim(f.list[2].text, `"`), ":")
	}
	var list []form
	for _, address := range []string{"localhost:*", "*:" + port} {
		if text := `"` + address + `"`; text != f.list[2].text {
			list = append(list, f.with(2, form{text: text}))
		}
	}
	return list
}

// wider is a filter of a path and its directory's.
func wider(f form) []form {
	arg := f.list[1]
	if arg.isList() { // (param …)
		dir := tmpDirs
		if arg.list[1].text == `"TTY"` {
			dir = "/dev"
		}
		return []form{{list: []form{{text: "subpath"}, {text: `"` + dir + `"`}}}}
	}
	name := arg.text[1 : len(arg.text)-1]
	dir := path.Dir(name)
	if dir == name {
		return nil
	}
	return []form{{list: []form{{text: "subpath"}, {text: `"` + dir + `"`}}}}
}

// shareOps reports whether two rules are about one kind of operation.
func shareOps(a, b form) bool {
	kinds := func(f form) (list []string) {
		for _, part := range f.list[1:] {
			if !part.isList() {
				kind, _, _ := strings.Cut(strings.TrimSuffix(part.text, "*"), "-")
				list = append(list, kind)
			}
		}
		return list
	}
	return slices.ContainsFunc(kinds(a), func(k string) bool { return slices.Contains(kinds(b), k) })
}
