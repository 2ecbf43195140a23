// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

func TestMain(m *testing.M) {
	conformance.Main(sandbox.Backends()...)
	if name := filepath.Base(os.Args[0]); name != "caisson" && name != "caisson-sh" {
		hearAll()
	}
	testscript.Main(m, map[string]func(){"caisson": main, "caisson-sh": main})
}

// hearAll lets children get the signals that this process was started without,
// as by nohup(1): what is caught here has its default in them.
func hearAll() {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
}

// TestScripts runs every script as the user of the test; see also
// TestScriptsAsOrdinaryUser.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		WorkdirRoot:         workRoot(t),
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			if err := os.MkdirAll(home, 0o755); err != nil {
				return err
			}
			e.Setenv("HOME", home)
			for _, name := range []string{"XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "SHELL"} {
				e.Setenv(name, "")
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": cmdStatus,
			"json":   cmdJSON,
			"advice": cmdAdvice,
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Geteuid() == 0, nil
			case "sandbox":
				return sandboxWorks(), nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
	})
}

// workRoot makes a directory that is not below one of the temporary
// directories: commands have private ones in their place.
func workRoot(t *testing.T) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(home, "caisson-test-") // without a dot, behind which settings lie
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// sandboxWorks reports whether this host can uphold the standard contract.
func sandboxWorks() bool {
	return exec.Command("caisson", "doctor", "--facts-only").Run() == nil
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

// cmdJSON compares one value of a JSON file, found by keys and indices with
// points between them; a value that is a string is written without quotes:
//
//	json FILE exit.code 3
//
// With "!" the value must differ or be absent.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE KEY.KEY VALUE")
	}
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &v); err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	got, ok := jsonAt(v, args[1])
	if same := ok && got == args[2]; same == neg {
		ts.Fatalf("%s is %s, want %s", args[1], got, args[2])
	}
}

// cmdAdvice runs a command in which ADVICE stands for the flags that the last
// command advised on its standard error, and nothing else:
//
//	advice caisson run ADVICE -- COMMAND...
func cmdAdvice(ts *testscript.TestScript, neg bool, args []string) {
	_, rest, ok := strings.Cut(ts.ReadFile("stderr"), "allow it with ")
	if neg || !ok {
		ts.Fatalf("nothing was advised")
	}
	rest, _, _ = strings.Cut(rest, "\n")
	rest, _, _ = strings.Cut(rest, " (and ")
	var words []string
	for _, a := range args {
		if a == "ADVICE" {
			words = append(words, strings.Fields(rest)...)
			continue
		}
		words = append(words, a)
	}
	ts.Check(ts.Exec(words[0], words[1:]...))
}

// jsonAt finds a value. A "/" takes the place of the point where keys hold one.
func jsonAt(v any, path string) (string, bool) {
	sep := "."
	if strings.Contains(path, "/") {
		sep = "/"
	}
	for key := range strings.SplitSeq(path, sep) {
		switch node := v.(type) {
		case map[string]any:
			next, ok := node[key]
			if !ok {
				return "", false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(node) {
				return "", false
			}
			v = node[i]
		default:
			return "", false
		}
	}
	if s, ok := v.(string); ok {
		return s, true
	}
	text, err := json.Marshal(v)
	return string(text), err == nil
}
