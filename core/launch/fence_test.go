// SPDX-License-Identifier: Apache-2.0

//go:build linux

package launch

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// fencePlan confines by Landlock alone: dir may be written, everything read.
func fencePlan(dir string, scoped bool) *plan.Plan {
	read := []string{"execute", "read_dir", "read_file"}
	change := []string{"make_dir", "make_reg", "remove_file", "write_file"}
	l := plan.Landlock{Handled: slices.Concat(read, change), Rules: []plan.LandlockRule{
		{Path: "/", Access: read}, {Path: dir, Access: slices.Concat(read, change)}, {Path: "/dev/null", Access: []string{"read_file", "write_file"}},
	}}
	if scoped {
		l.Scoped = []string{"abstract_unix_socket", "signal"}
	}
	notify := plan.SeccompRule{Calls: []string{"connect", "fchmodat", "chmod"}, Action: "notify", Why: "a test"}
	return &plan.Plan{Format: plan.Format, Backend: "test", OS: "linux", Arch: runtime.GOARCH, Steps: []plan.Step{
		plan.Limits{Core: 1}, plan.ProcessGroup{Own: true}, plan.Broker{}, plan.Metadata{}, plan.Privileges{}, l,
		plan.Seccomp{Newest: 471, Rules: []plan.SeccompRule{notify}},
	}}
}

