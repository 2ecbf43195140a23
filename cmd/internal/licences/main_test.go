// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out strings.Builder
	if err := write(&out, "example.org/m@v1.0.0", dir); err == nil {
		t.Error("a module without a licence is accepted")
	}
	for name, text := range map[string]string{"LICENSE.md": "may be used\n", "NOTICE": "made by us\n", "README": "hello\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(&out, "example.org/m@v1.0.0", dir); err != nil {
		t.Fatal(err)
	}
	const want = "==== example.org/m@v1.0.0: LICENSE.md\n\nmay be used\n\n==== example.org/m@v1.0.0: NOTICE\n\nmade by us\n\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// TestRun reads the build information of this test itself.
func TestRun(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(&out, []string{self}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "Copyright 2009 The Go Authors.") {
		t.Errorf("Go's licence is missing in %q", out.String())
	}
	if err := run(&out, []string{filepath.Join(t.TempDir(), "absent")}); err == nil {
		t.Error("a missing executable is accepted")
	}
}
