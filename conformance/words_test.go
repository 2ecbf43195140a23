// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// shellWords has a real shell split a line that holds nothing to expand. The
// error is that the line is none.
func shellWords(t testing.TB, sh, line string) ([]string, error) {
	t.Helper()
	cmd := exec.Command(sh, "-c", "set -f; printf '%s\\0' -- "+line)
	cmd.Env = []string{"IFS=\t"} // a shell must take its own
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, err
	}
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(string(bytes.TrimSuffix(out, []byte{0})), "\x00")
	return words[1:], nil
}

func TestSplitWords(t *testing.T) {
	t.Parallel()
	sh, noShell := exec.LookPath("sh")
	for _, c := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{" \t ", nil},
		{"one", []string{"one"}},
		{"  one \t two  ", []string{"one", "two"}},
		{"--flag=value --", []string{"--flag=value", "--"}},
		{"'one two' three", []string{"one two", "three"}},
		{`"one two" three`, []string{"one two", "three"}},
		{"'' \"\" x", []string{"", "", "x"}},
		{`a''b""c`, []string{"abc"}},
		{`a' 'b" "c`, []string{"a b c"}},
		{`one\ two`, []string{"one two"}},
		{`\o\n\e`, []string{"one"}},
		{`a\'b a\"b a\\b`, []string{"a'b", `a"b`, `a\b`}},
		{`"a\"b" "a\\b" "a\$b" "a\` + "`" + `b"`, []string{`a"b`, `a\b`, "a$b", "a`b"}},
		{`"a\b\ c"`, []string{`a\b\ c`}},
		{`"it's"`, []string{"it's"}},
		{`'say "x"'`, []string{`say "x"`}},
		{`'a\'b`, []string{`a\b`}},
		{"'a\nb'", []string{"a\nb"}},
		{"\"a\nb\"", []string{"a\nb"}},
		{"a\\\nb", []string{"ab"}},
		{"a \\\n b", []string{"a", "b"}},
		{"\"a\\\nb\"", []string{"ab"}},
		{"'a\\\nb'", []string{"a\\\nb"}},
		{`{workspace} '{hide}'`, []string{"{workspace}", "{hide}"}},
		{"ünïcödé \u00a0 x", []string{"ünïcödé", "\u00a0", "x"}},
		{"a\rb", []string{"a\rb"}},
	} {
		got, err := splitWords(c.line)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q is split into %q (%v), want %q", c.line, got, err, c.want)
		}
		if noShell != nil {
			continue
		}
		if theirs, err := shellWords(t, sh, c.line); err != nil || !slices.Equal(theirs, c.want) {
			t.Errorf("a shell splits %q into %q (%v), and the table says %q", c.line, theirs, err, c.want)
		}
	}
}

// TestSplitWordsExpandsNothing wants what a shell would act on to stay text.
func TestSplitWordsExpandsNothing(t *testing.T) {
	t.Parallel()
	got, err := splitWords("box --x=$HOME \"$(id)\" `id` *.go ~ a;b c|d >e # f")
	want := []string{"box", "--x=$HOME", "$(id)", "`id`", "*.go", "~", "a;b", "c|d", ">e", "#", "f"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("it is split into %q (%v), want %q", got, err, want)
	}
}

// TestSplitWordsEnds refuses lines that a shell would wait for the rest of.
func TestSplitWordsEnds(t *testing.T) {
	t.Parallel()
	sh, noShell := exec.LookPath("sh")
	for line, want := range map[string]string{
		"'one":      "a quote is not closed",
		`"one`:      "a quote is not closed",
		`"one\"`:    "a quote is not closed",
		`one "two'`: "a quote is not closed",
		`one\`:      "a backslash stands at the end",
	} {
		if _, err := splitWords(line); err == nil || err.Error() != want {
			t.Errorf("%q: the error is %v, want %s", line, err, want)
		}
		if noShell != nil || strings.HasSuffix(line, "\\") {
			continue // shells take a last backslash as it is
		}
		if words, err := shellWords(t, sh, line); err == nil {
			t.Errorf("a shell takes %q, as %q", line, words)
		}
	}
}

// FuzzSplitWords splits what a shell splits too, made of the characters that
// words and quotes are made of. Line breaks stand in quotes alone, since
// outside they end a command.
func FuzzSplitWords(f *testing.F) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		f.Skip("there is no sh")
	}
	for _, line := range []string{"", "a b", `'a'"b"\ `, `"a\"b\c\\"`, `'\''`, "\"\n\""} {
		f.Add(line)
	}
	const alphabet = `ab {}-='"\ ` + "\t\n"
	f.Fuzz(func(t *testing.T, raw string) {
		line := strings.Map(func(r rune) rune { return rune(alphabet[int(uint32(r))%len(alphabet)]) }, raw)
		words, err := splitWords(line)
		if err == nil && quoted(words) != "" {
			again, err := splitWords(quoted(words))
			if err != nil || !slices.Equal(again, words) {
				t.Fatalf("%q became %q and then %q (%v)", line, words, again, err)
			}
		}
		if len(line) > 1000 || strings.ContainsAny(line, "\n") || strings.HasSuffix(line, `\`) {
			return
		}
		theirs, shellErr := shellWords(t, sh, line)
		if (err == nil) != (shellErr == nil) || err == nil && !slices.Equal(words, theirs) {
			t.Errorf("%q is split into %q (%v), by a shell into %q (%v)", line, words, err, theirs, shellErr)
		}
	})
}

// quoted writes words so that a shell reads them as they are.
func quoted(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	return strings.Join(all, " ")
}
