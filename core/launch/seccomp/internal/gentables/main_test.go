// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestTablesAreCurrent fails when golang.org/x/sys knows other calls than the
// tables: run go generate, read what the new calls do, extend the rules of
// backends/linux and raise their Newest.
func TestTablesAreCurrent(t *testing.T) {
	dir, err := moduleDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		want, err := render(dir, arch)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", "..", fileName(arch)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from golang.org/x/sys; run go generate in core/launch/seccomp", fileName(arch))
		}
	}
}
