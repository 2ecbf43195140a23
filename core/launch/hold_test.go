// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/journal"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// holdPlan is a small plan with a writable workspace and what else is given
// behind it.
func holdPlan(ws string, steps ...plan.Step) *plan.Plan {
	ids := "self"
	if os.Geteuid() == 0 {
		ids = "all"
	}
	write := []string{"write_file", "remove_dir", "remove_file", "make_dir", "make_reg", "make_sym", "refer"}
	p := &plan.Plan{Format: 1, Arch: runtime.GOARCH, Steps: []plan.Step{
		plan.Namespaces{Kinds: []string{"user", "mount", "pid", "ipc", "uts", "cgroup"}, IDs: ids},
		plan.ReadOnlyRoot{},
		plan.Scratch{Bytes: 1 << 24, Inodes: 1 << 10},
		plan.Devices{Names: []string{"null", "urandom"}},
		plan.Bind{Path: ws, Access: "write", Kind: "dir", Role: "root"},
	}}
	p.Steps = append(p.Steps, steps...)
	p.Steps = append(p.Steps, plan.Proc{}, plan.Limits{Core: 1}, plan.Privileges{},
		plan.Landlock{Handled: write, Scoped: []string{"abstract_unix_socket", "signal"}, Rules: []plan.LandlockRule{
			{Path: ws, Access: write}, {Path: "/dev", Access: []string{"write_file"}}}},
		plan.Seccomp{Newest: 470, Rules: []plan.SeccompRule{{Calls: []string{"setns", "mount"}, Action: "errno", Errno: "EPERM", Why: "namespaces"}}})
	return p
}

// findings collects diagnostics.
type findings struct {
	mu  sync.Mutex
	all []diag.Diagnostic
}

func (f *findings) add(d diag.Diagnostic) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, d)
}

func (f *findings) codes() []diag.Code {
	f.mu.Lock()
	defer f.mu.Unlock()
	var codes []diag.Code
	for _, d := range f.all {
		codes = append(codes, d.Code)
	}
	return codes
}

// repository makes a workspace with a git repository, and a state directory.
func repository(t *testing.T) (ws, state string) {
	t.Helper()
	dir := t.TempDir()
	ws, state = filepath.Join(dir, "ws"), filepath.Join(dir, "state")
	if err := os.Mkdir(ws, 0o755); err != nil {
		t.Fatal(err)
	}
	git(t, ws, "init", "-q")
	return ws, state
}

func git(t *testing.T, ws string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", ws}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return string(out)
}

