// SPDX-License-Identifier: Apache-2.0

package diag

import (
	"os/exec"
	"strings"
	"testing"
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

func TestGrants(t *testing.T) {
	t.Parallel()
	g := NewGrant(GrantWrite, "/a b")
	if g.Flags() != "--write '/a b'" || g.Policy == nil || *g.Policy != "[files] write" {
		t.Errorf("%s %v", g.Flags(), g.Policy)
	}
	if fd := NewGrant(GrantFD, "3"); fd.Policy != nil || fd.Flags() != "--fd 3" {
		t.Errorf("%s %v", fd.Flags(), fd.Policy)
	}
}

func TestCodesAreNamedOnce(t *testing.T) {
	t.Parallel()
	seen := map[Code]bool{}
	for _, c := range Codes() {
		if seen[c.Code] || c.Code == "" {
			t.Errorf("the code %q is empty or stands twice", c.Code)
		}
		seen[c.Code] = true
	}
}
