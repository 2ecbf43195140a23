// SPDX-License-Identifier: Apache-2.0

package sandboxexec

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// run runs a command that does nothing, after which the box looks.
func run(t *testing.T, b *Box) {
	t.Helper()
	if _, p := shell(t, b, "true"); p != nil {
		if _, _, err := p.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// codes are those of what was reported, sorted.
func (s *scene) codes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, d := range s.found {
		list = append(list, string(d.Code))
	}
	slices.Sort(list)
	return list
}

func TestWatch(t *testing.T) {
	t.Parallel()
	dir := realDir(t)
	there, envrc, modules := filepath.Join(dir, ".vscode"), filepath.Join(dir, ".envrc"), filepath.Join(dir, ".gitmodules")
	if err := os.Mkdir(there, 0o700); err != nil {
		t.Fatal(err)
	}
	s := newScene(t, "confine", plan.Watch{Quarantine: []string{there, envrc}, Report: []string{modules}})
	b := s.open(t)
	write(t, envrc, "planted")
	write(t, modules, "planted")
	run(t, b)
	if exists(envrc) {
		t.Error("what appeared is still there")
	}
	for _, name := range []string{there, modules} {
		if !exists(name) {
			t.Errorf("%s is gone", name)
		}
	}
	moved, err := filepath.Glob(filepath.Join(s.state, "quarantine", "*", "1-.envrc"))
	if err != nil || len(moved) != 1 {
		t.Errorf("the quarantine holds %v, %v", moved, err)
	}
	write(t, envrc, "planted again")
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if exists(envrc) {
		t.Error("what appeared at the end is still there")
	}
	want := []string{string(diag.Quarantined), string(diag.Quarantined), string(diag.RepositoryMade)}
	if got := s.codes(); !slices.Equal(got, want) {
		t.Errorf("findings %v, want %v", got, want)
	}
}

// TestWatchFollowsNoLink has a command put a link in the place of a directory:
// what it leads to is the user's, and stays.
func TestWatchFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir, outside := realDir(t), realDir(t)
	write(t, filepath.Join(outside, ".envrc"), "the user's own")
	name := filepath.Join(dir, "sub", ".envrc")
	s := newScene(t, "confine", plan.Watch{Quarantine: []string{name}})
	b := s.open(t)
	if err := os.Symlink(outside, filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	run(t, b)
	if !exists(filepath.Join(outside, ".envrc")) {
		t.Error("a file of the user's was moved")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.found) != 1 || !strings.Contains(s.found[0].Message, "could not be moved away") {
		t.Errorf("findings %v", s.found)
	}
}

// TestWatchKnowsCommits wants a name to stay that a commit from before holds,
// as after a checkout, and nothing else: neither another text nor what a commit
// of the run holds.
func TestWatchKnowsCommits(t *testing.T) {
	t.Parallel()
	git := func(t *testing.T, dir string, args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
		cmd.Env = append(os.Environ(), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	for name, c := range map[string]struct {
		act   func(t *testing.T, dir string)
		stays bool
	}{
		"checkout": {func(t *testing.T, dir string) { git(t, dir, "switch", "-q", "other") }, true},
		"checkout and change": {func(t *testing.T, dir string) {
			git(t, dir, "switch", "-q", "other")
			write(t, filepath.Join(dir, ".envrc"), "use flake\nevil\n")
		}, false},
		"by hand": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, ".envrc"), "evil\n") }, false},
		"commit of the run": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, ".envrc"), "evil\n")
			git(t, dir, "add", "-f", ".envrc")
			git(t, dir, "commit", "-qm", "evil")
			git(t, dir, "branch", "-f", "other")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := realDir(t)
			git(t, dir, "init", "-q", "-b", "main")
			git(t, dir, "commit", "-q", "--allow-empty", "-m", "first")
			git(t, dir, "switch", "-qc", "other")
			write(t, filepath.Join(dir, ".envrc"), "use flake\n")
			git(t, dir, "add", "-f", ".envrc")
			git(t, dir, "commit", "-qm", "second")
			git(t, dir, "switch", "-q", "main")
			s := newScene(t, "confine", plan.Watch{Quarantine: []string{filepath.Join(dir, ".envrc")}, Git: []string{filepath.Join(dir, ".git")}})
			b := s.open(t)
			c.act(t, dir)
			run(t, b)
			if exists(filepath.Join(dir, ".envrc")) != c.stays || len(s.codes()) == 0 != c.stays {
				t.Errorf("stays: %t, want %t; findings %v", !c.stays, c.stays, s.codes())
			}
		})
	}
}

// TestWatchTellsOfRepositories wants what git would act on to be told.
func TestWatchTellsOfRepositories(t *testing.T) {
	t.Parallel()
	dir := realDir(t)
	write(t, filepath.Join(dir, ".git", "HEAD"), "ref: refs/heads/main\n")
	s := newScene(t, "confine", plan.Watch{Git: []string{filepath.Join(dir, ".git")}})
	b := s.open(t)
	write(t, filepath.Join(dir, ".git", "rebase-merge", "git-rebase-todo"), "exec evil\n")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.codes(); !slices.Equal(got, []string{string(diag.RepositoryMade)}) {
		t.Errorf("findings %v", got)
	}
}

// TestCollect removes what a killed owner left, and leaves the living alone.
func TestCollect(t *testing.T) {
	t.Parallel()
	envrc := filepath.Join(realDir(t), ".envrc")
	s := newScene(t, "confine", plan.Watch{Quarantine: []string{envrc}})
	alive := s.open(t)
	dead := s.open(t)
	dir, tmp := dead.dir, dead.tmp
	// Both started something that is still alive, and one planted something.
	start := func(b *Box) *Process {
		p, err := b.Start(context.Background(), Command{Path: "sleep", Args: []string{"sleep", "1000"}, Env: []string{}})
		if err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(procFS{}.Environ(p.Pid()), b.mark()) { // it is being executed
			time.Sleep(time.Millisecond)
		}
		return p
	}
	survivor, orphan := start(alive), start(dead)
	write(t, envrc, "planted")
	dead.watch.absent = nil // as its death would
	if err := os.WriteFile(filepath.Join(tmp, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dead.lock.Close() // as its death would
	dead.dir, dead.tmp = "", ""
	var found []diag.Diagnostic
	if err := Collect(s.state, procFS{}, func(d diag.Diagnostic) { found = append(found, d) }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, tmp} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range []string{alive.dir, alive.tmp} {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("%s of a living box is gone", name)
		}
	}
	if len(found) != 2 || found[0].Code != diag.Quarantined || found[1].Code != diag.LeftoverRemoved {
		t.Errorf("findings %v", found)
	}
	if exists(envrc) {
		t.Error("what was planted is still there")
	}
	if status, _, err := orphan.Wait(); err != nil || status.Signal() != unix.SIGKILL {
		t.Errorf("what the dead box started: %v, %v", status, err)
	}
	if err := survivor.Signal(unix.SIGCONT); err != nil {
		t.Errorf("what a living box started: %v", err)
	}
	dead.lock, _ = os.Open(os.DevNull)
}
