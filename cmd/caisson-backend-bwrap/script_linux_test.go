// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/caisson-sandbox/caisson/cmd/internal/cli"
	"github.com/caisson-sandbox/caisson/cmd/internal/hosting"
	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// TestMain puts caisson, caisson-full and the backend side by side.
func TestMain(m *testing.M) {
	conformance.Main(sandbox.Backends()...)
	testscript.Main(m, map[string]func(){
		"caisson":               func() { os.Exit(cli.Main(os.Args[1:])) },
		"caisson-full":          func() { os.Exit(cli.MainHosting(os.Args[1:], hosting.New())) },
		"caisson-backend-bwrap": main,
	})
}

// home makes a home with a workspace, outside of the temporary directories,
// which commands have of their own, and trusts the backend there.
func home(t *testing.T) (dir string, env []string) {
	t.Helper()
	real, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	if dir, err = os.MkdirTemp(real, ".caisson-test-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for _, d := range []string{"home/.ssh", "ws/sub"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env = append(os.Environ(), "HOME="+filepath.Join(dir, "home"), "XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
	cmd := exec.Command("caisson", "plugin", "trust", "bwrap")
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir, env
}

// works reports whether bubblewrap confines anything on this host.
func works() bool {
	f, err := probe(context.Background())
	return err == nil && f.Works
}

func TestScripts(t *testing.T) {
	dir, env := home(t)
	testscript.Run(t, testscript.Params{
		WorkdirRoot: dir, Dir: "testdata/script", RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			for _, v := range env {
				if name, value, _ := strings.Cut(v, "="); name == "HOME" || strings.HasPrefix(name, "XDG_") {
					e.Setenv(name, value)
				}
			}
			// The host's loopback has a listener, so that silence means something.
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Defer(func() { l.Close() })
			e.Setenv("PORT", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
			if err := os.MkdirAll(filepath.Join(e.WorkDir, "ws", "sub"), 0o755); err != nil {
				return err
			}
			for _, name := range []string{"socket", "ws/granted"} {
				u, err := net.Listen("unix", filepath.Join(e.WorkDir, name))
				if err != nil {
					return err
				}
				e.Defer(func() { u.Close() })
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": cmdStatus},
		Condition: func(name string) (bool, error) {
			switch name {
			case "bwrap":
				return works(), nil
			case "git", "python3":
				_, err := exec.LookPath(name)
				return err == nil, nil
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

// TestTerminal: a command on a terminal gets its keys, its size, and can be
// stopped and go on; what is typed at the wrapper never ends the sandbox.
func TestTerminal(t *testing.T) {
	if !works() {
		t.Skip("bubblewrap makes no sandbox here")
	}
	dir, env := home(t)
	cmd := exec.Command("caisson", "run", "--backend", "bwrap", "-w", filepath.Join(dir, "ws"), "--", "sh", "-c",
		`test -t 0 && test -t 1 && stty size; trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done`)
	cmd.Env = env
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 33, Cols: 77})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	var text bytes.Buffer
	until := func(what string) {
		t.Helper()
		buf := make([]byte, 512)
		for !strings.Contains(text.String(), what) {
			n, err := terminal.Read(buf)
			if text.Write(buf[:n]); err != nil {
				t.Fatalf("%q does not come, but %q, %v", what, text.String(), err)
			}
		}
	}
	until("ready")
	if !strings.Contains(text.String(), "33 77") {
		t.Errorf("the size of the terminal is not in %q", text.String())
	}
	if _, err := terminal.Write([]byte{3}); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	until("caught")
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 5 {
		t.Errorf("%v, %q", err, text.String())
	}
}

// TestOwnerKilled: when caisson is killed nothing in the sandbox is left.
func TestOwnerKilled(t *testing.T) {
	if !works() {
		t.Skip("bubblewrap makes no sandbox here")
	}
	dir, env := home(t)
	cmd := exec.Command("caisson", "run", "--backend", "bwrap", "-w", filepath.Join(dir, "ws"), "--", "sh", "-c",
		`setsid sh -c 'trap "" HUP TERM; sleep 3600' & echo ready; sleep 3600`)
	cmd.Env = env
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 6)
	if _, err := io.ReadFull(out, buf); err != nil || string(buf) != "ready\n" {
		t.Fatalf("%q, %v", buf, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// Everything inside has the pipe open: its end is the end of all of them.
	if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
	_ = cmd.Wait()
	held := filepath.Join(dir, "ws", ".mcp.json")
	for range 200 { // the guardian removes what was held, a moment later
		if _, err := os.Stat(held); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%s is left", held)
}
