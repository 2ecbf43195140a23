// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/hostrule"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

// check refuses a policy whose values mean nothing, or that changes what the
// system pins. What came from files was checked when it was read; this is for
// what a program put into the fields since.
func (p Policy) check() error {
	for _, s := range settings() {
		for _, v := range p.values(s.name) {
			if message, remedy := checkValue(s, v); message != "" {
				return diag.New(diag.PolicyInvalid, fmt.Sprintf("%s: %s: %s", p.originOf(s.name, v), s.name, message), remedy)
			}
		}
	}
	return p.checkFinal()
}

// originOf returns the last origin of a value, as messages name it.
func (p Policy) originOf(setting, value string) string {
	o := Origin{File: originProgram}
	for _, e := range p.entries(setting) {
		if e.Value == value {
			o = e.Origin
		}
	}
	return o.place()
}

// place is an origin as messages name it: FILE:LINE:COLUMN, or the flag.
func (o Origin) place() string {
	if o.Line == 0 {
		return diag.Quote(o.File)
	}
	return fmt.Sprintf("%s:%d:%d", diag.Quote(o.File), o.Line, o.Column)
}

// checkValue says what is wrong with one value of a setting and what to write
// instead; the message is empty where nothing is wrong.
func checkValue(s setting, v string) (message, remedy string) {
	if strings.IndexByte(v, 0) >= 0 {
		return "a NUL character", ""
	}
	if s.kind != plain {
		return checkPath(s, v)
	}
	if known := words(s.name); known != nil && !slices.Contains(known, v) {
		return fmt.Sprintf("unknown value %q", v), strict.DidYouMean(v, known)
	}
	switch s.name {
	case "require", "allow-weaker":
		var ids []string
		for _, i := range guarantee.All() {
			ids = append(ids, string(i.ID))
		}
		if !slices.Contains(ids, v) {
			return fmt.Sprintf("unknown guarantee %q", v), strict.DidYouMean(v, ids)
		}
	case "final":
		var names []string
		for _, s := range settings() {
			if s.name != "final" {
				names = append(names, s.name)
			}
		}
		if !slices.Contains(names, v) {
			return fmt.Sprintf("unknown setting %q", v), strict.DidYouMean(v, names)
		}
	case "network.allow", "network.deny":
		return checkHost(v)
	case "network.loopback", "network.publish":
		if port, err := strconv.Atoi(v); err != nil || !validPort(port) {
			return fmt.Sprintf("%s is no port", v), "ports are 1 to 65535"
		}
	case "env.pass":
		return checkEnvName(v)
	case "env.set":
		name, _, _ := strings.Cut(v, "=")
		return checkEnvName(name)
	case "limits.time", "limits.memory", "limits.processes":
		if strings.HasPrefix(v, "-") {
			return "must be more than 0", "leave it out for no limit"
		}
	}
	return "", ""
}

func validPort(port int) bool { return port >= 1 && port <= 65535 }

// checkPath refuses what looks like a path and would silently name another
// file, or none: patterns, variables, other people's homes. Brackets and braces
// are literal, since they are common in names of real files. A workspace may
// have any name: one that does not exist is refused, so nothing is silent.
func checkPath(s setting, v string) (message, remedy string) {
	switch {
	case v == "":
		return "an empty path", ""
	case isSet(v):
		if s.kind != pathOrSet {
			return fmt.Sprintf("a set cannot stand here: %s", diag.Quote(v)), "a path that begins with @ is written ./" + diag.Quote(v)
		}
		if _, ok := setNamed(v); !ok {
			return unknownSet(v)
		}
	case s.name == "workspace":
	case strings.ContainsAny(strings.TrimPrefix(v, `\\?\`), "*?"):
		return fmt.Sprintf("%s is a pattern, and no operating system can enforce one without a race", diag.Quote(v)),
			"name the directory instead"
	case strings.HasPrefix(v, "~") && v != "~" && !strings.HasPrefix(v, "~/") && !strings.HasPrefix(v, `~\`):
		return fmt.Sprintf("%s names another user's home", diag.Quote(v)), "write the path; a name that begins with ~ is written ./~name"
	case strings.HasPrefix(v, "$"), strings.HasPrefix(v, "%") && strings.Contains(v[1:], "%"):
		return fmt.Sprintf("variables are not expanded: %s", diag.Quote(v)), "write ~/… or the path; a name that begins with $ or % is written ./name"
	}
	return "", ""
}

// checkEnvName refuses what no variable can be called, and patterns.
func checkEnvName(name string) (message, remedy string) {
	switch {
	case name == "":
		return "an empty name", ""
	case strings.ContainsAny(name, "=\x00"):
		return fmt.Sprintf("no variable can be called %s", diag.Quote(name)), "name a variable here; its value goes into [env] set"
	case strings.ContainsAny(name, "*?"):
		return fmt.Sprintf("%s is a pattern", diag.Quote(name)), "name each variable"
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return fmt.Sprintf("no variable can be called %s", diag.Quote(name)), "write NAME or NAME=VALUE, without spaces in the name"
	}
	return "", ""
}

// checkHost accepts what hostrule does.
func checkHost(v string) (message, remedy string) {
	if _, err := hostrule.ParseRule(v); err != nil {
		return diag.Quote(v) + " " + err.Error(),
			`write it like "example.org", "example.org:443", "*.example.org", "[::1]:443" or "10.1.0.0/16"`
	}
	return "", ""
}
