// SPDX-License-Identifier: Apache-2.0

package sbpl

import (
	"path"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/seatbelt/internal/sbpleval"
)

func one(rules ...Rule) *Profile {
	return &Profile{Sections: []Section{{Comment: "A section.\nOf two lines.", Rules: rules}, {Comment: "empty"}}}
}

func TestPrint(t *testing.T) {
	t.Parallel()
	got, err := Print(one(
		Rule{Allow: true, Ops: []string{"file-read*"}, Always: true},
		Rule{Ops: []string{"file-write*", "file-link"}, Filters: []Expr{
			Literal(String(`/a "b" \c`)),
			All(Subpath(Param("TMP")), Not(Regex(`^/x\.y(/|$)`)), Form("ioctl-command", Symbol("#x80017472"))),
		}},
	))
	if err != nil {
		t.Fatal(err)
	}
	want := `(version 1)
(deny default)

; A section.
; Of two lines.
(allow file-read*)
(deny file-write* file-link
  (literal "/a \"b\" \\c")
  (require-all (subpath (param "TMP")) (require-not (regex #"^/x\.y(/|$)")) (ioctl-command #x80017472)))
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPrintRefuses(t *testing.T) {
	t.Parallel()
	on := func(f ...Expr) Rule { return Rule{Ops: []string{"file-read*"}, Filters: f} }
	path := func(s string) Rule { return on(Literal(String(s))) }
	for want, rule := range map[string]Rule{
		"without an operation":          {Filters: []Expr{Literal(String("/a"))}},
		"0 filters and always is false": {Ops: []string{"file-read*"}},
		"1 filters and always is true":  {Ops: []string{"file-read*"}, Always: true, Filters: []Expr{Literal(String("/a"))}},
		"is no operation":               {Ops: []string{"file-read* (literal"}, Always: true},
		"is no form":                    on(String("/a")),
		"(require-all) is empty":        on(All()),
		"(require-any) is empty":        on(Not(Any())),
		`"(allow" is no form`:           on(Form("(allow", String("x"))),
		`"x y" is no symbol`:            on(Form("target", Symbol("x y"))),
		`"#xG" is no symbol`:            on(Form("ioctl-command", Symbol("#xG"))),
		"of no kind":                    on(Form("target", Expr{})),
		"an empty string":               on(Form("global-name", String(""))),
		"never match it":                path("/a/"),
		`"a"): the path is not`:         path("a"),
		`"/a/../b"): the path is not`:   path("/a/../b"),
		`"\x00" holds a control`:        on(Form("global-name", String("\x00"))),
		`a\nb" holds a control`:         path("/a\nb"),
		`\u202e" holds a control`:       path("/\u202e"),
		`\u2028" holds a control`:       path("/\u2028"),
		`\x85" is not UTF-8`:            path("/\x85"),
		`\u0085" holds a control`:       path("/\u0085"),
		"longer than the 900":           path("/" + strings.Repeat("a", 900)),
		"holds a double quote":          on(Regex(`a"b`)),
		`\n" holds a control`:           on(Regex("a\n")),
	} {
		text, err := Print(one(rule))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v and %q", want, err, text)
		}
	}
	if _, err := Print(&Profile{Sections: []Section{{Comment: "caf\u00e9", Rules: []Rule{path("/a")}}}}); err == nil {
		t.Error("a comment of more than ASCII is printed")
	}
	many := make([]Rule, MaxRules)
	for i := range many {
		many[i] = path("/a")
	}
	if _, err := Print(one(many...)); err == nil {
		t.Error("a profile of too many rules is printed")
	}
}

// FuzzString wants a text to be refused, or to be read back by another reader
// as one string that is the text.
func FuzzString(f *testing.F) {
	for _, s := range []string{"a", `"`, `\`, `\"`, `") (allow default) ("`, ";", "#|", "\n", "\x00", "\u2028", "\U0001f512", "\xff", "'", "$(x)", "%s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := "/x" + s
		text, err := Print(one(Rule{Ops: []string{"file-read-data"}, Filters: []Expr{Literal(String(name))}}, Rule{Allow: true, Ops: []string{"file-write*"}, Always: true}))
		if err != nil {
			return
		}
		p, err := sbpleval.Interpret(strings.Replace(text, "(deny file-read-data", "(allow file-read-data", 1), nil)
		if err != nil {
			t.Fatalf("%q: %v\n%s", s, err, text)
		}
		if len(p.Rules()) != 3 {
			t.Fatalf("%q: %d rules\n%s", s, len(p.Rules()), text)
		}
		m := sbpleval.Models()[0]
		if !p.Decide(m, "file-read-data", sbpleval.Request{Path: name}) || p.Decide(m, "file-read-data", sbpleval.Request{Path: path.Join(name, "x")}) {
			t.Errorf("%q: another path is meant\n%s", s, text)
		}
	})
}
