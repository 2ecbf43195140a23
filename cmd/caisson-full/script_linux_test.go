// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/caisson-sandbox/caisson/backends/fake"
	"github.com/caisson-sandbox/caisson/backends/linux"
	"github.com/caisson-sandbox/caisson/cmd/internal/cli"
	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/launch"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/sandbox"
	"github.com/caisson-sandbox/caisson/plugins/sdk"
)

// TestMain puts the programs of these tests side by side, where caisson looks
// for caisson-full and for plugins.
func TestMain(m *testing.M) {
	conformance.Main(sandbox.Backends()...)
	testscript.Main(m, map[string]func(){
		"caisson":                    func() { os.Exit(cli.Main(os.Args[1:])) },
		"caisson-full":               main,
		"caisson-backend-namespaces": func() { sdk.Serve(namespaces()) },
		"caisson-backend-weak":       func() { sdk.Serve(weak()) },
		"caisson-backend-linux":      func() { sdk.Serve(linux.New(linux.Options{Try: launch.Try})) },
	})
}

// namespaces is the Linux backend under another name: none that is built in
// may be that of a plugin.
func namespaces() backend.Backend {
	return renamed{linux.New(linux.Options{Try: launch.Try})}
}

type renamed struct{ backend.Backend }

const renamedTo = "plugged/namespaces"

func (r renamed) Info() backend.Info {
	i := r.Backend.Info()
	i.Name = renamedTo
	return i
}

func (r renamed) Prepare(ctx context.Context, q backend.Request) (*plan.Plan, error) {
	made, err := r.Backend.Prepare(ctx, q)
	if err == nil {
		made.Backend = renamedTo
	}
	return made, err
}

// weak is a backend that upholds next to nothing.
func weak() backend.Backend {
	return &fake.Backend{
		Answer: backend.Info{Name: "weak", Version: "0.1", OS: []string{"linux"}, Rank: 1000},
		Report: backend.Report{
			Usable: true, Offers: guarantee.Set{guarantee.EnvScrubbed: {By: guarantee.ByLaunch}},
			Unmet: []plan.Unmet{{ID: guarantee.NetOffline, Reason: "it is weak", Remedy: "take another one"}},
			Facts: []byte("{}"),
		},
	}
}

// TestScripts runs every script with a home of its own.
func TestScripts(t *testing.T) {
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.MkdirTemp(home, ".caisson-test-") // commands have a /tmp of their own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	testscript.Run(t, testscript.Params{
		WorkdirRoot:         root,
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			for _, dir := range []string{home, filepath.Join(e.WorkDir, "ws")} {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return err
				}
			}
			e.Setenv("HOME", home)
			for _, name := range []string{"XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "SHELL"} {
				e.Setenv(name, "")
			}
			bin, err := exec.LookPath("caisson")
			if err != nil {
				return err
			}
			e.Setenv("BIN", filepath.Dir(bin))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": cmdStatus},
		Condition: func(name string) (bool, error) {
			if name == "sandbox" {
				return exec.Command("caisson", "doctor").Run() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
	})
}

// cmdStatus runs a command and compares its exit status:
//
//	status N COMMAND...
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}
