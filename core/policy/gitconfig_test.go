// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseGitConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []gitSetting
	}{
		"empty":        {"", nil},
		"plain":        {"[core]\n\thooksPath = .husky\n", []gitSetting{{"core.hookspath", ".husky"}}},
		"bare key":     {"[core]\nfsmonitor\n", []gitSetting{{"core.fsmonitor", "true"}}},
		"one line":     {"[core] hooksPath=x", []gitSetting{{"core.hookspath", "x"}}},
		"case":         {"[CORE]\nSSHCOMMAND = s", []gitSetting{{"core.sshcommand", "s"}}},
		"subsection":   {"[includeIf \"gitdir:/A b/\\\"]\"]\npath = p", []gitSetting{{"includeif.gitdir:/A b/\"].path", "p"}}},
		"old form":     {"[remote.Origin]\nurl = u", []gitSetting{{"remote.origin.url", "u"}}},
		"comments":     {"# a\n; b\n[core] ; c\nx = y # z\n", []gitSetting{{"core.x", "y"}}},
		"quotes":       {"[core]\nx = \"a # b\" c\\\"d ; e", []gitSetting{{"core.x", "a # b c\"d"}}},
		"blanks":       {"[core]\nx =   a  b\t \ny = \" a \"", []gitSetting{{"core.x", "a  b"}, {"core.y", " a "}}},
		"continued":    {"[core]\nx = a\\\n  b\n", []gitSetting{{"core.x", "a  b"}}},
		"escapes":      {"[core]\nx = a\\tb\\nc\\\\d", []gitSetting{{"core.x", "a\tb\nc\\d"}}},
		"crlf":         {"[core]\r\nx = y\r\n[b]\r\nz = w", []gitSetting{{"core.x", "y"}, {"b.z", "w"}}},
		"bom":          {"\ufeff[core]\nx = y", []gitSetting{{"core.x", "y"}}},
		"empty value":  {"[core]\nx =\ny = z", []gitSetting{{"core.x", ""}, {"core.y", "z"}}},
		"no section":   {"x = y\n[a]\nb = c", []gitSetting{{"a.b", "c"}}},
		"bad line":     {"[core]\n???\nx = y", []gitSetting{{"core.x", "y"}}},
		"bad section":  {"[co re]\nx = y\n[core]\nz = w", []gitSetting{{"core.z", "w"}}},
		"unterminated": {"[core \"a\nx = y", nil},
		"nul":          {"[core]\nx = a\x00b\n", []gitSetting{{"core.x", "a\x00b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := parseGitConfig([]byte(c.text)); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestParseGitConfigAgreesWithGit writes awkward files and compares with what
// git itself reads from them.
func TestParseGitConfigAgreesWithGit(t *testing.T) {
	t.Parallel()
	git := needGit(t)
	for _, text := range []string{
		"[core]\n\thooksPath = \"a b\"c ; d\n\tFSMonitor\n[include]\n path=~/x\n",
		"[includeIf \"onbranch:Main\"] path = a\\\\b\\\"c\n[A.B]\nc = d\\\n  e \n",
		"[x \"y\\\\z\"]\r\n\tk = \" v \" w \r\n;[no]\r\n[core]k=\r\n",
		"[core]\nx=a\"b;c\"#d\ny = \\\n z\n",
	} {
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(git, "config", "-z", "--list", "--no-includes", "--file", file).Output()
		if err != nil {
			t.Fatalf("git does not read %q: %v", text, err)
		}
		var want, got []string
		for _, item := range bytes.Split(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
			key, value, ok := strings.Cut(string(item), "\n")
			if !ok {
				value = "true"
			}
			want = append(want, key+"="+value)
		}
		for _, s := range parseGitConfig([]byte(text)) {
			got = append(got, s.Key+"="+s.Value)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
	}
}

// needGit returns the path of git; the test is skipped where there is none.
func needGit(t *testing.T) string {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	return git
}

func FuzzParseGitConfig(f *testing.F) {
	f.Add([]byte("[core]\n\thooksPath = \"a b\"c ; d\n"))
	f.Add([]byte("[a \"b\\\"\"]\nc = d\\\n e\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, s := range parseGitConfig(text) {
			if !strings.Contains(s.Key, ".") || strings.HasSuffix(s.Key, ".") {
				t.Fatalf("key %q", s.Key)
			}
			// Written the way git writes it, the value reads back the same.
			quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\b", `\b`).Replace(s.Value)
			again := parseGitConfig([]byte("[core]\nx = \"" + quoted + "\"\n"))
			if len(again) != 1 || again[0].Value != strings.ReplaceAll(s.Value, "\r\n", "\n") && again[0].Value != s.Value {
				t.Fatalf("value %q reads back as %q", s.Value, again)
			}
		}
	})
}