func open(t *testing.T, p *plan.Plan, o Options) *Sandbox {
	t.Helper()
	s, err := Open(context.Background(), p, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// begin starts a shell inside; done gives its output.
func begin(t *testing.T, s *Sandbox, dir, script string) (done func() string) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Start(context.Background(), Command{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: dir, Files: []*os.File{null, out, out}})
	if err != nil {
		t.Fatal(err)
	}
	return func() string {
		if _, err := p.Wait(); err != nil {
			t.Error(err)
		}
		null.Close()
		out.Close()
		text, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func inside(t *testing.T, s *Sandbox, dir, script string) string {
	t.Helper()
	return begin(t, s, dir, script)()
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// records counts the records in a journal.
func records(t *testing.T, state string) int {
	t.Helper()
	d, err := journal.OpenExisting(state)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	names, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func times(t *testing.T, name string) [2]unix.Timespec {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		t.Fatal(err)
	}
	return [2]unix.Timespec{st.Atim, st.Mtim}
}

func TestHoldKeepsNamesFromBeingMade(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	holds := []plan.Step{
		plan.Hold{Path: ws + "/.claude", Kind: "dir"},
		plan.Hold{Path: ws + "/.mcp.json", Kind: "dir"},
		plan.Hold{Path: ws + "/.git/commondir", Kind: "file", Content: ".\n"},
	}
	for _, dir := range []string{ws, ws + "/.git"} {
		if err := os.Chtimes(dir, time.Unix(1e9, 5), time.Unix(1e9, 7)); err != nil {
			t.Fatal(err)
		}
	}
	top, gitDir := times(t, ws), times(t, ws+"/.git")
	var found findings
	s := open(t, holdPlan(ws, holds...), Options{StateDir: state, Report: found.add})
	if times(t, ws) != top || times(t, ws+"/.git") != gitDir {
		t.Error("the times of a directory changed at the start")
	}
	if got := git(t, ws, "status", "--porcelain", "-uall"); got != "" {
		t.Errorf("git status outside: %q", got)
	}
	out := inside(t, s, ws, `
		for n in .claude .mcp.json; do
			mkdir $n; rmdir $n; mv $n x; touch $n/a; echo a > $n; ln -sfn /etc $n; mkdir $n/d; mkdir x && mv -T x $n; rm -rf x
			chmod 777 $n
		done 2>/dev/null
		{ echo a > .git/commondir; rm -f .git/commondir; mv .git/commondir x; chmod 666 .git/commondir; echo b > x; mv x .git/commondir; rm -f x; } 2>/dev/null
		git status --porcelain -uall
		: > new; git clean -q -d -f && git status --porcelain -uall; echo $?`)
	if out != "0\n" {
		t.Errorf("inside: %q", out)
	}
	for _, name := range []string{".claude", ".mcp.json"} {
		entries, err := os.ReadDir(filepath.Join(ws, name))
		if err != nil || len(entries) != 0 {
			t.Errorf("%s outside: %v, %v", name, entries, err)
		}
		if !journal.IsPlaceholder(state, filepath.Join(ws, name)) {
			t.Errorf("%s is not known as a placeholder", name)
		}
	}
	if b, err := os.ReadFile(ws + "/.git/commondir"); err != nil || string(b) != ".\n" {
		t.Errorf("commondir is %q, %v", b, err)
	}
	top, gitDir = times(t, ws), times(t, ws+"/.git")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, h := range holds {
		if exists(h.(plan.Hold).Path) {
			t.Errorf("%s is left", h.(plan.Hold).Path)
		}
	}
	if n := records(t, state); n != 0 {
		t.Errorf("%d records are left", n)
	}
	if times(t, ws) != top || times(t, ws+"/.git") != gitDir {
		t.Error("the times of a directory changed at the end")
	}
	if len(found.all) != 0 {
		t.Errorf("findings: %v", found.all)
	}
}

func TestHoldRefusesWhatIsThere(t *testing.T) {
	t.Parallel()
	for kind, content := range map[string]string{"dir": "", "file": "."} {
		ws, state := repository(t)
		name := ws + "/.claude"
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
		p := holdPlan(ws, plan.Hold{Path: ws + "/.codex", Kind: "dir"}, plan.Hold{Path: name, Kind: kind, Content: content})
		if _, err := Open(context.Background(), p, Options{StateDir: state}); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: error %v", kind, err)
		}
		if !exists(name) || exists(ws+"/.codex") || records(t, state) != 0 {
			t.Errorf("%s: there %v, other left %v, records %d", kind, exists(name), exists(ws+"/.codex"), records(t, state))
		}
	}
}

func TestHoldFollowsNoLink(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	outside := t.TempDir()
	if err := os.Symlink(outside, ws+"/sub"); err != nil {
		t.Fatal(err)
	}
	p := holdPlan(ws, plan.Hold{Path: ws + "/sub/.claude", Kind: "dir"})
	if _, err := Open(context.Background(), p, Options{StateDir: state}); !errors.Is(err, ErrChanged) {
		t.Errorf("error %v", err)
	}
	if exists(outside + "/.claude") {
		t.Error("a placeholder was made through a link")
	}
}

func TestHoldLeavesWhatTheUserMade(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	dir, full, file := ws+"/.claude", ws+"/.codex", ws+"/.git/commondir"
	s := open(t, holdPlan(ws, plan.Hold{Path: dir, Kind: "dir"}, plan.Hold{Path: full, Kind: "dir"}, plan.Hold{Path: file, Kind: "file", Content: "."}), Options{StateDir: state})
	// Removed and made again at once, which gives the same inode number on
	// many file systems; and something in a placeholder. The file comes into
	// place as a whole: an empty one is not neutral, and would be moved away.
	for _, err := range []error{os.Remove(dir), os.Mkdir(dir, 0o755), os.WriteFile(full+"/a", []byte("a"), 0o644), os.WriteFile(ws+"/new", []byte("."), 0o444), os.Remove(file), os.Rename(ws+"/new", file)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	for _, name := range []string{dir, full + "/a", file} {
		if !exists(name) {
			t.Errorf("%s was removed", name)
		}
	}
	if n := records(t, state); n != 0 {
		t.Errorf("%d records are left", n)
	}
}

func TestHoldIsShared(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	dir, file := ws+"/.claude", ws+"/.git/commondir"
	p := holdPlan(ws, plan.Hold{Path: dir, Kind: "dir"}, plan.Hold{Path: file, Kind: "file", Content: "."})
	first := open(t, p, Options{StateDir: state})
	second := open(t, p, Options{StateDir: state})
	// A plan of one that took the placeholder for a directory of the user.
	third := open(t, holdPlan(ws, plan.Bind{Path: dir, Access: "read", Kind: "dir", Role: "protect"}), Options{StateDir: state})
	for i, s := range []*Sandbox{first, second, third} {
		s.Close()
		if last := i == 2; exists(dir) == last {
			t.Errorf("after the end of %d the directory exists: %v", i, exists(dir))
		}
		if i == 0 && !exists(file) || i == 1 && exists(file) {
			t.Errorf("after the end of %d the file exists: %v", i, exists(file))
		}
		if i < 2 {
			if out := inside(t, third, ws, "rmdir .claude 2>/dev/null || touch .claude/a 2>/dev/null || echo held"); out != "held\n" {
				t.Errorf("after the end of %d: %q", i, out)
			}
		}
	}
	if n := records(t, state); n != 0 {
		t.Errorf("%d records are left", n)
	}
}

func TestHoldManyAtOnce(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	p := holdPlan(ws, plan.Hold{Path: ws + "/.claude", Kind: "dir"}, plan.Hold{Path: ws + "/.codex", Kind: "dir"}, plan.Hold{Path: ws + "/.git/commondir", Kind: "file", Content: "."})
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			for range 3 {
				s, err := Open(context.Background(), p, Options{StateDir: state, Report: func(d diag.Diagnostic) { t.Errorf("finding: %v", d) }})
				if err != nil {
					t.Error(err)
					return
				}
				if out := inside(t, s, ws, "touch .claude/a || rmdir .codex || rm -f .git/commondir || echo held"); !strings.HasSuffix(out, "held\n") {
					t.Errorf("inside: %q", out)
				}
				s.Close()
			}
		})
	}
	wg.Wait()
	if exists(ws+"/.claude") || exists(ws+"/.codex") || exists(ws+"/.git/commondir") {
		t.Error("placeholders are left")
	}
	if n := records(t, state); n != 0 {
		t.Errorf("%d records are left", n)
	}
}

// TestHoldLocksAreOutOfReach: a command may read the state, and must be able to
// lock nothing of it.
func TestHoldLocksAreOutOfReach(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	s := open(t, holdPlan(ws, plan.Hold{Path: ws + "/.claude", Kind: "dir"}), Options{StateDir: state})
	if got := inside(t, s, ws, "ls "+state+"/journal | wc -l; chmod 600 "+state+"/journal/* 2>/dev/null"); got != "2\n" {
		t.Fatalf("files of the journal inside: %q", got)
	}
	for _, op := range []string{"<", ">>", "<>"} {
		got := inside(t, s, ws, `for f in `+state+`/journal/*; do (exec 9`+op+`$f) 2>/dev/null && echo "$f"; done; echo end`)
		if got != "end\n" {
			t.Errorf("opened with %s: %q", op, got)
		}
	}
}
