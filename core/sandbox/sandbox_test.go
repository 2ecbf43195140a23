// SPDX-License-Identifier: Apache-2.0

//go:build linux

package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// open makes a sandbox with a workspace of its own. It skips where this host
// cannot uphold the standard contract.
func open(t *testing.T, change func(*policy.Policy), o *sandbox.Options) (*sandbox.Sandbox, string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := policy.Standard(dir)
	if change != nil {
		change(&p)
	}
	sb, err := sandbox.Open(t.Context(), p, o)
	if _, ok := errors.AsType[*sandbox.Refusal](err); ok {
		t.Skip("this host cannot uphold the standard contract: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb, dir
}

func TestStreams(t *testing.T) {
	t.Parallel()
	sb, _ := open(t, nil, nil)
	t.Run("copied", func(t *testing.T) {
		cmd := sb.Command(t.Context(), "sh", "-c", "cat; echo error >&2")
		var out, errs bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("input"), &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		if out.String() != "input" || errs.String() != "error\n" {
			t.Errorf("output %q, error %q", out.String(), errs.String())
		}
	})
	t.Run("combined", func(t *testing.T) {
		out, err := sb.Command(t.Context(), "sh", "-c", "echo 1; echo 2 >&2; echo 3").CombinedOutput()
		if err != nil || string(out) != "1\n2\n3\n" {
			t.Errorf("%q, %v", out, err)
		}
	})
	t.Run("null", func(t *testing.T) {
		if err := sb.Command(t.Context(), "sh", "-c", "test -c /proc/self/fd/0 && ! read x && echo lost && echo lost >&2").Run(); err != nil {
			t.Error(err)
		}
	})
	t.Run("pipes", func(t *testing.T) {
		cmd := sb.Command(t.Context(), "cat")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cmd.StderrPipe(); err != nil {
			t.Fatal(err)
		}
		if _, err := cmd.StdoutPipe(); err == nil {
			t.Error("a second pipe was made")
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(in, "through"); err != nil {
			t.Fatal(err)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(out)
		if err != nil || string(text) != "through" {
			t.Errorf("%q, %v", text, err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	t.Run("unread input", func(t *testing.T) {
		cmd := sb.Command(t.Context(), "true")
		cmd.Stdin = strings.NewReader(strings.Repeat("x", 1<<20))
		if err := cmd.Run(); err != nil {
			t.Error(err)
		}
	})
}

func TestEnds(t *testing.T) {
	t.Parallel()
	sb, _ := open(t, nil, nil)
	for _, c := range []struct {
		script string
		code   int
		signal syscall.Signal
		text   string
	}{
		{"exit 3", 3, 0, "exit status 3"},
		{"kill -TERM $$", -1, syscall.SIGTERM, "signal: terminated"},
		{"kill -KILL $$", -1, syscall.SIGKILL, "signal: killed"},
	} {
		cmd := sb.Command(t.Context(), "sh", "-c", c.script)
		err := cmd.Run()
		exit, ok := errors.AsType[*sandbox.ExitError](err)
		if !ok || exit.Code != c.code || exit.Signal != c.signal || err.Error() != c.text {
			t.Errorf("%s: %v", c.script, err)
		}
		if r := cmd.Result(); !r.Started || r.Code != c.code || r.Signal != c.signal || r.Elapsed <= 0 || r.Denials != nil {
			t.Errorf("%s: %+v", c.script, r)
		}
	}
	if _, err := sb.Command(t.Context(), "sh", "-c", "echo why >&2; exit 1").Output(); err == nil {
		t.Error("no error")
	} else if exit, ok := errors.AsType[*sandbox.ExitError](err); !ok || string(exit.Stderr) != "why\n" {
		t.Errorf("%+v", err)
	}
}

func TestRefusedCommands(t *testing.T) {
	t.Parallel()
	sb, dir := open(t, nil, nil)
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		code diag.Code
	}{
		{"no-such-command", diag.CommandNotFound},
		{"./no-such-file", diag.CommandNotFound},
		{filepath.Join(dir, "plain"), diag.CommandNotExec},
		{dir, diag.CommandNotExec},
		{"", diag.CommandNotFound},
	} {
		cmd := sb.Command(t.Context(), c.name)
		err := cmd.Run()
		d, ok := errors.AsType[*diag.Diagnostic](err)
		if !ok || d.Code != c.code {
			t.Errorf("%q: %v", c.name, err)
		}
		if r := cmd.Result(); r.Started || len(r.Diagnostics) == 0 {
			t.Errorf("%q: %+v", c.name, r)
		}
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	sb, _ := open(t, nil, nil)
	t.Run("deadline", func(t *testing.T) {
		var cmd *sandbox.Cmd
		var err error
		for wait := 100 * time.Millisecond; cmd == nil || !cmd.Result().Started && wait < time.Minute; wait *= 4 {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			cmd = sb.Command(ctx, "sh", "-c", "sleep 1000 & sleep 1000")
			err = cmd.Run()
		}
		if exit, ok := errors.AsType[*sandbox.ExitError](err); !ok || exit.Signal != syscall.SIGKILL {
			t.Errorf("%v", err)
		}
		if r := cmd.Result(); !r.TimedOut || r.Limit != "" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cmd := sb.Command(ctx, "sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done")
		cmd.Cancel = func() error { return cmd.Signal(syscall.SIGTERM) }
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := cmd.Wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
	t.Run("deaf", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cmd := sb.Command(ctx, "sleep", "1000")
		cmd.Cancel, cmd.WaitDelay = func() error { cancel(); return nil }, 10*time.Millisecond
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := cmd.Wait(); err == nil || cmd.Result().Signal != syscall.SIGKILL {
			t.Errorf("%v, %+v", err, cmd.Result())
		}
	})
	t.Run("over already", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := sb.Command(ctx, "true").Run(); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

func TestWaitDelay(t *testing.T) {
	t.Parallel()
	sb, _ := open(t, nil, nil)
	cmd := sb.Command(t.Context(), "sh", "-c", "sleep 1000 & exit 0")
	cmd.Stdout, cmd.WaitDelay = new(bytes.Buffer), 50*time.Millisecond
	if err := cmd.Run(); !errors.Is(err, sandbox.ErrWaitDelay) {
		t.Errorf("%v", err)
	}
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	sb, _ := open(t, func(p *policy.Policy) { p.Limits.Time = 300 * time.Millisecond }, nil)
	cmd := sb.Command(t.Context(), "sleep", "1000")
	err := cmd.Run()
	if exit, ok := errors.AsType[*sandbox.ExitError](err); !ok || exit.Limit != "time" {
		t.Errorf("%v", err)
	}
	if r := cmd.Result(); !r.TimedOut || r.Limit != "time" {
		t.Errorf("%+v", r)
	}
	if err := sb.Command(t.Context(), "true").Run(); err == nil {
		t.Error("a command was started after the time was over")
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	sb, _ := open(t, nil, nil)
	cmd := sb.Command(t.Context(), "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- cmd.Wait() }()
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("the command was not ended")
	}
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	if err := cmd.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("%v", err)
	}
	if err := sb.Command(t.Context(), "true").Run(); err == nil {
		t.Error("a command was started in a closed sandbox")
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	environ := []string{"PATH=" + os.Getenv("PATH"), "HOME=/nowhere", "GITHUB_TOKEN=ghp_0123456789abcdefghijklmnopqrstuvwxyzAB", "LD_PRELOAD=/x", "PLAIN=1"}
	sb, dir := open(t, func(p *policy.Policy) { p.Env.Set = map[string]string{"CI": "1"} }, &sandbox.Options{Environ: environ})
	cmd := sb.Command(t.Context(), "env")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	env := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	for _, want := range []string{"PLAIN=1", "CI=1", "CAISSON=1", "HOME=/nowhere", "PWD=" + dir} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is missing in %q", want, env)
		}
	}
	for _, v := range env {
		if strings.HasPrefix(v, "GITHUB_TOKEN") || strings.HasPrefix(v, "LD_PRELOAD") {
			t.Errorf("%s reached the command", v)
		}
	}
	dropped := func(d diag.Diagnostic) bool {
		return d.Code == diag.EnvDropped && strings.Contains(d.Message, "GITHUB_TOKEN")
	}
	if !slices.ContainsFunc(sb.Diagnostics(), dropped) {
		t.Errorf("nothing was said in %v", sb.Diagnostics())
	}

	own := sb.Command(t.Context(), "/usr/bin/env")
	own.Env = []string{"GITHUB_TOKEN=given"}
	out, err = own.Output()
	if err != nil || !strings.Contains(string(out), "GITHUB_TOKEN=given\n") || !strings.Contains(string(out), "CAISSON=1\n") || strings.Contains(string(out), "PLAIN") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestDescriptors(t *testing.T) {
	t.Parallel()
	sb, dir := open(t, nil, nil)
	read := func(text string) *os.File {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		w.Close()
		return r
	}
	cmd := sb.Command(t.Context(), "sh", "-c", "cat <&3; cat <&9; ls /proc/self/fd")
	cmd.Dir = dir
	cmd.ExtraFiles = []*os.File{read("three")}
	cmd.Descriptors = map[int]*os.File{9: read("nine")}
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), "threenine") {
		t.Errorf("%q, %v", out, err)
	}
	for _, bad := range []map[int]*os.File{{0: os.Stdin}, {3: os.Stdin}, {-1: os.Stdin}, {1 << 30: os.Stdin}} {
		cmd := sb.Command(t.Context(), "true")
		cmd.ExtraFiles, cmd.Descriptors = []*os.File{os.Stdin}, bad
		if d, ok := errors.AsType[*diag.Diagnostic](cmd.Run()); !ok || d.Code != diag.DescriptorDenied {
			t.Errorf("%v: %v", bad, d)
		}
	}
}

func TestUnmet(t *testing.T) {
	t.Parallel()
	open(t, nil, nil) // skips where even less is met
	p := policy.Standard(t.TempDir())
	p.Require = []guarantee.ID{guarantee.LimitMemory}
	_, err := sandbox.Open(t.Context(), p, nil)
	refusal, ok := errors.AsType[*sandbox.Refusal](err)
	if !ok || len(refusal.Unmet) != 1 || refusal.Unmet[0].ID != guarantee.LimitMemory {
		t.Fatalf("%v", err)
	}
	d, ok := errors.AsType[*diag.Diagnostic](err)
	if !ok || d.Code != diag.GuaranteeUnmet || d.Grant == nil {
		t.Fatalf("%+v", d)
	}
	prepared, err := sandbox.Prepare(t.Context(), p, nil)
	if err == nil || prepared == nil || prepared.Plan == nil || len(prepared.Plan.Unmet) == 0 {
		t.Fatalf("%+v, %v", prepared, err)
	}
	sb, err := sandbox.Open(t.Context(), p.With(*d.Grant), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	if got := sb.Weakened(); !slices.Equal(got, p.Require) {
		t.Errorf("weakened: %v", got)
	}
}
