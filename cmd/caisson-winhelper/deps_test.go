// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSmall wants the program that runs with the rights of an administrator to
// link little: no plugin protocol, no command line library, no policy, nothing
// that speaks HTTP or starts programs by name.
func TestSmall(t *testing.T) {
	t.Parallel()
	banned := []string{
		"google.golang.org/", "github.com/hashicorp/", "github.com/spf13/", "net/http", "os/exec", "os/user", "testing", "runtime/cgo",
		"github.com/caisson-sandbox/caisson/core/policy", "github.com/caisson-sandbox/caisson/core/launch", "github.com/caisson-sandbox/caisson/core/sandbox",
		"github.com/caisson-sandbox/caisson/plugins", "github.com/caisson-sandbox/caisson/cmd/internal/",
	}
	const most = 4_000_000 // bytes
	for _, arch := range []string{"amd64", "arm64"} {
		env := append(os.Environ(), "GOOS=windows", "GOARCH="+arch, "CGO_ENABLED=0")
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", ".")
		list.Env = env
		out, err := list.Output()
		if err != nil {
			t.Fatalf("%s: %v", arch, err)
		}
		deps := strings.Fields(string(out))
		if len(deps) < 20 {
			t.Fatalf("%s: only %q are linked", arch, deps)
		}
		for _, dep := range deps {
			for _, b := range banned {
				if dep == strings.TrimSuffix(b, "/") || strings.HasPrefix(dep, strings.TrimSuffix(b, "/")+"/") {
					t.Errorf("%s: %s is linked", arch, dep)
				}
			}
		}
		file := filepath.Join(t.TempDir(), "helper.exe")
		build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, ".")
		build.Env = env
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", arch, err, out)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > most {
			t.Errorf("%s: %d bytes, at most %d", arch, info.Size(), most)
		}
	}
}
