// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// bubblewrap returns the path of bwrap where it works, and skips elsewhere.
func bubblewrap(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("bwrap")
	if err != nil {
		t.Skip("bwrap is not installed")
	}
	if out, err := exec.Command(path, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true").CombinedOutput(); err != nil {
		t.Skipf("bwrap does not work here: %v, %s", err, out)
	}
	return path
}

// walls are the arguments by which bwrap confines commands to a workspace.
func walls(ws string) []string {
	return []string{"--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev",
		"--bind", "{tmp}", "/tmp", "--bind", ws, ws, "--"}
}

func wrapPlan(programs ...plan.Program) *plan.Plan {
	return &plan.Plan{Format: 1, Backend: "test", OS: "linux", Arch: runtime.GOARCH, Steps: []plan.Step{plan.Wrap{Programs: programs}}}
}

// wrapOptions proves that ws can be written and its neighbour cannot.
func wrapOptions(t *testing.T) (ws string, o Options) {
	t.Helper()
	dir := t.TempDir()
	ws, outside, state := filepath.Join(dir, "ws"), filepath.Join(dir, "outside"), filepath.Join(dir, "state")
	for _, d := range []string{ws, outside, state} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return ws, Options{StateDir: state, Prove: Proof{Writable: ws, Forbidden: []string{"/proc/no-such-directory", outside}, Offline: true}}
}

// output runs a shell command and returns what it wrote and how it ended.
func output(t *testing.T, s *Sandbox, dir, script string) (string, syscall.WaitStatus, error) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p, err := s.Start(context.Background(), Command{
		Path: "sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin", "MARK=1"}, Dir: dir, Files: []*os.File{null, w, w},
	})
	w.Close()
	defer r.Close()
	if err != nil {
		return "", 0, err
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	status, err := p.Wait()
	return string(text), status.Wait, err
}

