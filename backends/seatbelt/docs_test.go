// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func text(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestInStep keeps docs/macos.md, the workflow for real Macs and the tests that
// they name in step.
func TestInStep(t *testing.T) {
	t.Parallel()
	page, workflow := text(t, "docs/macos.md"), text(t, ".github/workflows/macos.yml")
	runners := regexp.MustCompile(`macos-[0-9]+(-intel)?`)
	named, run := sorted(runners.FindAllString(page, -1)), sorted(runners.FindAllString(workflow, -1))
	if len(run) < 3 || !slices.Equal(named, run) {
		t.Errorf("the page names the runners %q, the workflow has %q", named, run)
	}
	_, tools, _ := strings.Cut(page, "with these tools: ")
	tools, _, _ = strings.Cut(tools, ".")
	for _, tool := range strings.Split(tools, ",") {
		if !strings.Contains(workflow, "$run "+strings.TrimSpace(tool)+" ") {
			t.Errorf("the page names the tool %q, and the workflow does not run it", tool)
		}
	}
	for _, want := range []string{"CAISSON_REQUIRE_SEATBELT", "TestVectors", "TestCompiles", "caisson doctor --json", "caisson conformance run --backend " + Name} {
		if !strings.Contains(page, want) || !strings.Contains(workflow, want) {
			t.Errorf("%s is not both on the page and in the workflow", want)
		}
	}
	if strings.Contains(workflow, "\t") || strings.Contains(workflow, "secrets.") {
		t.Error("the workflow holds a tab or a secret")
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("internal/sbpleval/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range append(files, more...) {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(raw)
	}
	for _, name := range sorted(regexp.MustCompile(`Test[A-Z][A-Za-z]+`).FindAllString(page+workflow, -1)) {
		if !strings.Contains(code.String(), "func "+name+"(t *testing.T)") {
			t.Errorf("there is no test %s", name)
		}
	}
	allow, deny := 0, 0
	for _, r := range decisions(t) {
		if r.allow {
			allow++
		} else {
			deny++
		}
	}
	if want := fmt.Sprintf("%d rows, %d allow and %d deny", allow+deny, allow, deny); !strings.Contains(page, want) {
		t.Errorf("the page does not say: %s", want)
	}
	for _, word := range []string{"MODELLED", "CROSS-COMPILED", "NEVER RUN"} {
		for _, name := range []string{"README.md", "docs/contract.md", "docs/macos.md"} {
			if !strings.Contains(text(t, name), word) {
				t.Errorf("%s does not say %s", name, word)
			}
		}
	}
}

// TestDarwinOnly counts the lines that compile for macOS alone: nobody ran them.
func TestDarwinOnly(t *testing.T) {
	t.Parallel()
	const most = 500
	lines, files := 0, 0
	err := filepath.WalkDir("../..", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "../.." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		raw, err := os.ReadFile(name)
		if err == nil && (strings.HasSuffix(name, "_darwin.go") || regexp.MustCompile(`(?m)^//go:build darwin`).Match(raw)) {
			lines, files = lines+strings.Count(string(raw), "\n"), files+1
		}
		return err
	})
	if err != nil || files < 5 {
		t.Fatalf("%d files, %v", files, err)
	}
	t.Logf("%d lines in %d files", lines, files)
	if lines > most {
		t.Errorf("%d lines are for macOS alone, want at most %d: move what other systems can run to shared files", lines, most)
	}
	if want := fmt.Sprintf("fewer than %d lines", most); !strings.Contains(text(t, "docs/macos.md"), want) {
		t.Errorf("docs/macos.md does not say %q", want)
	}
}

// TestServices wants the page to name every service that may be looked up, and
// no other.
func TestServices(t *testing.T) {
	t.Parallel()
	var want []string
	for _, s := range append(baseServices(), onlineServices()...) {
		want = append(want, s.name)
		if s.why == "" {
			t.Errorf("%s has no reason", s.name)
		}
	}
	got := regexp.MustCompile("`(com\\.apple\\.[A-Za-z._]+)`").FindAllStringSubmatch(text(t, "docs/macos.md"), -1)
	var named []string
	for _, m := range got {
		named = append(named, m[1])
	}
	if !slices.Equal(sorted(named), sorted(want)) {
		t.Errorf("the page names %q, the code allows %q", sorted(named), sorted(want))
	}
	for _, g := range base() {
		for _, one := range g.grants {
			if one.why == "" {
				t.Errorf("%v has no reason", one.rule.Ops)
			}
		}
	}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
