// SPDX-License-Identifier: Apache-2.0

package house

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the top of the repository.
const root = "../../.."

// module is the import path of the repository.
const module = "github.com/caisson-sandbox/caisson"

// files returns the paths of all files below the top whose names end in one of
// the suffixes, without those that are made by tools.
func files(t *testing.T, suffixes ...string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if slices.Contains([]string{".git", ".bin", "dist"}, rel) {
				return fs.SkipDir
			}
			return nil
		}
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(rel, s) }) {
			list = append(list, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatalf("no file ends in one of %q", suffixes)
	}
	return list
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// generated reports whether a tool wrote the file, as go generate defines it.
func generated(text []byte) bool {
	return bytes.Contains(text, []byte("\n// Code generated ")) && bytes.Contains(text, []byte("DO NOT EDIT."))
}

func TestTopLevel(t *testing.T) {
	t.Parallel()
	allowed := []string{
		".ci", ".git", ".github", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "GNUmakefile", "LICENSE", "README.md",
		"backends", "cmd", "conformance", "core", "docs", "go.mod", "go.sum", "plugins",
		".bin", "dist", "caisson", "caisson-full", "caisson-backend-bwrap", "coverage.out", "GNUmakefile.local", // ignored by git
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(allowed, e.Name()) {
			t.Errorf("%s: the top level is fixed; put it below one of the directories there", e.Name())
		}
	}
}

func TestFileHeads(t *testing.T) {
	t.Parallel()
	const head = "// SPDX-License-Identifier: Apache-2.0\n\n"
	for _, name := range files(t, ".go", ".s") {
		if text := read(t, name); !bytes.HasPrefix(text, []byte(head)) {
			t.Errorf("%s: the first line must be %q, the second empty", name, strings.TrimSpace(head))
		}
	}
}

func TestFileLengths(t *testing.T) {
	t.Parallel()
	const most = 400
	for _, name := range files(t, ".go", ".s") {
		text := read(t, name)
		if n := bytes.Count(text, []byte("\n")); n > most && !generated(text) {
			t.Errorf("%s: %d lines; a file has one subject and at most %d", name, n, most)
		}
	}
}

// TestWords finds what says that something is not finished.
func TestWords(t *testing.T) {
	t.Parallel()
	words := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "not yet " + "implemented", "not " + "implemented"}
	for _, name := range files(t, ".go", ".s", ".md", ".yml", ".txtar", "GNUmakefile", "run") {
		if generated(read(t, name)) {
			continue
		}
		for n, line := range strings.Split(string(read(t, name)), "\n") {
			for _, w := range words {
				if at := strings.Index(line, w); at >= 0 && !letter(line, at-1) && !letter(line, at+len(w)) {
					t.Errorf("%s:%d: %q: finish it or leave it out", name, n+1, w)
				}
			}
		}
	}
}

func letter(line string, at int) bool {
	if at < 0 || at >= len(line) {
		return false
	}
	c := line[at] | 0x20
	return c >= 'a' && c <= 'z'
}

// TestTestedNames: packages with tests have names of their own. Where tests of
// all are built into one directory, as make cross does, each has one file.
func TestTestedNames(t *testing.T) {
	t.Parallel()
	dirs := map[string]string{}
	for _, name := range files(t, "_test.go") {
		dir := path.Dir(name)
		if other := dirs[path.Base(dir)]; other != "" && other != dir && !strings.HasPrefix(dir, "conformance/fleets/") {
			t.Errorf("%s and %s both have tests, and one name", other, dir)
		}
		dirs[path.Base(dir)] = dir
	}
}
