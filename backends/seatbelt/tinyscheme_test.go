// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestTinyScheme has every profile run by a reader that nobody of us wrote:
// TinyScheme, of whose family the one of macOS is. It must see the same rules
// in the same order. What it lacks is given to it: raw strings become strings,
// and operations and filters are bound to what prints them.
func TestTinyScheme(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("tinyscheme")
	if err != nil {
		t.Skip("tinyscheme is not installed")
	}
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			rules := forms(profileOf(t, s.plan(t)))
			var want, code strings.Builder
			code.WriteString(prelude)
			for _, name := range words(rules) {
				fmt.Fprintln(&code, name)
			}
			for _, r := range rules {
				fmt.Fprintln(&code, stock(r))
				if r.head() != "version" {
					fmt.Fprintln(&want, seen(r))
				}
			}
			file := filepath.Join(t.TempDir(), "profile.scm")
			if err := os.WriteFile(file, []byte(code.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(program, file).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if strings.TrimSpace(string(out)) != strings.TrimSpace(want.String()) {
				t.Errorf("tinyscheme sees\n%s\nwant\n%s", out, want.String())
			}
		})
	}
}

const prelude = `
(define (out x)
  (cond ((pair? x) (display "[") (for-each (lambda (y) (out y) (display ",")) x) (display "]"))
        ((string? x) (display "<") (display x) (display ">"))
        (else (display x))))
(define (version n) #t)
(define (param name) (cond ((eq? (string->symbol name) (string->symbol "TMP")) "` + ownTmp + `") ((eq? (string->symbol name) (string->symbol "PROXY")) "localhost:61080") (else "` + ownTTY + `")))
(define (allow . x) (out (cons "allow" x)) (newline))
(define (deny . x) (out (cons "deny" x)) (newline))
`

// words are the definitions that a profile needs.
func words(rules []form) []string {
	var list []string
	var walk func(f form, inRule bool)
	walk = func(f form, inRule bool) {
		for i, in := range f.list {
			switch {
			case in.isList():
				walk(in, false)
			case strings.ContainsAny(in.text[:1], `"#0123456789`):
			case i > 0:
				list = append(list, fmt.Sprintf("(define %s '%s)", in.text, in.text))
			case !inRule && in.text != "param":
				list = append(list, fmt.Sprintf("(define (%s . x) (cons '%s x))", in.text, in.text))
			}
		}
	}
	for _, r := range rules {
		walk(r, true)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// stock is a rule as stock TinyScheme reads it.
func stock(f form) string {
	if !f.isList() {
		if raw, ok := strings.CutPrefix(f.text, `#"`); ok {
			return `"` + strings.ReplaceAll(raw, `\`, `\\`)
		}
		return f.text
	}
	var parts []string
	for _, in := range f.list {
		parts = append(parts, stock(in))
	}
	return "(" + strings.Join(parts, " ") + ")"
}

// seen is a rule as the prelude prints it. TinyScheme knows no upper case in
// symbols.
func seen(f form) string {
	switch {
	case f.isList() && f.head() == "param":
		return "<" + params()[strings.Trim(f.list[1].text, `"`)] + ">"
	case f.isList():
		var b strings.Builder
		b.WriteString("[")
		for i, in := range f.list {
			if i == 0 && (in.text == "allow" || in.text == "deny") {
				b.WriteString("<" + in.text + ">,")
				continue
			}
			b.WriteString(seen(in) + ",")
		}
		return b.String() + "]"
	case strings.HasPrefix(f.text, "#x"):
		n, _ := strconv.ParseInt(f.text[2:], 16, 64)
		return strconv.FormatInt(n, 10)
	case strings.HasPrefix(f.text, `#"`):
		return "<" + f.text[2:len(f.text)-1] + ">"
	case strings.HasPrefix(f.text, `"`):
		return "<" + strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(f.text[1:len(f.text)-1]) + ">"
	}
	return strings.ToLower(f.text)
}
