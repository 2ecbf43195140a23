// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// writeFile writes a file below a directory of the test and returns its path.
func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := writeFile(t, dir, "p.toml", "version = 1\n")
	if data, err := ReadFile(path, nil); err != nil || string(data) != "version = 1\n" {
		t.Errorf("got %q, %v", data, err)
	}
	if data, err := ReadFile("-", strings.NewReader("x")); err != nil || string(data) != "x" {
		t.Errorf("standard input: %q, %v", data, err)
	}
	_, err := ReadFile(dir, nil)
	wantRefusal(t, err, diag.PolicyInvalid, diag.Quote(dir)+" is a directory; name a regular file, or - for a pipe")
	_, err = ReadFile(filepath.Join(dir, "none"), nil)
	wantRefusal(t, err, diag.PolicyInvalid, "none does not exist")
	_, err = ReadFile(writeFile(t, dir, "big", strings.Repeat("x", 10<<20)), nil)
	wantRefusal(t, err, diag.PolicyInvalid, "big is larger than 1 MiB")
	_, err = ReadFile("-", strings.NewReader(strings.Repeat("x", 10<<20)))
	wantRefusal(t, err, diag.PolicyInvalid, "standard input is larger than 1 MiB")
	_, err = ReadFile("-", nil)
	wantRefusal(t, err, diag.PolicyInvalid, "standard input is not available")
}

func TestReadFileOfStandardInput(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("version = 1"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadFile("-", r); err != nil || string(data) != "version = 1" {
		t.Errorf("pipe: %q, %v", data, err)
	}
	f, err := os.Open(writeFile(t, t.TempDir(), "p", "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if data, err := ReadFile("-", f); err != nil || string(data) != "x" {
		t.Errorf("regular file: %q, %v", data, err)
	}
	d, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = ReadFile("-", d)
	wantRefusal(t, err, diag.PolicyInvalid, "standard input is a directory; use a pipe or a regular file as standard input")
}

// realTempDir is a temporary directory without symbolic links in its path.
func realTempDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
