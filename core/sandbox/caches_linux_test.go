// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// goTree lays a module with n programs that need nothing but the runtime.
func goTree(t *testing.T, dir string, n int) {
	t.Helper()
	files := map[string]string{"go.mod": "module example.org/many\n\ngo 1.21\n"}
	for i := range n {
		files[fmt.Sprintf("p%d/main.go", i)] = fmt.Sprintf("package main\n\nfunc main() { println(%d) }\n", i)
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// buildGo compiles one of them in a sandbox of its own and says what was compiled.
func buildGo(dir string, program int) (string, error) {
	sb, err := sandbox.Open(context.Background(), policy.Standard(dir), nil)
	if err != nil {
		return "", err
	}
	defer sb.Close()
	cmd := sb.Command(context.Background(), "go", "build", "-v", "-o", fmt.Sprintf("out%d", program), fmt.Sprintf("./p%d", program))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return string(out), nil
}

// TestGoBuildsTogether builds in ten sandboxes of one workspace, while the host
// builds the same with its own cache and clears that again and again. The store
// of the workspace is warm from the second build on, no build fails, and the
// host's cache gets nothing from inside.
func TestGoBuildsTogether(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles Go's runtime twice")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	const many = 10
	hosts := filepath.Join(t.TempDir(), "cache")
	t.Setenv("GOCACHE", hosts)
	t.Setenv("GOFLAGS", "")
	_, dir := open(t, nil, nil)
	goTree(t, dir, many)
	if first, err := buildGo(dir, 0); err != nil || !strings.Contains(first, "runtime\n") {
		t.Fatalf("a first build compiles the runtime: %q, %v", first, err)
	}
	if second, err := buildGo(dir, 0); err != nil || second != "" {
		t.Fatalf("a second build compiled %q, %v", second, err)
	}
	if left, err := os.ReadDir(hosts); err == nil && len(left) > 0 {
		t.Errorf("the host's cache holds %v", left)
	}
	ctx, cancel := context.WithCancel(context.Background())
	host := func(args ...string) {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = dir
		_ = cmd.Run() // with its cache cleared a build of the host may fail; that is its own
	}
	var outside, inside sync.WaitGroup
	outside.Go(func() { host("build", "-o", filepath.Join(t.TempDir(), "out"), "./p0") })
	outside.Go(func() {
		for ctx.Err() == nil {
			host("clean", "-cache")
		}
	})
	for i := range many {
		inside.Go(func() {
			said, err := buildGo(dir, i)
			if err != nil || strings.Contains(said, "runtime\n") {
				t.Errorf("program %d: %q, %v", i, said, err)
			}
		})
	}
	inside.Wait()
	cancel()
	outside.Wait()
	for i := range many {
		out, err := exec.Command(filepath.Join(dir, fmt.Sprintf("out%d", i))).CombinedOutput()
		if err != nil || string(out) != fmt.Sprintln(i) {
			t.Errorf("program %d prints %q, %v", i, out, err)
		}
	}
}
