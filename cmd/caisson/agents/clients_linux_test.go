// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// clients is where the clients in other languages are.
const clients = "../../../docs/clients"

// testsTime bounds the tests of a client.
const testsTime = 4 * time.Minute

// TestPython runs the tests of the client and adapters in Python.
func TestPython(t *testing.T) {
	t.Parallel()
	runClient(t, "python", "python3", "-B", "-m", "unittest", "-v", "tests.test_day", "tests.test_adapters")
}

// TestTypeScript checks the types of the client in TypeScript and runs its tests.
// With CAISSON_NODE_MODULES, a directory that has typescript, @types/node and
// @openai/agents, the adapter is tested too.
func TestTypeScript(t *testing.T) {
	t.Parallel()
	modules := os.Getenv("CAISSON_NODE_MODULES")
	if modules == "" {
		t.Skip("SKIPPED: CAISSON_NODE_MODULES names no directory with typescript, @types/node and @openai/agents")
	}
	runClient(t, "typescript", "sh", "-e", "test.sh", modules)
}

// runClient copies a client and runs its tests there.
func runClient(t *testing.T, name, runtime string, args ...string) {
	t.Helper()
	work := workspace(t)
	if _, err := exec.LookPath(runtime); err != nil {
		t.Skipf("SKIPPED: the client in %s cannot be tested without %s", name, runtime)
	}
	dir := filepath.Join(work, "client")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(clients, name))); err != nil {
		t.Fatal(err)
	}
	scratch := filepath.Join(work, "scratch")
	if err := os.Mkdir(scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testsTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, runtime, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CAISSON="+program(), "CAISSON_TEST_DIR="+scratch)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
