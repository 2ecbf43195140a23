// SPDX-License-Identifier: Apache-2.0

package diag

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestQuote: what is printed drives no terminal, and a shell reads the word
// that was meant.
func TestQuote(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Log("SKIPPED: no bash to read the words with")
	}
	for word, want := range map[string]string{
		"":           "''",
		"plain-1.go": "plain-1.go",
		"a b":        "'a b'",
		"it's":       `'it'\''s'`,
		"$(id)":      "'$(id)'",
		"ünï":        "ünï",
		"a\nb":       `$'a\nb'`,
		"\x1b[2J":    `$'\x1b[2J'`,
		"\xff":       `$'\xff'`,
		"\u009b2J":   `$'\xc2\x9b2J'`,
		"~":          "'~'",
		"*":          "'*'",
		"ü\x07":      `$'ü\x07'`,
		"a\u202eb":   `$'a\xe2\x80\xaeb'`,
		"a\u200bb":   `$'a\xe2\x80\x8bb'`,
		"a\u00a0b":   `$'a\xc2\xa0b'`,
		"a\ufe0f":    `$'a\xef\xb8\x8f'`,
		"\ufffd":     `$'\xef\xbf\xbd'`,
		"a\u2028b":   `$'a\xe2\x80\xa8b'`,
		"日本 語":       "'日本 語'",
		"'\\\x07":    `$'\'\\\x07'`,
	} {
		got := Quote(word)
		if got != want || strings.ContainsAny(got, "\x1b\n\a\x7f") {
			t.Errorf("Quote(%q) = %s, want %s", word, got, want)
		}
		if bash == "" {
			continue
		}
		if out, err := exec.Command(bash, "-c", "printf %s "+got).Output(); err != nil || string(out) != word {
			t.Errorf("bash reads %s as %q, %v", got, out, err)
		}
	}
}

// hidden are characters that cannot be seen, or that change how others look.
const hidden = "\x00\x1b\x7f\u0085\u009b\u00a0\u00ad\u034f\u061c\u115f\u180e\u200b\u200d\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066\u2069\u2800\u3000\u3164\ufe0f\ufeff\ufff9\ufffd\U000e0001\U000e0100\U000f0000"

func TestPrintable(t *testing.T) {
	t.Parallel()
	for _, r := range hidden {
		if Printable(r) || Plain("a"+string(r)) {
			t.Errorf("%U is printable", r)
		}
	}
	for _, r := range "aZ0 ~üßжק日한🙂€\u0301" {
		if !Printable(r) || !Plain(string(r)) || Escape(string(r)) != string(r) {
			t.Errorf("%U is not printable", r)
		}
	}
	if Plain("\xff") || !Plain("") {
		t.Error("what is no text is plain, or nothing is not")
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain ü":        "plain ü",
		"a\u202eb":       `a\u202eb`,
		"\x1b[2J\n":      `\x1b[2J\n`,
		"\xff\U000e0001": `\xff\U000e0001`,
	} {
		if got := Escape(in); got != want {
			t.Errorf("%q becomes %s, want %s", in, got, want)
		}
	}
}

// TestEscapeJSON: the text means the same, and holds nothing that hides.
func TestEscapeJSON(t *testing.T) {
	t.Parallel()
	in := map[string]string{"a" + hidden: "日 " + hidden, "b": "plain"}
	text, err := json.MarshalIndent(in, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got := EscapeJSON(text)
	var back map[string]string
	if err := json.Unmarshal(got, &back); err != nil || len(back) != 2 || back["a"+hidden] != in["a"+hidden] {
		t.Errorf("%v: %s becomes %q", err, got, back)
	}
	if !Plain(strings.ReplaceAll(string(got), "\n", "")) || !strings.Contains(string(got), "日") || !strings.Contains(string(got), `\udb40\udc01`) {
		t.Errorf("%s", got)
	}
	if plain := []byte(`{"a": "ü"}`); string(EscapeJSON(plain)) != string(plain) {
		t.Error("plain text is changed")
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("a b")
	f.Add("'" + hidden + "\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{Quote(s), Escape(s)} {
			if !Plain(got) {
				t.Errorf("%q becomes %q", s, got)
			}
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back string
		if got := EscapeJSON(text); !Plain(string(got)) || json.Unmarshal(got, &back) != nil || utf8.ValidString(s) && back != s {
			t.Errorf("%q becomes %s", s, got)
		}
	})
}