func TestWrapped(t *testing.T) {
	t.Parallel()
	bwrap := bubblewrap(t)
	ws, o := wrapOptions(t)
	s := open(t, wrapPlan(plan.Program{Path: bwrap, Args: walls(ws)}), o)
	text, status, err := output(t, s, ws, `pwd; env | sort; ls /proc/self/fd | tr '\n' ' '; echo; echo inside > file; echo x > /tmp/shared; echo x > ../outside/file || echo refused; exit 7`)
	if err != nil || status.ExitStatus() != 7 {
		t.Fatalf("status %v, %v, %q", status, err, text)
	}
	// The shell adds PWD and such; 3 is the directory that ls reads.
	for _, want := range []string{ws + "\n", "\nMARK=1\n", "\n0 1 2 3 \n", "refused\n"} {
		if !strings.Contains("\n"+text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	if _, err := os.Stat(filepath.Join(ws, "file")); err != nil {
		t.Error(err)
	}
	if list, err := os.ReadDir(filepath.Join(filepath.Dir(ws), "outside")); err != nil || len(list) != 0 {
		t.Errorf("outside: %v, %v", list, err)
	}
	text, status, err = output(t, s, ws, `cat /tmp/shared; kill -TERM $$`)
	if err != nil || text != "x\n" || status.ExitStatus() != 128+int(syscall.SIGTERM) {
		t.Errorf("a second command: %v, %v, %q", status, err, text)
	}
	var missing *diag.Diagnostic
	if _, _, err := output(t, s, "/nonexistent", "true"); !errors.As(err, &missing) || !strings.Contains(missing.Message, "cannot be entered") {
		t.Errorf("a missing directory: %v", err)
	}
	if _, err := s.Start(context.Background(), Command{Path: "no-such-command", Args: []string{"x"}, Env: []string{"PATH=/bin"}, Dir: ws}); !errors.As(err, &missing) || missing.Code != diag.CommandNotFound {
		t.Errorf("a missing command: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if list, err := os.ReadDir(filepath.Join(o.StateDir, "tmp")); err != nil || len(list) != 0 {
		t.Errorf("left in the state: %v, %v", list, err)
	}
}

// TestWrappedAttests: a wrapper that confines too little, or too much, executes
// no command, and nothing is left of what was tried.
func TestWrappedAttests(t *testing.T) {
	t.Parallel()
	bwrap := bubblewrap(t)
	for _, c := range []struct {
		name, want string
		code       diag.Code
		program    func(ws string) plan.Program
	}{
		{"all walls", "", "", func(ws string) plan.Program { return plan.Program{Path: bwrap, Args: walls(ws)} }},
		{"no walls", "outside can be written, and should not be", diag.AttestFailed, func(string) plan.Program {
			return plan.Program{Path: "/usr/bin/env"}
		}},
		{"writable", "outside can be written, and should not be", diag.AttestFailed, func(ws string) plan.Program {
			return plan.Program{Path: bwrap, Args: []string{"--unshare-all", "--bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--"}}
		}},
		{"online", "the host's loopback can be reached", diag.AttestFailed, func(ws string) plan.Program {
			return plan.Program{Path: bwrap, Args: append([]string{"--unshare-all", "--share-net"}, walls(ws)[1:]...)}
		}},
		{"nothing writable", "ws cannot be written, and should be", diag.AttestFailed, func(ws string) plan.Program {
			return plan.Program{Path: bwrap, Args: []string{"--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--"}}
		}},
		{"ends", "ended with status 1 before it executed the command", diag.AttestFailed, func(string) plan.Program {
			return plan.Program{Path: "/bin/false"}
		}},
		{"executes something else", "ended with status 0", diag.AttestFailed, func(string) plan.Program {
			return plan.Program{Path: "/bin/true"}
		}},
		{"missing", "the wrapper cannot be executed", diag.LaunchFailed, func(string) plan.Program {
			return plan.Program{Path: "/bin/no-such-wrapper"}
		}},
		{"another hash", "not what it was when it was trusted", diag.LaunchFailed, func(ws string) plan.Program {
			return plan.Program{Path: bwrap, Args: walls(ws), SHA256: strings.Repeat("00", 32)}
		}},
		{"its hash", "", "", func(ws string) plan.Program {
			text, err := os.ReadFile(bwrap)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(text)
			return plan.Program{Path: bwrap, Args: walls(ws), SHA256: hex.EncodeToString(sum[:])}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ws, o := wrapOptions(t)
			s := open(t, wrapPlan(c.program(ws)), o)
			_, status, err := output(t, s, ws, "touch ran")
			_, ran := os.Stat(filepath.Join(ws, "ran"))
			if c.want == "" {
				if err != nil || ran != nil || status != 0 {
					t.Errorf("%v, %v, %v", err, ran, status)
				}
				return
			}
			var d *diag.Diagnostic
			if !errors.As(err, &d) || d.Code != c.code || !strings.Contains(d.Message, c.want) {
				t.Errorf("%v, want %s with %q", err, c.code, c.want)
			}
			if ran == nil {
				t.Error("the command ran")
			}
			for _, dir := range []string{ws, filepath.Join(filepath.Dir(ws), "outside")} {
				if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
					t.Errorf("left in %s: %v, %v", dir, list, err)
				}
			}
		})
	}
}

// TestWrappedNeedsProof: a plan of wrappers that cannot be proven is refused.
func TestWrappedNeedsProof(t *testing.T) {
	t.Parallel()
	for _, p := range []*plan.Plan{wrapPlan(plan.Program{Path: "/usr/bin/env"}), {Format: 1, OS: "linux", Arch: runtime.GOARCH}} {
		s, err := Open(context.Background(), p, Options{StateDir: t.TempDir()})
		var d *diag.Diagnostic
		if !errors.As(err, &d) || d.Code != diag.AttestFailed && d.Code != diag.PlanInvalid {
			t.Errorf("%v, %v", s, err)
		}
	}
}

// TestWriting: where a file system has no unnamed files, one with a name is
// made and removed.
func TestWriting(t *testing.T) {
	t.Parallel()
	bwrap := bubblewrap(t)
	ws, o := wrapOptions(t)
	s := open(t, wrapPlan(plan.Program{Path: bwrap, Args: walls(ws)}), o)
	for _, w := range []*writing{&s.wrapped.proof.allowed, &s.wrapped.proof.forbidden} {
		*w = writing{dir: w.dir, name: filepath.Join(w.dir, ".caisson-test")}
	}
	if text, status, err := output(t, s, ws, "ls -A"); err != nil || status != 0 || text != "" {
		t.Errorf("%q, %v, %v", text, status, err)
	}
	s.wrapped.step.Programs[0] = plan.Program{Path: "/usr/bin/env"}
	if _, _, err := output(t, s, ws, "true"); err == nil || !strings.Contains(err.Error(), "can be written, and should not be") {
		t.Errorf("%v", err)
	}
}

// TestWrappedSignals: signals reach the command and leave the wrapper alone;
// Kill and Close leave nothing.
func TestWrappedSignals(t *testing.T) {
	t.Parallel()
	bwrap := bubblewrap(t)
	ws, o := wrapOptions(t)
	s := open(t, wrapPlan(plan.Program{Path: bwrap, Args: walls(ws)}), o)
	begin := func(script string) (*Process, *os.File) {
		t.Helper()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		t.Cleanup(func() { r.Close() })
		p, err := s.Start(context.Background(), Command{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: ws, Files: []*os.File{nil, w, w}})
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 6)
		if _, err := io.ReadFull(r, buf); err != nil || string(buf) != "ready\n" {
			t.Fatalf("%q, %v", buf, err)
		}
		return p, r
	}
	const wait = "echo ready; while :; do sleep 0.05; done"
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1} {
		if signal.Ignored(sig) { // as under nohup(1): no shell can trap it then
			signal.Notify(make(chan os.Signal, 1), sig)
		}
		p, r := begin("trap 'echo caught; exit 5' INT TERM HUP USR1; " + wait)
		if err := p.Signal(sig); err != nil {
			t.Error(err)
		}
		text, _ := io.ReadAll(r)
		if st, err := p.Wait(); err != nil || st.Wait.ExitStatus() != 5 || !bytes.Contains(text, []byte("caught")) {
			t.Errorf("%v: status %v, %v, %q", sig, st.Wait, err, text)
		}
	}
	// What a pipe is open in is alive: the last reader sees the end.
	p, r := begin("setsid sh -c 'trap \"\" TERM HUP; sleep 3600' & " + wait)
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(r); err != nil {
		t.Error(err)
	}
	if st, err := p.Wait(); err != nil || !st.Wait.Signaled() {
		t.Errorf("killed: %v, %v", st.Wait, err)
	}
	_, r1 := begin("setsid sh -c 'trap \"\" TERM HUP; sleep 3600' & " + wait)
	_, r2 := begin("trap '' TERM; " + wait)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, r := range []*os.File{r1, r2} {
		if _, err := io.ReadAll(r); err != nil {
			t.Error(err)
		}
	}
}

