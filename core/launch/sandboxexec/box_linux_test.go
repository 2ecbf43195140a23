// SPDX-License-Identifier: Apache-2.0

package sandboxexec

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// scene is a state directory, a program that plays sandbox-exec, and a plan.
type scene struct {
	state, temp, record string
	options             Options
	plan                *plan.Plan
	mu                  sync.Mutex
	found               []diag.Diagnostic
}

func newScene(t *testing.T, mode string, steps ...plan.Step) *scene {
	t.Helper()
	if !landlocked() {
		t.Skip("this kernel has no Landlock with rules of TCP, which plays sandbox-exec here")
	}
	dir := realDir(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{state: filepath.Join(dir, "state"), temp: filepath.Join(dir, "tmp", "caisson"), record: filepath.Join(dir, "record")}
	program := filepath.Join(dir, "sandbox-exec")
	script := "#!/bin/sh\nexec '" + self + "' " + fakeWord + " " + mode + " '" + s.record + "' \"$@\"\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	s.options = Options{
		Program: program, Stage: self, StateDir: s.state, Patience: time.Minute, System: procFS{},
		Report: func(d diag.Diagnostic) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.found = append(s.found, d)
		},
	}
	s.plan = &plan.Plan{Steps: append([]plan.Step{
		plan.TempDir{Parent: s.temp}, plan.Seatbelt{Profile: "(version 1)\n(deny default)\n; (param \"TMP\")\n", Network: "none"},
	}, steps...)}
	return s
}

func realDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func (s *scene) open(t *testing.T) *Box {
	t.Helper()
	b, err := Open(s.plan, s.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// clean wants nothing to be left.
func (s *scene) clean(t *testing.T) {
	t.Helper()
	for _, dir := range []string{filepath.Join(s.state, "run"), s.temp} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) || len(entries) > 0 {
			t.Errorf("%s holds %v, %v", dir, entries, err)
		}
	}
}

// shell runs a script in a box and returns what it wrote.
func shell(t *testing.T, b *Box, script string, extra ...*os.File) (string, *Process) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := b.Start(context.Background(), Command{
		Path: "sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin", "A=b", "TMPDIR=/elsewhere"},
		Dir: "/", Files: append([]*os.File{nil, w, w}, extra...),
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 1<<16)
	n := 0
	for n < len(out) {
		m, err := r.Read(out[n:])
		if n += m; err != nil {
			break
		}
	}
	return string(out[:n]), p
}

func TestRun(t *testing.T) {
	t.Parallel()
	s := newScene(t, "confine")
	b := s.open(t)
	out, p := shell(t, b, `echo $A $TMPDIR $TMP; pwd; echo x >"$TMPDIR/f" && cat "$TMPDIR/f"; (echo x >'`+s.state+`/x') 2>/dev/null || echo refused; exit 7`)
	want := "b " + b.tmp + " " + b.tmp + "\n/\nx\nrefused\n"
	if out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	status, _, err := p.Wait()
	if err != nil || status.ExitStatus() != 7 {
		t.Errorf("status %v, %v", status, err)
	}
	if _, err := os.Stat(filepath.Join(s.state, "x")); err == nil {
		t.Error("the play does not confine")
	}
	args, err := os.ReadFile(s.record)
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Split(string(args), "\n")
	if !slices.Equal(list[:4], []string{"-f", b.profileFile(), "-DTTY=/dev/null", "-DTMP=" + b.tmp}) || list[5] != StageWord {
		t.Errorf("arguments %q", list)
	}
	profile, err := os.ReadFile(b.profileFile())
	if err != nil || string(profile) != b.profile.Profile {
		t.Errorf("profile %q, %v", profile, err)
	}
	for name, want := range map[string]os.FileMode{b.profileFile(): 0o600, b.dir: 0o700, b.tmp: 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	s.clean(t)
	if _, err := b.Start(context.Background(), Command{Path: "sh"}); err == nil {
		t.Error("a closed box starts commands")
	}
}

// TestProxy wants sandbox-exec to be told the proxy's port where the plan has a
// proxy, and a plan and a launcher that do not agree to start nothing.
func TestProxy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		network string
		port    int
		opens   bool
	}{{"proxy", 61080, true}, {"none", 0, true}, {"proxy", 0, false}, {"proxy", 65536, false}, {"none", 61080, false}} {
		s := newScene(t, "confine")
		st := s.plan.Steps[1].(plan.Seatbelt)
		st.Network = c.network
		s.plan.Steps[1], s.options.Proxy = st, c.port
		if !c.opens {
			var d *diag.Diagnostic
			if _, err := Open(s.plan, s.options); !errors.As(err, &d) || d.Code != diag.PlanInvalid {
				t.Errorf("%s at %d: %v", c.network, c.port, err)
			}
			s.clean(t)
			continue
		}
		s.open(t)
		args, err := os.ReadFile(s.record)
		if err != nil {
			t.Fatal(err)
		}
		if told := slices.Contains(strings.Split(string(args), "\n"), "-DPROXY=localhost:61080"); told != (c.port > 0) {
			t.Errorf("%s at %d: arguments %q", c.network, c.port, args)
		}
	}
}

