// SPDX-License-Identifier: Apache-2.0

// Package envfilter decides which variables of the caller's environment reach
// a command: Filter is a pure function of the two.
//
// What is looked for are secrets, sockets of agents that act for the user, and
// variables that put code into programs. A variable is dropped for its name or
// for the shape of its value; rules in names.go and values.go.
package envfilter

import (
	"maps"
	"slices"
	"strings"
)

// Rules say what passes. The zero value is the clean environment of Linux.
type Rules struct {
	// All passes everything that is well formed, as inherit = "all" does.
	All bool
	// Pass are the names that pass whatever they hold.
	Pass []string
	// Set are variables that the command gets in any case.
	Set map[string]string
	// FoldCase is true where names that differ in case are one variable, as on
	// Windows.
	FoldCase bool
}

// Dropped is one variable that does not reach the command. The value is never
// part of it.
type Dropped struct {
	Name string
	Why  string // half a sentence, such as "its value looks like a token"
}

// Filter returns the environment of the command, in the order of environ with
// the variables of Set after it, and what was dropped. Of several entries for
// one name the last one counts. Entries that no program can have set properly,
// without "=", without a name or with a NUL byte, are dropped.
func Filter(environ []string, rules Rules) (kept []string, dropped []Dropped) {
	key := func(name string) string {
		if rules.FoldCase {
			return strings.ToUpper(name)
		}
		return name
	}
	set := make(map[string]bool, len(rules.Set))
	for name := range rules.Set {
		set[key(name)] = true
	}
	pass := make(map[string]bool, len(rules.Pass))
	for _, name := range rules.Pass {
		pass[key(name)] = true
	}
	last := make(map[string]int, len(environ))
	for i, entry := range environ {
		if name, _, ok := split(entry, rules.FoldCase); ok {
			last[key(name)] = i
		}
	}
	for i, entry := range environ {
		name, value, ok := split(entry, rules.FoldCase)
		switch {
		case !ok:
			dropped = append(dropped, Dropped{Name: name, Why: "it is malformed"})
		case last[key(name)] != i || set[key(name)]:
			// replaced by a later one
		case rules.All || pass[key(name)]:
			kept = append(kept, entry)
		default:
			why := nameReason(name, rules.FoldCase)
			if why == "" {
				why = valueReason(value)
			}
			if why != "" {
				dropped = append(dropped, Dropped{Name: name, Why: why})
				continue
			}
			kept = append(kept, entry)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rules.Set)) {
		kept = append(kept, name+"="+rules.Set[name])
	}
	return kept, dropped
}

// split cuts an entry at its "=". The name of a Windows entry may begin with
// one: "=C:" holds the current directory of a drive.
func split(entry string, windows bool) (name, value string, ok bool) {
	from := 0
	if windows && strings.HasPrefix(entry, "=") {
		from = 1
	}
	i := strings.IndexByte(entry[from:], '=')
	if i < 0 {
		return "", "", false
	}
	name, value = entry[:from+i], entry[from+i+1:]
	return name, value, name != "" && !strings.ContainsRune(entry, 0)
}
