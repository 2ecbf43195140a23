// SPDX-License-Identifier: Apache-2.0

package sbpl

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxString is the most bytes of a string or a pattern. The reader of macOS
// fails at about 1 KiB with "Error reading string".
const MaxString = 900

// MaxRules bounds a profile. Hundreds of rules cost tenths of a second for
// each start, and libsandbox was seen to crash beyond seventeen thousand.
const MaxRules = 2000

// Print writes the profile. Equal profiles give equal text. The error says what
// cannot be said; nothing is left out or changed to make it fit.
func Print(p *Profile) (string, error) {
	if n := p.Count(); n > MaxRules {
		return "", fmt.Errorf("the profile has %d rules, more than %d", n, MaxRules)
	}
	var b strings.Builder
	b.WriteString("(version 1)\n(deny default)\n")
	for _, s := range p.Sections {
		if len(s.Rules) == 0 {
			continue
		}
		b.WriteString("\n")
		for line := range strings.SplitSeq(s.Comment, "\n") {
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
				return "", fmt.Errorf("a comment holds more than plain ASCII: %q", line)
			}
			b.WriteString("; " + line + "\n")
		}
		for _, r := range s.Rules {
			if err := printRule(&b, r); err != nil {
				return "", err
			}
		}
	}
	return b.String(), nil
}

func printRule(b *strings.Builder, r Rule) error {
	if len(r.Ops) == 0 {
		return errors.New("a rule without an operation")
	}
	if r.Always != (len(r.Filters) == 0) {
		return fmt.Errorf("the rule about %s has %d filters and always is %v", r.Ops[0], len(r.Filters), r.Always)
	}
	verdict := "(deny"
	if r.Allow {
		verdict = "(allow"
	}
	b.WriteString(verdict)
	for _, op := range r.Ops {
		if !isSymbol(op) {
			return fmt.Errorf("%q is no operation", op)
		}
		b.WriteString(" " + op)
	}
	for _, f := range r.Filters {
		b.WriteString("\n  ")
		if f.kind != formExpr {
			return fmt.Errorf("a filter of %s is no form", r.Ops[0])
		}
		if err := printExpr(b, f); err != nil {
			return err
		}
	}
	b.WriteString(")\n")
	return nil
}

func printExpr(b *strings.Builder, e Expr) error {
	switch e.kind {
	case symbolExpr:
		if !isSymbol(e.text) && !isNumber(e.text) {
			return fmt.Errorf("%q is no symbol", e.text)
		}
		b.WriteString(e.text)
		return nil
	case stringExpr:
		if err := checkText(e.text); err != nil {
			return err
		}
		b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(e.text) + `"`)
		return nil
	case regexExpr:
		if err := checkText(e.text); err != nil {
			return err
		}
		if strings.Contains(e.text, `"`) {
			return fmt.Errorf("a pattern holds a double quote: %q", e.text)
		}
		b.WriteString(`#"` + e.text + `"`)
		return nil
	case formExpr:
		return printForm(b, e)
	}
	return errors.New("an expression of no kind")
}

func printForm(b *strings.Builder, e Expr) error {
	if !isSymbol(e.text) {
		return fmt.Errorf("%q is no form", e.text)
	}
	if len(e.list) == 0 {
		return fmt.Errorf("(%s) is empty, and would be about everything or nothing", e.text)
	}
	if e.text == "literal" || e.text == "subpath" {
		if arg := e.list[0]; len(e.list) != 1 || arg.kind == stringExpr && !isClean(arg.text) {
			return fmt.Errorf("(%s %q): the path is not absolute and clean, so the kernel would never match it", e.text, arg.text)
		}
	}
	b.WriteString("(" + e.text)
	for _, arg := range e.list {
		b.WriteString(" ")
		if err := printExpr(b, arg); err != nil {
			return err
		}
	}
	b.WriteString(")")
	return nil
}

// checkText refuses what a string cannot hold. The reader knows escapes such as
// \n and \x41, and they differ between its versions, so only a backslash and a
// double quote are escaped and whatever would need more is refused.
func checkText(s string) error {
	switch {
	case s == "":
		return errors.New("an empty string")
	case len(s) > MaxString:
		return fmt.Errorf("a string of %d bytes is longer than the %d that macOS is sure to read: %.40q…", len(s), MaxString, s)
	case !utf8.ValidString(s):
		return fmt.Errorf("%q is not UTF-8 text", s)
	case strings.ContainsFunc(s, unprintable):
		return fmt.Errorf("%q holds a control character", s)
	}
	return nil
}

// unprintable reports characters that a profile must not hold: controls, line
// and paragraph separators, and those that reverse the direction of text, by
// which a reviewer would read something else than libsandbox does.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' ||
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

func isClean(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

// isSymbol accepts the names of operations, filters and constants.
func isSymbol(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		lower, upper := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z'
		if !lower && !upper && (i == 0 || c != '-' && c != '_' && c != '*' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

func isNumber(s string) bool {
	hex, ok := strings.CutPrefix(s, "#x")
	if !ok {
		hex = s
	}
	for i := 0; i < len(hex); i++ {
		c := hex[i]
		if (c < '0' || c > '9') && !(ok && c >= 'a' && c <= 'f') {
			return false
		}
	}
	return hex != ""
}
