// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// run returns `caisson run` of a shell script in a workspace of its own, and
// skips where this host cannot uphold the standard contract.
func run(t *testing.T, script string, flags ...string) *exec.Cmd {
	t.Helper()
	if !sandboxWorks() {
		t.Skip("this host cannot uphold the standard contract")
	}
	root := workRoot(t)
	for _, name := range []string{"home", "ws"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "caisson", append(append([]string{"run"}, flags...), "--", "sh", "-c", script)...)
	cmd.Dir = filepath.Join(root, "ws")
	cmd.Env = append(os.Environ(), "HOME="+filepath.Join(root, "home"))
	return cmd
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatal(err)
	}
	return exit.ExitCode()
}

// telling says so for each signal that it gets, until it is told to end.
const telling = `trap 'echo got' TERM HUP USR1 INT QUIT; trap 'echo end; exit 5' USR2
echo ready; while :; do sleep 0.02; done`

// expect reads one line.
func expect(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	line, err := r.ReadString('\n')
	if strings.TrimRight(line, "\r\n") != want {
		t.Fatalf("%q is read, want %q: %v", line, want, err)
	}
}

// TestSignalsArePassedOnce sends signals to caisson alone.
func TestSignalsArePassedOnce(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGINT, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			cmd := run(t, telling)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal
			pipe, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			out := bufio.NewReader(pipe)
			expect(t, out, "ready")
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			expect(t, out, "got")
			if err := cmd.Process.Signal(syscall.SIGUSR2); err != nil {
				t.Fatal(err)
			}
			expect(t, out, "end")
			if code := exitCode(t, cmd.Wait()); code != 5 {
				t.Errorf("exit status %d", code)
			}
		})
	}
}

// TestIgnoredSignalsStayIgnored is what nohup(1) relies on.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	t.Parallel()
	inner := run(t, `kill -HUP $$; kill -HUP $PPID; echo alive`)
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `trap '' HUP; "$@"; kill -HUP $$`, "sh"}, inner.Args...)...)
	cmd.Dir, cmd.Env = inner.Dir, inner.Env
	out, err := cmd.Output()
	if err != nil || string(out) != "alive\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestInterrupt presses Ctrl-C on a terminal.
func TestInterrupt(t *testing.T) {
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		cmd := run(t, "echo ready; exec sleep 1000")
		tty, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		defer tty.Close()
		expect(t, bufio.NewReader(tty), "ready")
		if _, err := tty.Write([]byte{3}); err != nil {
			t.Fatal(err)
		}
		if code := exitCode(t, cmd.Wait()); code != 130 {
			t.Errorf("exit status %d", code)
		}
	})
	t.Run("once", func(t *testing.T) {
		t.Parallel()
		cmd := run(t, "stty -echo; "+telling)
		tty, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		defer tty.Close()
		out := bufio.NewReader(tty)
		expect(t, out, "ready")
		for range 2 {
			if _, err := tty.Write([]byte{3}); err != nil {
				t.Fatal(err)
			}
			expect(t, out, "got")
		}
		if err := cmd.Process.Signal(syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		expect(t, out, "end")
		if code := exitCode(t, cmd.Wait()); code != 5 {
			t.Errorf("exit status %d", code)
		}
	})
}

// TestTerminal looks at the terminal from inside.
func TestTerminal(t *testing.T) {
	t.Parallel()
	cmd := run(t, `stty size; test -t 0 && test -t 1 && test -t 2 && tty >/dev/null && echo yes </dev/tty`)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 33, Cols: 77})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	out := bufio.NewReader(tty)
	expect(t, out, "33 77")
	expect(t, out, "yes")
	if code := exitCode(t, cmd.Wait()); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// TestHintOnTerminal wants the one line that says what may have been in the
// way of a command that failed.
func TestHintOnTerminal(t *testing.T) {
	t.Parallel()
	cmd := run(t, "exit 1")
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	line, err := bufio.NewReader(tty).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "caisson: writes outside ") || !strings.Contains(line, "see caisson explain PATH") {
		t.Errorf("%q, %v", line, err)
	}
	if code := exitCode(t, cmd.Wait()); code != 1 {
		t.Errorf("exit status %d", code)
	}
}

// TestShell types into an interactive shell.
func TestShell(t *testing.T) {
	t.Parallel()
	cmd := run(t, "")
	cmd.Args = []string{"caisson", "shell"}
	cmd.Env = append(cmd.Env, "SHELL=/bin/sh", "PS1=$ ")
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if _, err := io.WriteString(tty, "echo $((6*7))$CAISSON; exit 3\n"); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(tty)
	if !strings.Contains(string(text), "421") { // reading ends with EIO on Linux
		t.Errorf("%q, %v", text, err)
	}
	if code := exitCode(t, cmd.Wait()); code != 3 {
		t.Errorf("exit status %d", code)
	}
}

// TestStreams shares open files with the caller as a shell does.
func TestStreams(t *testing.T) {
	t.Parallel()
	inner := run(t, "head -n1; echo error >&2")
	if err := os.WriteFile(filepath.Join(inner.Dir, "lines"), []byte("one\ntwo\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `{ "$@"; cat; } <lines >both 2>&1; cat both`, "sh"}, inner.Args...)...)
	cmd.Dir, cmd.Env = inner.Dir, inner.Env
	out, err := cmd.Output()
	if err != nil || string(out) != "one\nerror\ntwo\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestBrokenPipe ends a writer whose reader has gone, by SIGPIPE.
func TestBrokenPipe(t *testing.T) {
	t.Parallel()
	inner := run(t, "exec yes")
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `{ "$@"; echo $? >&3; } 3>&2 2>/dev/null | head -n1`, "sh"}, inner.Args...)...)
	cmd.Dir, cmd.Env = inner.Dir, inner.Env
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "y\n141\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestDescriptors passes what is named, and nothing else.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ flag, want string }{{"--fd=7", "seven\n"}, {"-q", "closed\n"}} {
		inner := run(t, "{ cat <&7; } 2>/dev/null || echo closed", c.flag)
		cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `echo seven | { exec 7<&0 </dev/null; "$@"; }`, "sh"}, inner.Args...)...)
		cmd.Dir, cmd.Env = inner.Dir, inner.Env
		out, err := cmd.Output()
		if err != nil || string(out) != c.want {
			t.Errorf("%s: %q, %v", c.flag, out, err)
		}
	}
}
