// SPDX-License-Identifier: Apache-2.0

package house

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
)

var update = flag.Bool("update", false, "write the generated parts of the documentation")

// TestGenerated compares what is generated, between two marks, with the tables
// that it comes from.
func TestGenerated(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"docs/diagnostics.md": codes(), "docs/policy.md": sets()} {
		const begin, end = "<!-- generated from here, see core/internal/house -->\n", "<!-- to here -->\n"
		old := read(t, name)
		head, rest, ok := bytes.Cut(old, []byte(begin))
		_, tail, closed := bytes.Cut(rest, []byte(end))
		if !ok || !closed {
			t.Errorf("%s: the marks of what is generated are missing", name)
			continue
		}
		want := string(head) + begin + "\n" + text + "\n" + end + string(tail)
		if want == string(old) {
			continue
		}
		if !*update {
			t.Errorf("%s is out of step; run go test ./core/internal/house -update", name)
			continue
		}
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), []byte(want), 0o644); err != nil {
			t.Error(err)
		}
	}
}

func codes() string {
	var b strings.Builder
	for _, refusals := range []bool{true, false} {
		title := "Refusals: nothing was started"
		if !refusals {
			title = "Notes and findings"
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "## %s\n\n| code | meaning |\n|---|---|\n", title)
		for _, c := range diag.Codes() {
			if c.Refusal == refusals {
				fmt.Fprintf(&b, "| <a id=\"%s\"></a>`%s` | %s |\n", c.Code, c.Code, c.Meaning)
			}
		}
	}
	return b.String()
}

func sets() string {
	holds := map[policy.Hold]string{
		policy.HoldNone: "left", policy.HoldDir: "held by an empty directory", policy.HoldFile: "held by a file",
		policy.HoldQuarantine: "quarantined", policy.HoldReport: "left and reported",
	}
	var b strings.Builder
	for i, s := range policy.Sets() {
		if i > 0 {
			b.WriteString("\n")
		}
		secrets := s.Name == "@secrets"
		fmt.Fprintf(&b, "### `%s`\n\n%s.\n\n", s.Name, upperFirst(s.About))
		if secrets {
			b.WriteString("| path | system | what it is |\n|---|---|---|\n")
		} else {
			b.WriteString("| path | what it is | where it is absent |\n|---|---|---|\n")
		}
		for _, m := range s.Members {
			name := "`" + m.Path + "`"
			if m.List {
				name += ", each of its list"
			}
			if secrets {
				system := m.OS
				if system == "" {
					system = "all"
				}
				fmt.Fprintf(&b, "| %s | %s | %s |\n", name, system, m.What)
			} else {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", name, m.What, holds[m.Absent])
			}
		}
	}
	return b.String()
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// TestContract wants a section for each guarantee, in the order of the code and
// with its promise.
func TestContract(t *testing.T) {
	t.Parallel()
	text := string(read(t, "docs/contract.md"))
	at := 0
	for _, info := range guarantee.All() {
		want := fmt.Sprintf("<a id=\"%s\"></a>\n### %s\n\n%s.\n", info.ID, info.ID, upperFirst(info.Promise))
		n := strings.Index(text, want)
		if n < 0 {
			t.Errorf("docs/contract.md: no section that begins with %q", want)
			continue
		}
		if n < at {
			t.Errorf("docs/contract.md: %s is out of order", info.ID)
		}
		at = n
		section, _, _ := strings.Cut(text[n+len(want):], "\n<a id=")
		for _, part := range []string{"**Linux.**", "**macOS.**", "**Open.**"} {
			if !strings.Contains(section, part) {
				t.Errorf("docs/contract.md: the section of %s has no %s", info.ID, part)
			}
		}
	}
}

// TestFlags wants every flag that the documentation names to be one that the
// command line has.
func TestFlags(t *testing.T) {
	t.Parallel()
	var code []byte
	for _, name := range files(t, ".go") {
		if strings.HasPrefix(name, "cmd/internal/cli/") {
			code = append(code, read(t, name)...)
		}
	}
	span := regexp.MustCompile("`(?:caisson [^`]*?)?(--[a-z-]+)")
	foreign := []string{"help", "version", "security-opt"} // cobra's, and Docker's
	for _, name := range files(t, ".md") {
		for _, m := range span.FindAllSubmatch(read(t, name), -1) {
			flag := strings.TrimPrefix(string(m[1]), "--")
			if !bytes.Contains(code, []byte(`"`+flag+`"`)) && !slices.Contains(foreign, flag) {
				t.Errorf("%s: there is no flag --%s", name, flag)
			}
		}
	}
}

// TestLinks wants the target of every link inside the repository to exist.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^()\s]+)\)`)
	for _, name := range files(t, ".md") {
		for _, m := range link.FindAllSubmatch(read(t, name), -1) {
			target, fragment, _ := strings.Cut(string(m[1]), "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file := name
			if target != "" {
				file = path.Join(path.Dir(name), target)
				if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(file))); err != nil {
					t.Errorf("%s: link to %s: there is no such file", name, m[1])
					continue
				}
			}
			if fragment != "" && !slices.Contains(anchors(string(read(t, file))), fragment) {
				t.Errorf("%s: link to %s: there is no such heading", name, m[1])
			}
		}
	}
}

// anchors returns what fragments of a page may name: explicit anchors, and
// headings in the form that forges give them.
func anchors(text string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`<a id="([^"]+)">`).FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	fenced := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		title := strings.TrimSpace(strings.TrimLeft(line, "#"))
		if fenced || !strings.HasPrefix(line, "#") {
			continue
		}
		list = append(list, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, title))
	}
	return list
}
