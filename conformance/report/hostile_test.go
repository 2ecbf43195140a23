// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caisson-sandbox/caisson/core/diag"
)

func TestVisible(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain text, ÄÖ, 日本, 👍":           "plain text, ÄÖ, 日本, 👍",
		"\x1b[31m":                        `\x1b[31m`,
		"\u009b31m":                       `\u009b31m`,
		"a\nb\r\tc\x00":                   `a\nb\r\tc\x00`,
		"\u202eabc\u2066\u200b":           `\u202eabc\u2066\u200b`,
		"\u00a0\u2028\u3164\ufe0f":        `\u00a0\u2028\u3164\ufe0f`,
		"\U000e0041":                      `\U000e0041`,
		"\xff\ufffd":                      `\xff\ufffd`,
		`C:\new`:                          `C:\new`,
		"e" + strings.Repeat("\u0301", 6): "e" + strings.Repeat("\u0301", 4) + `\u0301\u0301`,
		strings.Repeat("é", 1001):         strings.Repeat("é", 1000) + "… (2 more bytes)",
		strings.Repeat("é", 1000):         strings.Repeat("é", 1000),
	} {
		if got := Visible(in); got != want {
			t.Errorf("Visible(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestAttacksAreAttacks is the control of the tests below: most of the texts hold
// what must not come out.
func TestAttacksAreAttacks(t *testing.T) {
	t.Parallel()
	hidden := 0
	for _, a := range attacks() {
		if unsafe(a) {
			hidden++
		}
	}
	if hidden < 4 {
		t.Errorf("only %d attacks have characters that do not show", hidden)
	}
}

// unsafe reports whether text has a character that a terminal acts upon, that is
// invisible or moves others.
func unsafe(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && !diag.Printable(r) })
}

// TestFormIsKept compares a report full of attacks with one of the same form: a
// text can change neither the lines nor the elements of a format.
func TestFormIsKept(t *testing.T) {
	t.Parallel()
	bad, good := flooded(), tame()
	for _, format := range Formats() {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			compareForm(t, format, write(t, bad, format), write(t, good, format))
		})
	}
	badMatrix, goodMatrix := Merge([]Report{*flooded()}), Merge([]Report{*tame()})
	// There is one row for each id, and tame has but one, so the rows are taken over.
	goodMatrix.Rows, goodMatrix.Columns[0].Counts = nil, badMatrix.Columns[0].Counts
	for _, r := range badMatrix.Rows {
		r.ID, r.Title, r.Meaning, r.Clause = "text", "text", "text", "text"
		r.Cells = slices.Clone(r.Cells)
		for i := range r.Cells {
			r.Cells[i].Why = "text"
		}
		goodMatrix.Rows = append(goodMatrix.Rows, r)
	}
	for _, format := range MatrixFormats() {
		t.Run("matrix/"+format, func(t *testing.T) {
			t.Parallel()
			compareForm(t, format, write(t, &badMatrix, format), write(t, &goodMatrix, format))
		})
	}
}

func compareForm(t *testing.T, format, bad, good string) {
	t.Helper()
	if unsafe(bad) {
		t.Error("a character came through that does not show")
	}
	if a, b := strings.Count(bad, "\n"), strings.Count(good, "\n"); a != b {
		t.Errorf("%d lines, want %d", a, b)
	}
	outline := map[string]func(string) []string{"html": tags, "junit": tags, "md": blocks, "tap": points, "json": keys}[format]
	a, b := outline(bad), outline(good)
	if len(b) < 10 {
		t.Fatalf("the outline has only %d parts", len(b))
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("part %d is %q, want %q", i, a[i], b[i])
		}
	}
	if len(a) != len(b) {
		t.Errorf("%d parts, want %d", len(a), len(b))
	}
}

// tags returns the elements of a page in their order, with the names of their
// attributes.
func tags(page string) []string {
	value := regexp.MustCompile(`"[^"]*"`)
	var list []string
	for _, tag := range regexp.MustCompile(`<[^>]*>`).FindAllString(page, -1) {
		list = append(list, value.ReplaceAllString(tag, `""`))
	}
	return list
}

