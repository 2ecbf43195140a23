// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestLean lists everything that is linked into caisson, for each system. A
// process that links gRPC takes milliseconds more to start, and every command
// that an agent runs is one start of caisson.
func TestLean(t *testing.T) {
	t.Parallel()
	banned := []struct{ path, why string }{
		{"google.golang.org/", "gRPC and protobuf belong to caisson-full"},
		{"github.com/hashicorp/", "plugins are hosted by caisson-full"},
		{"github.com/caisson-sandbox/caisson/plugins/host/", "plugins are hosted by caisson-full"},
		{"github.com/caisson-sandbox/caisson/plugins/sdk/", "plugins are programs of their own"},
		{"github.com/caisson-sandbox/caisson/plugins/internal/", "the protocol is spoken by caisson-full"},
		{"net/http", "it starts slowly, and nothing here speaks HTTP"},
		{"os/user", "homes are read from the user database directly"},
		{"testing", "test code is not shipped"},
		{"runtime/cgo", "caisson is built without cgo"},
	}
	for _, system := range []string{"linux", "darwin", "windows"} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", ".")
		cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", system, err)
		}
		deps := strings.Fields(string(out))
		if len(deps) < 10 {
			t.Fatalf("%s: only %q are linked", system, deps)
		}
		for _, dep := range deps {
			for _, b := range banned {
				if dep == strings.TrimSuffix(b.path, "/") || strings.HasPrefix(dep, b.path) && strings.HasSuffix(b.path, "/") {
					t.Errorf("%s: %s is linked: %s", system, dep, b.why)
				}
			}
		}
	}
}