// TestFails plays every failure. Each has its message, runs nothing, and
// leaves nothing.
func TestFails(t *testing.T) {
	t.Parallel()
	for mode, c := range map[string]struct {
		code diag.Code
		want string
	}{
		"65":           {diag.LaunchFailed, "did not take the profile (status 65)"},
		"71":           {diag.AlreadyConfined, "confined already"},
		"3":            {diag.AttestFailed, "ended with status 3 before it proved"},
		"0":            {diag.AttestFailed, "ended with status 0 before it proved"},
		"killed":       {diag.AttestFailed, "signal 9"},
		"hang":         {diag.AttestFailed, "did not prove within"},
		"not-confined": {diag.AttestFailed, "started a process that is not confined"},
		"open-files":   {diag.AttestFailed, "a write outside the policy was not refused"},
		"open-network": {diag.AttestFailed, "a connection was not refused"},
		"shut":         {diag.AttestFailed, "refuses what the policy allows"},
		"missing":      {diag.LaunchFailed, "is missing"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, mode)
			if mode == "missing" {
				s.options.Program += "-not"
			}
			if mode == "hang" {
				s.options.Patience = 300 * time.Millisecond
			}
			b, err := Open(s.plan, s.options)
			var d *diag.Diagnostic
			if !errors.As(err, &d) || d.Code != c.code || !strings.Contains(d.Message, c.want) {
				t.Errorf("got %v, want %s with %q", err, c.code, c.want)
			}
			if b != nil {
				t.Error("a box was opened")
			}
			s.clean(t)
		})
	}
}

// TestTurns lets sandbox-exec fail after the box was opened: no command runs.
func TestTurns(t *testing.T) {
	t.Parallel()
	s := newScene(t, "confine")
	b := s.open(t)
	script, err := os.ReadFile(s.options.Program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.options.Program, []byte(strings.Replace(string(script), " confine ", " not-confined ", 1)), 0o700); err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(s.state, "mark")
	_, err = b.Start(context.Background(), Command{Path: "touch", Args: []string{"touch", mark}, Env: []string{}})
	var d *diag.Diagnostic
	if !errors.As(err, &d) || d.Code != diag.AttestFailed {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a command ran that was not confined")
	}
}

func TestNotExecuted(t *testing.T) {
	t.Parallel()
	s := newScene(t, "confine")
	b := s.open(t)
	plain := filepath.Join(s.state, "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(plain+"x", []byte("text"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, search, dir string
		code              diag.Code
	}{
		{"/nonexistent/x", "", "/", diag.CommandNotFound},
		{"", "/usr/bin", "/", diag.CommandNotFound},
		{"x", "/nonexistent", "/", diag.CommandNotFound},
		{plain, "", "/", diag.CommandNotExec},
		{plain + "x", "", "/", diag.CommandNotExec},
		{"plain", "/nonexistent:" + s.state + ":/nonexistent/y", "/", diag.CommandNotExec},
		{"/bin/sh", "", "/nonexistent", diag.LaunchFailed},
	} {
		_, err := b.Start(context.Background(), Command{Path: c.path, Args: []string{"x"}, Dir: c.dir, Env: []string{"PATH=" + c.search}})
		var d *diag.Diagnostic
		if !errors.As(err, &d) || d.Code != c.code {
			t.Errorf("%s in %s: got %v, want %s", c.path, c.dir, err, c.code)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.Start(ctx, Command{Path: "sh"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a start that was given up: %v", err)
	}
}

// TestDescriptors wants a command to have what was given to it and no more,
// though this process has a descriptor that does not close by itself.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	leak, err := unix.Open("/dev/zero", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)
	s := newScene(t, "confine")
	granted, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer granted.Close()
	out, _ := shell(t, s.open(t), `for f in /proc/self/fd/*; do readlink $f; done`, nil, granted)
	if strings.Contains(out, "/dev/zero") || strings.Count(out, "/dev/null") != 1 || strings.Count(out, "pipe:") != 2 {
		t.Errorf("descriptors:\n%s", out)
	}
}
