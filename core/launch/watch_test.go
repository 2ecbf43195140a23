// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// of returns the findings with a code.
func (f *findings) of(code diag.Code) []diag.Diagnostic {
	f.mu.Lock()
	defer f.mu.Unlock()
	var some []diag.Diagnostic
	for _, d := range f.all {
		if d.Code == code {
			some = append(some, d)
		}
	}
	return some
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	names := []plan.Step{plan.Watch{Quarantine: []string{ws + "/.envrc", ws + "/.vscode", ws + "/.idea", ws + "/.bashrc"}}}
	var found findings
	s := open(t, holdPlan(ws, names...), Options{StateDir: state, Report: found.add})
	out := inside(t, s, ws, `
		echo evil > .envrc
		echo other > x; mv x .envrc2; ln -s /etc/passwd .bashrc
		mkdir -p prepared/d; echo task > prepared/d/tasks.json; mv prepared .vscode
		echo kept > .envrc.sample; sleep 0.2
		mkdir .idea; echo last > .idea/a; echo end`)
	if !strings.HasSuffix(out, "end\n") {
		t.Errorf("inside: %q", out)
	}
	s.Close()
	for _, name := range []string{".envrc", ".vscode", ".idea", ".bashrc"} {
		if exists(filepath.Join(ws, name)) {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range []string{".envrc2", ".envrc.sample"} {
		if !exists(filepath.Join(ws, name)) {
			t.Errorf("%s is gone", name)
		}
	}
	moved := found.of(diag.Quarantined)
	if len(moved) < 4 {
		t.Fatalf("findings: %v", found.all)
	}
	// The command in the finding brings a file back.
	for _, d := range moved {
		command, ok := strings.CutPrefix(d.Remedy, "if it is wanted: ")
		if !ok || !strings.Contains(command, "/.envrc") {
			continue
		}
		words := strings.Fields(command)
		if b, err := os.ReadFile(words[len(words)-2]); err != nil || string(b) != "evil\n" {
			t.Errorf("%s holds %q, %v", words[len(words)-2], b, err)
		}
		if words[len(words)-1] != ws+"/.envrc" {
			t.Errorf("remedy %q", d.Remedy)
		}
	}
}

// TestQuarantineIsBounded: a command that makes a name again and again can fill
// neither the state nor the report, and has it removed at the end all the same.
func TestQuarantineIsBounded(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	var found findings
	s := open(t, holdPlan(ws, plan.Watch{Quarantine: []string{ws + "/.envrc"}}), Options{StateDir: state, Report: found.add})
	inside(t, s, ws, `i=0; while [ $i -lt 20000 ]; do [ -e .envrc ] || : > .envrc; i=$((i+1)); done; : > .envrc`)
	s.Close()
	if exists(ws + "/.envrc") {
		t.Error(".envrc is left")
	}
	if n := len(found.of(diag.Quarantined)); n == 0 || n > maxMoves+1 {
		t.Errorf("%d findings", n)
	}
}

func TestQuarantineLeavesWhatWasThere(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	if err := os.WriteFile(ws+"/.envrc", []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	var found findings
	s := open(t, holdPlan(ws, plan.Watch{Quarantine: []string{ws + "/.envrc"}}), Options{StateDir: state, Report: found.add})
	inside(t, s, ws, "ls")
	s.Close()
	if !exists(ws+"/.envrc") || len(found.all) != 0 {
		t.Errorf("there %v, findings %v", exists(ws+"/.envrc"), found.all)
	}
}

// TestHeldNameFreedFromOutside: where a placeholder is removed from outside,
// what commands make of the name does not stay.
func TestHeldNameFreedFromOutside(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	dir, file := ws+"/.claude", ws+"/.git/commondir"
	var found findings
	s := open(t, holdPlan(ws, plan.Hold{Path: dir, Kind: "dir"}, plan.Hold{Path: file, Kind: "file", Content: "."}), Options{StateDir: state, Report: found.add})
	for _, name := range []string{dir, file} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	inside(t, s, ws, "mkdir -p x/y; mv x .claude; echo /evil > .git/commondir")
	s.Close()
	if exists(dir) || exists(file) {
		t.Errorf("left: directory %v, file %v", exists(dir), exists(file))
	}
	if len(found.of(diag.Quarantined)) < 2 {
		t.Errorf("findings: %v", found.all)
	}
}

func TestGitFindings(t *testing.T) {
	t.Parallel()
	// submodule makes a repository with one, as a clone has it before it is
	// initialised.
	const submodule = `git init -q sm; git -C sm commit -q --allow-empty -m x
		git update-index --add --cacheinfo 160000,$(git -C sm rev-parse HEAD),sm; git commit -qm sm; rm -rf sm; mkdir sm`
	for name, c := range map[string]struct {
		before string // done outside
		script string
		want   string // in the one finding; "": none
	}{
		"ordinary work": {script: "echo a > a; git add a; git commit -qm a; git switch -qc b"},
		"todo":          {script: "mkdir .git/rebase-merge; echo exec evil > .git/rebase-merge/git-rebase-todo", want: "git-rebase-todo"},
		"sequencer":     {script: "mkdir .git/sequencer; echo x > .git/sequencer/todo", want: "sequencer/todo"},
		"gitmodules":    {script: "echo x > .gitmodules", want: ".gitmodules"},
		"gitlink": {script: `git init -q sub; git -C sub commit -q --allow-empty -m x
			git update-index --add --cacheinfo 160000,$(git -C sub rev-parse HEAD),sub`, want: "/sub is a repository"},
		"repository alone":     {script: "git init -q sub"},
		"modules":              {script: "mkdir -p .git/modules/x", want: "modules"},
		"in a submodule":       {before: submodule, script: "git init -q sm", want: "/sm is a repository"},
		"files of a submodule": {before: submodule, script: "echo x > sm/x"},
		"moved to a submodule": {before: submodule + "; git init -q prepared", script: "rmdir sm; mv prepared sm", want: "/sm is a repository"},
		"out of the index":     {before: submodule, script: "git init -q sm; git update-index --force-remove sm", want: "/sm is a repository"},
		"of an earlier run":    {before: "git init -q old; git -C old commit -q --allow-empty -m x", script: "git update-index --add --cacheinfo 160000,$(git -C old rev-parse HEAD),old", want: "/old is a repository"},
		"in HEAD alone": {script: `git init -q sub; git -C sub commit -q --allow-empty -m x
			git update-index --add --cacheinfo 160000,$(git -C sub rev-parse HEAD),sub; git commit -qm sub; git update-index --force-remove sub`, want: "/sub is a repository"},
		"configuration":                  {before: submodule + "; git init -q sm", script: "git -C sm config core.fsmonitor evil", want: "/sm is a repository"},
		"work in an embedded repository": {before: submodule + "; git init -q sm", script: "cd sm; echo x > x; git add x; git commit -qm x"},
		"named by a file":                {before: submodule + "; git init -q elsewhere; echo 'gitdir: ../elsewhere/.git' > sm/.git", script: "git -C sm config core.fsmonitor evil", want: "/sm is a repository"},
		"file replaced":                  {before: submodule + "; git init -q elsewhere; echo 'gitdir: ../elsewhere/.git' > sm/.git", script: "rm sm/.git; git init -q sm", want: "/sm is a repository"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ws, state := repository(t)
			git(t, ws, "commit", "-q", "--allow-empty", "-m", "first")
			const identity = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a HOME=/nonexistent; set -e; "
			cmd := exec.Command("sh", "-c", identity+c.before)
			cmd.Dir = ws
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("before: %v: %s", err, out)
			}
			var found findings
			s := open(t, holdPlan(ws, plan.Watch{Report: []string{ws + "/.gitmodules"}, Git: []string{ws + "/.git"}}), Options{StateDir: state, Report: found.add})
			out := inside(t, s, ws, identity+c.script+"; echo end")
			s.Close()
			if !strings.HasSuffix(out, "end\n") {
				t.Fatalf("inside: %q", out)
			}
			made := found.of(diag.RepositoryMade)
			if c.want == "" {
				if len(found.all) != 0 {
					t.Errorf("findings: %v", found.all)
				}
				return
			}
			if len(made) != 1 || !strings.Contains(made[0].Message, c.want) || !strings.Contains(made[0].Remedy, "--ignore-submodules=all") {
				t.Errorf("findings: %v", found.all)
			}
		})
	}
}

// guardedRepository is one whose configuration is protected.
func guardedRepository(t *testing.T) (ws, state string, p *plan.Plan) {
	t.Helper()
	ws, state = repository(t)
	return ws, state, holdPlan(ws,
		plan.Bind{Path: ws + "/.git", Access: "write", Kind: "dir", Role: "pin"},
		plan.Bind{Path: ws + "/.git/hooks", Access: "read", Kind: "dir", Role: "protect"},
		plan.Bind{Path: ws + "/.git/config", Access: "read", Kind: "file", Role: "protect"})
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

func TestProtectedAgainAfterReplacement(t *testing.T) {
	t.Parallel()
	ws, state, p := guardedRepository(t)
	var found findings
	s := open(t, p, Options{StateDir: state, Report: found.add})
	git(t, ws, "config", "user.name", "from outside") // renames a lock file over it
	eventually(t, "the replacement is reported", func() bool { return len(found.of(diag.ProtectedChanged)) == 1 })
	out := inside(t, s, ws, `echo evil >> .git/config || rm -f .git/config || mv .git/config x || chmod 666 .git/config || git config user.name`)
	if !strings.HasSuffix(out, "from outside\n") {
		t.Errorf("inside: %q", out)
	}
	git(t, ws, "config", "user.name", "a second time")
	eventually(t, "the second replacement is seen", func() bool {
		out := inside(t, s, ws, "git config user.name; echo evil >> .git/config")
		return strings.HasPrefix(out, "a second time\n") && strings.Contains(out, "Read-only")
	})
	s.Close()
	if d := found.of(diag.ProtectedChanged); len(d) != 1 || !strings.Contains(d[0].Message, "protected again") {
		t.Errorf("findings: %v", found.all)
	}
	if got := git(t, ws, "config", "user.name"); got != "a second time\n" {
		t.Errorf("outside: %q", got)
	}
}

func TestDirectoryReplacedKills(t *testing.T) {
	t.Parallel()
	ws, state, p := guardedRepository(t)
	var found findings
	s := open(t, p, Options{StateDir: state, Report: found.add})
	done := begin(t, s, ws, "while :; do sleep 1; done")
	if err := os.Rename(ws+"/.git/hooks", ws+"/.git/hooks2"); err != nil {
		t.Fatal(err)
	}
	done() // ends because it is killed
	s.Close()
	if d := found.of(diag.ProtectedChanged); len(d) != 1 || !strings.Contains(d[0].Message, "killed") {
		t.Errorf("findings: %v", found.all)
	}
}

const envWriter = "CAISSON_TEST_WRITER"

// TestReplacementWriter is no test: it is the command that TestReplacementRace
// runs inside. It writes to the file as soon as it gets hold of it, and again
// later through the same descriptor.
func TestReplacementWriter(t *testing.T) {
	if os.Getenv(envWriter) == "" {
		t.Skip("runs in a sandbox")
	}
	if err := os.WriteFile("ready", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for {
		fd, err := unix.Open(".git/config", unix.O_WRONLY|unix.O_APPEND, 0)
		if err == nil {
			_, _ = unix.Write(fd, []byte("#PWNED\n"))
			for exists("ready") && !exists("stop") {
				time.Sleep(time.Millisecond)
			}
			_, _ = unix.Write(fd, []byte("#PWNED later\n"))
			return
		}
		if _, err := os.Lstat("stop"); err == nil {
			return
		}
	}
}

// TestReplacementRace: commands that try to write as fast as they can get into
// the moment in which a replaced file is not protected. Whatever they reach,
// it is not left there without the run being reported.
func TestReplacementRace(t *testing.T) {
	t.Parallel()
	const rounds = 50
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	written, killed := 0, 0
	for i := range rounds {
		ws, state, p := guardedRepository(t)
		var found findings
		s := open(t, p, Options{StateDir: state, Report: found.add})
		done := begin(t, s, ws, envWriter+"=1 exec "+self+" -test.run='^TestReplacementWriter$'")
		eventually(t, "the writer runs", func() bool { return exists(ws + "/ready") })
		git(t, ws, "config", "user.name", fmt.Sprint("round ", i))
		eventually(t, "the replacement is reported", func() bool { return len(found.of(diag.ProtectedChanged)) > 0 })
		if err := os.WriteFile(ws+"/stop", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		done()
		s.Close()
		reported := found.of(diag.ProtectedChanged)
		b, err := os.ReadFile(ws + "/.git/config")
		if err != nil {
			t.Fatal(err)
		}
		pwned, broken := strings.Contains(string(b), "PWNED"), false
		for _, d := range reported {
			broken = broken || strings.Contains(d.Message, "killed")
		}
		if pwned {
			written++
		}
		if broken {
			killed++
		}
		if pwned && !broken {
			t.Errorf("round %d: the file holds %q, reported: %v", i, b, reported)
		}
		if len(reported) == 0 || strings.Contains(string(b), "later") {
			t.Errorf("round %d: the file holds %q, reported: %v", i, b, reported)
		}
		if !strings.Contains(string(b), fmt.Sprint("round ", i)) {
			t.Errorf("round %d: what was written outside is lost: %q", i, b)
		}
	}
	t.Logf("%d of %d rounds ended with what a command wrote, reported; %d were killed", written, rounds, killed)
}