// TestWrappedCancelled: a wrapper that never executes the stage is given up with
// the context.
func TestWrappedCancelled(t *testing.T) {
	t.Parallel()
	ws, o := wrapOptions(t)
	script := filepath.Join(filepath.Dir(ws), "wrapper")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nwhile :; do sleep 1; done\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, wrapPlan(plan.Program{Path: script}), o)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if p, err := s.Start(ctx, Command{Path: "/bin/true", Args: []string{"true"}, Dir: ws}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v", p, err)
	}
}

// TestWrappedHolds: what the plan holds is there before the wrapper runs, and
// gone afterwards.
func TestWrappedHolds(t *testing.T) {
	t.Parallel()
	bwrap := bubblewrap(t)
	ws, o := wrapOptions(t)
	held := filepath.Join(ws, ".mcp.json")
	var said findings
	o.Report = said.add
	args := slices.Concat(walls(ws)[:len(walls(ws))-1], []string{"--ro-bind", held, held, "--"})
	p := wrapPlan(plan.Program{Path: bwrap, Args: args})
	p.Steps = slices.Insert(p.Steps, 0, plan.Step(plan.Hold{Path: held, Kind: "dir"}), plan.Step(plan.Watch{Quarantine: []string{filepath.Join(ws, ".envrc")}}))
	s := open(t, p, o)
	text, status, err := output(t, s, ws, "rmdir .mcp.json 2>/dev/null || echo held; (echo x > .mcp.json/y) 2>/dev/null || echo closed; echo x > .envrc")
	if err != nil || text != "held\nclosed\n" {
		t.Errorf("%q, %v, %v", text, status, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if list, err := os.ReadDir(ws); err != nil || len(list) != 0 {
		t.Errorf("left: %v, %v", list, err)
	}
	if codes := said.codes(); !slices.Contains(codes, diag.Quarantined) {
		t.Errorf("findings %v", codes)
	}
}

// TestCollectTmp: what a killed caller left goes, what a living one has stays.
func TestCollectTmp(t *testing.T) {
	t.Parallel()
	for name, collect := range map[string]func(t *testing.T, state string, report func(diag.Diagnostic)){
		"gc": func(t *testing.T, state string, report func(diag.Diagnostic)) {
			if err := Collect(state, report); err != nil {
				t.Fatal(err)
			}
		},
		"next sandbox": func(t *testing.T, state string, report func(diag.Diagnostic)) {
			open(t, holdPlan(t.TempDir()), Options{StateDir: state, Report: report}).Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testCollectTmp(t, collect)
		})
	}
}

func testCollectTmp(t *testing.T, collect func(t *testing.T, state string, report func(diag.Diagnostic))) {
	state := t.TempDir()
	base := filepath.Join(state, "tmp")
	living, err := makeTmp(base)
	if err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(base, tmpPrefix+"killed")
	if err := os.MkdirAll(filepath.Join(killed, "closed"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed, "closed", "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(killed, "closed"), killed} { // as commands may leave them
		if err := os.Chmod(dir, 0); err != nil {
			t.Fatal(err)
		}
	}
	var said findings
	collect(t, state, said.add)
	if _, err := os.Stat(killed); err == nil || !slices.Contains(said.codes(), diag.LeftoverRemoved) {
		t.Errorf("%s is left, %v", killed, said.codes())
	}
	if _, err := os.Stat(living.path); err != nil {
		t.Error(err)
	}
	if living.remove(); len(said.codes()) != 1 {
		t.Errorf("reported: %v", said.codes())
	}
	if left, err := os.ReadDir(base); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
