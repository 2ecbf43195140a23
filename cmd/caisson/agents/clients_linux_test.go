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

// TestTypeScript runs the tests of the client in TypeScript with nothing but a Node
// that reads it, and, with a directory that has typescript, @types/node and
// @openai/agents, checks the types, compiles, and tests the adapter too.
func TestTypeScript(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("SKIPPED: the client in TypeScript cannot be tested without node")
	}
	t.Run("alone", func(t *testing.T) {
		t.Parallel()
		if exec.Command("node", "-e", "process.exit(process.features.typescript ? 0 : 1)").Run() != nil {
			t.Skip("SKIPPED: this node does not read TypeScript; 22.18 does")
		}
		runClient(t, "typescript", "node", "--test", "test/day.test.ts")
	})
	t.Run("compiled", func(t *testing.T) {
		t.Parallel()
		modules := os.Getenv(nodeModules)
		if modules == "" {
			t.Skip("SKIPPED: " + nodeModules + " names no directory with typescript, @types/node and @openai/agents")
		}
		runClient(t, "typescript", "sh", "-e", "test.sh", modules)
	})
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