// fenced opens a sandbox of that plan.
func fenced(t *testing.T, scoped bool) (*Sandbox, string) {
	t.Helper()
	dir := t.TempDir()
	p := fencePlan(dir, scoped)
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), p, Options{StateDir: t.TempDir()})
	if err != nil {
		t.Skipf("this host has no Landlock that does: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func shell(t *testing.T, s *Sandbox, dir, script string) *Process {
	t.Helper()
	p, err := s.Start(context.Background(), Command{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: dir, Files: []*os.File{nil, nil, nil}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFenceEndsAll: what left its parent, its group and its session ends with
// the sandbox, also where the kernel does not keep signals inside.
func TestFenceEndsAll(t *testing.T) {
	for _, scoped := range []bool{true, false} {
		s, dir := fenced(t, scoped)
		p := shell(t, s, dir, "(setsid sleep 1000 & echo $! >orphan) ; exit 3")
		if st, err := p.Wait(); err != nil || st.Wait.ExitStatus() != 3 {
			t.Fatalf("%+v %v", st, err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "orphan"))
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if unix.Kill(pid, 0) != nil {
			t.Fatal("the orphan is gone before the end")
		}
		if !s.inside(pid) || s.inside(os.Getpid()) || s.inside(1) || s.inside(s.init) {
			t.Errorf("scoped %v: who is inside is not told apart", scoped)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if !gone(pid) {
			t.Errorf("scoped %v: the orphan lives", scoped)
		}
	}
}

// gone reports whether a process is dead, reaped or not.
func gone(pid int) bool {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(text), ") Z ") {
			return true
		}
	}
	return false
}

// TestFenceNursery: a command can end the process that makes commands. The next
// one is refused, and the sandbox closes.
func TestFenceNursery(t *testing.T) {
	s, dir := fenced(t, true)
	if _, err := shell(t, s, dir, "exit 0").Wait(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(s.fence.nursery, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_, err := s.Start(context.Background(), Command{Path: "/bin/true", Args: []string{"true"}, Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "ended from inside") {
		t.Errorf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestFenceNurseryStopped: a command can stop the process that makes commands,
// and the next one starts all the same, in its place.
func TestFenceNurseryStopped(t *testing.T) {
	s, dir := fenced(t, true)
	stop := "kill -STOP " + strconv.Itoa(s.fence.nursery)
	if st, err := shell(t, s, dir, stop).Wait(); err != nil || st.Wait.ExitStatus() != 0 {
		t.Fatalf("a command cannot stop the nursery, so this test says nothing: %+v %v", st, err)
	}
	if st, err := shell(t, s, dir, "exit 5").Wait(); err != nil || st.Wait.ExitStatus() != 5 {
		t.Errorf("%+v %v", st, err)
	}
}

// TestFenceLateBirth: a command whose start was given up may be made late. It
// does not run, and the next one is not taken for it.
func TestFenceLateBirth(t *testing.T) {
	s, dir := fenced(t, true)
	if err := unix.Kill(s.fence.nursery, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	sp := (&Process{sandbox: s}).specOf(Command{Path: "/bin/sh", Args: []string{"sh", "-c", "echo >late"}, Dir: dir}, &inherited{})
	sp.alone = true
	list, err := enterProgram(s.plan, 0, s.filter, sp)
	if err != nil {
		t.Fatal(err)
	}
	image, err := list.memfd()
	if err != nil {
		t.Fatal(err)
	}
	ctl, err := newControl()
	if err != nil {
		t.Fatal(err)
	}
	order := binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, 1), s.fence.born)
	if err := unix.Sendmsg(s.fence.births.fd, order, unix.UnixRights(ctl.other, image), nil, 0); err != nil {
		t.Fatal(err)
	}
	unix.Close(image)
	ctl.close()
	p := shell(t, s, dir, "exit 6")
	if st, err := p.Wait(); err != nil || st.Wait.ExitStatus() != 6 {
		t.Errorf("%+v %v", st, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "late")); err == nil {
		t.Error("the command that was given up ran")
	}
}

// TestStops: who is stopped goes on, and who is stopped for ever is given up.
func TestStops(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var n stops
	if err := n.goOn(cmd.Process.Pid); err != nil || n != 0 {
		t.Fatalf("who runs was stopped: %d %v", n, err)
	}
	for i := range mostStops + 1 {
		if err := cmd.Process.Signal(unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		for !stands(t, cmd.Process.Pid) {
			time.Sleep(100 * time.Microsecond)
		}
		err := n.goOn(cmd.Process.Pid)
		if i < mostStops && (err != nil || stands(t, cmd.Process.Pid)) {
			t.Fatalf("stop %d: %v", i, err)
		}
		if i == mostStops && err == nil {
			t.Error("it is told to go on for ever")
		}
	}
}

// stands reports whether a process is stopped.
func stands(t *testing.T, pid int) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(text), ") T ")
}

// TestFenceModes: the supervisor changes modes where commands may write, and
// nowhere else.
func TestFenceModes(t *testing.T) {
	s, dir := fenced(t, true)
	outside := filepath.Join(t.TempDir(), "victim")
	for _, name := range []string{outside, filepath.Join(dir, "own")} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	st, err := shell(t, s, dir, "chmod 600 own && ! chmod 600 "+outside+" && ln -s "+outside+" l; chmod 600 /dev/null; exit 4").Wait()
	if err != nil || st.Wait.ExitStatus() != 4 {
		t.Fatalf("%+v %v", st, err)
	}
	for name, want := range map[string]os.FileMode{outside: 0o644, filepath.Join(dir, "own"): 0o600, "/dev/null": 0o666} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func TestAround(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, d := range []string{"home/me/.ssh", "home/me/src", "home/you", "usr"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "home/me/notes"), nil, 0o644), os.Symlink(".ssh", filepath.Join(dir, "home/me/link"))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ except, want []string }{
		{nil, []string{"/"}},
		{[]string{"home/me/.ssh"}, []string{"home/me/notes", "home/me/src/", "home/you/", "usr/"}},
		{[]string{"home/me/.ssh", "usr"}, []string{"home/me/notes", "home/me/src/", "home/you/"}},
		{[]string{"home/me/.aws/credentials"}, []string{"home/me/.ssh/", "home/me/notes", "home/me/src/", "home/you/", "usr/"}},
		{[]string{"home/m"}, []string{"home/me/", "home/you/", "usr/"}},
	} {
		var except []string
		for _, e := range c.except {
			except = append(except, filepath.Join(dir, e))
		}
		list, err := around(dir, except)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range list {
			name := strings.TrimPrefix(f.path, dir)
			if f.dir {
				name += "/"
			}
			got = append(got, strings.TrimPrefix(name, "/"))
		}
		if len(got) == 1 && got[0] == "" {
			got[0] = "/"
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.except, got, c.want)
		}
	}
	if list, err := around(filepath.Join(dir, "gone"), nil); err != nil || len(list) != 1 {
		t.Errorf("a path that is gone: %v %v", list, err)
	}
}

// TestFenceChanged: a writable path that is gone stops the launch.
func TestFenceChanged(t *testing.T) {
	p := fencePlan(filepath.Join(t.TempDir(), "gone"), true)
	if s, err := Open(context.Background(), p, Options{StateDir: t.TempDir()}); !errors.Is(err, ErrChanged) {
		if err == nil {
			s.Close()
		}
		t.Errorf("got %v", err)
	}
}

// TestFenceReach: while the agent is not apart from what is outside, its signals
// would reach that, so nobody is taken for one inside and nothing is killed. The
// test asks and kills nothing: were it wrong, it would end the machine's work.
func TestFenceReach(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		apart, scoped bool
		want          reach
	}{{false, true, reachAnything}, {false, false, reachAnything}, {true, true, reachInside}, {true, false, reachAlike}} {
		f := &fence{apart: c.apart, scoped: c.scoped}
		if got := f.reach(); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
		if !c.apart && f.holds(1) {
			t.Errorf("%+v: process 1 is inside", c)
		}
	}
}