// blocks returns the marks of each line of Markdown that make cells, elements and
// links, without those that are escaped or in code.
func blocks(text string) []string {
	span := regexp.MustCompile("(`+)[^`].*?[^`]?(`+)")
	var list []string
	for line := range strings.Lines(text) {
		line = span.ReplaceAllString(line, "S")
		line = regexp.MustCompile(`\\[[:punct:]]`).ReplaceAllString(line, "e")
		form := regexp.MustCompile(`[|<>\[\]]`).FindAllString(line, -1)
		list = append(list, strings.Join(form, ""))
	}
	return list
}

// points returns the lines of TAP without their text.
func points(text string) []string {
	line := regexp.MustCompile(`^(TAP version 14|1\.\.\d+|#|(?:not )?ok \d+ - (?:[^\\#]|\\[\\#])*(?: # (?:TO` + `DO|SKIP) (?:[^\\#]|\\[\\#])*)?$|  ---|  \.\.\.|  [a-z_]+: (?:"(?:[^"\\]|\\.)*"$|\d+$))`)
	directive := regexp.MustCompile(`[^\\](# (?:TO` + `DO|SKIP))`)
	key := regexp.MustCompile(`^(  [a-z_]+:|(?:not )?ok \d+|#|.*)`)
	var list []string
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		if !line.MatchString(l) {
			list = append(list, "no TAP: "+l)
			continue
		}
		form := key.FindString(l)
		if d := directive.FindStringSubmatch(l); d != nil && strings.Contains(form, "ok ") {
			form += d[1]
		}
		list = append(list, form)
	}
	return list
}

// keys returns the keys of JSON in their order.
func keys(text string) []string {
	return regexp.MustCompile(`(?m)^ *"[^"]*":|^ *[\]}]`).FindAllString(text, -1)
}

// TestJUnitParses reads the file as a build server does and counts.
func TestJUnitParses(t *testing.T) {
	t.Parallel()
	reports := samples()
	reports["flooded"] = flooded()
	for name, r := range reports {
		var root struct {
			XMLName xml.Name `xml:"testsuites"`
			Suites  []struct {
				Tests    int `xml:"tests,attr"`
				Failures int `xml:"failures,attr"`
				Errors   int `xml:"errors,attr"`
				Skipped  int `xml:"skipped,attr"`
				Cases    []struct {
					Class   string     `xml:"classname,attr"`
					Time    float64    `xml:"time,attr"`
					Failure []struct{} `xml:"failure"`
					Error   []struct{} `xml:"error"`
					Skipped []struct{} `xml:"skipped"`
				} `xml:"testcase"`
			} `xml:"testsuite"`
		}
		d := xml.NewDecoder(strings.NewReader(write(t, r, "junit")))
		if err := d.Decode(&root); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := d.Token(); err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("%s: after the root: %v", name, err)
		}
		s := root.Suites[0]
		failures, errs, skipped := 0, 0, 0
		for i, c := range s.Cases {
			failures, errs, skipped = failures+len(c.Failure), errs+len(c.Error), skipped+len(c.Skipped)
			if want := (group{id: r.Results[i].Guarantee}).name(); c.Class != want {
				t.Errorf("%s: case %d has the class %q, want %q", name, i, c.Class, want)
			}
		}
		if len(s.Cases) != len(r.Results) || s.Tests != len(s.Cases) || s.Failures != failures || s.Errors != errs || s.Skipped != skipped {
			t.Errorf("%s: %d cases of %d, and %+v does not add up", name, len(s.Cases), len(r.Results), s)
		}
	}
}

// TestSummaryOnTerminal is about the line that ends a run.
func TestSummaryOnTerminal(t *testing.T) {
	t.Parallel()
	r := mixed()
	r.Target.Name = "\x1b]0;x\x07\u202e\n"
	if s := r.Summary(); unsafe(s) || strings.Contains(s, "\n") {
		t.Errorf("%q", s)
	}
}
