// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repo is a repository made by the real git, away from the user's
// configuration.
type repo struct {
	t   *testing.T
	git string
	dir string
	env []string
}

func newRepo(t *testing.T) repo {
	t.Helper()
	git := needGit(t)
	home := t.TempDir()
	r := repo{t: t, git: git, dir: filepath.Join(home, "ws"), env: []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + filepath.Join(home, "gitconfig"),
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org", "GIT_EDITOR=true",
	}}
	r.mkdir(".")
	r.write("file", "one")
	r.run("init", "-q", "-b", "main")
	r.run("add", "-A")
	r.run("commit", "-q", "-m", "one")
	return r
}

func (r repo) mkdir(name string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Join(r.dir, name), 0o700); err != nil {
		r.t.Fatal(err)
	}
}

func (r repo) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// run runs git, which must succeed and say nothing on standard error but what
// -q does not silence.
func (r repo) run(args ...string) string {
	r.t.Helper()
	cmd := exec.Command(r.git, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	for line := range strings.Lines(stderr.String()) {
		if strings.HasPrefix(line, "warning:") || strings.HasPrefix(line, "fatal:") || strings.HasPrefix(line, "error:") {
			r.t.Errorf("git %s says %s", strings.Join(args, " "), line)
		}
	}
	return stdout.String()
}

// hold makes the placeholders that a resolved policy asks for and returns them.
func (r repo) hold() []Rule {
	r.t.Helper()
	resolved, _, err := Standard(r.dir).Resolve(repoHost{OSHost().(*osHost), r.env})
	if err != nil {
		r.t.Fatal(err)
	}
	var held []Rule
	for _, rule := range resolved.Rules() {
		switch rule.Hold {
		case HoldDir:
			err = os.Mkdir(rule.Path, 0o700)
		case HoldLink:
			err = os.Symlink(rule.Content, rule.Path)
		case HoldFile:
			err = os.WriteFile(rule.Path, []byte(rule.Content), 0o600)
		default:
			continue
		}
		if err != nil {
			r.t.Fatal(err)
		}
		held = append(held, rule)
	}
	return held
}

// repoHost is this machine with the environment of a repo, whose home is away
// from caisson's own files.
type repoHost struct {
	*osHost
	env []string
}

func (h repoHost) Homes() []string { return []string{h.Getenv("HOME")} }

func (h repoHost) OwnDirs() OwnDirs {
	home := h.Getenv("HOME")
	return OwnDirs{State: filepath.Join(home, "state"), Config: filepath.Join(home, "config")}
}

func (h repoHost) Getenv(name string) string {
	for _, e := range h.env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// TestPlaceholdersDoNotDisturbGit makes what is held by hand and works as a
// person does.
func TestPlaceholdersDoNotDisturbGit(t *testing.T) {
	t.Parallel()
	for name, config := range map[string][]string{
		"plain":          nil,
		"worktreeConfig": {"extensions.worktreeConfig", "true"},
		"fsmonitor":      {"core.fsmonitor", "true"},
		"hooksPath":      {"core.hooksPath", "some/hooks"},
		"include":        {"include.path", "extra"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			if config != nil {
				r.run("config", config[0], config[1])
			}
			if err := os.RemoveAll(filepath.Join(r.dir, ".git/hooks")); err != nil {
				t.Fatal(err)
			}
			held := r.hold()
			if len(held) < 7 {
				t.Fatalf("only %v are held", held)
			}
			if out := r.run("status", "--porcelain"); out != "" {
				t.Errorf("status shows %q", out)
			}
			r.write("file", "two")
			r.write("new", "x")
			r.run("stash", "-q") // with -u git removes empty directories, which are pinned inside
			r.run("stash", "pop", "-q")
			r.run("add", "-A")
			if out := r.run("diff", "--cached", "--name-only"); out != "file\nnew\n" {
				t.Errorf("add -A staged %q", out)
			}
			r.run("commit", "-q", "-m", "two")
			r.run("switch", "-q", "-c", "other")
			r.write("file", "three")
			r.run("commit", "-q", "-a", "-m", "three")
			r.run("rebase", "-q", "main")
			r.run("switch", "-q", "main")
			r.run("merge", "-q", "--no-edit", "other")
			r.run("worktree", "add", "-q", "../wt", "-b", "wt")
			r.run("worktree", "list")
			wt := r
			wt.dir = filepath.Join(r.dir, "../wt")
			wt.run("status")
			wt.write("file", "four")
			wt.run("commit", "-q", "-a", "-m", "four")
			r.run("worktree", "remove", "../wt")
			r.run("gc", "-q")
			r.run("fsck", "--no-progress")
			r.run("clone", "-q", ".", "../clone")
			r.run("clean", "-q", "-n")
			r.run("log", "--oneline")
			if out := r.run("status", "--porcelain"); out != "" {
				t.Errorf("status shows %q at the end", out)
			}
			for _, rule := range held {
				info, err := os.Lstat(rule.Path)
				if err != nil || info.IsDir() != (rule.Hold == HoldDir) {
					t.Errorf("%s is gone or changed: %v", rule.Path, err)
				}
			}
		})
	}
}

// TestHeldNamesStopARepository wants git to see no repository where .git is
// held and HEAD is kept away, whatever else is put there, and to see the one
// further up as if nothing were held.
func TestHeldNamesStopARepository(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	if err := os.RemoveAll(filepath.Join(r.dir, ".git")); err != nil {
		t.Fatal(err)
	}
	held := r.hold()
	if !slices.ContainsFunc(held, func(h Rule) bool { return filepath.Base(h.Path) == ".git" && h.Hold == HoldLink }) {
		t.Error(".git is not held")
	}
	r.mkdir("objects")
	r.mkdir("refs")
	r.write("config", "[core]\nbare = true\n")
	cmd := exec.Command(r.git, "rev-parse", "--git-dir")
	cmd.Dir, cmd.Env = r.dir, append(r.env, "GIT_CEILING_DIRECTORIES="+filepath.Dir(r.dir))
	if out, err := cmd.Output(); err == nil {
		t.Errorf("git takes %s for a repository", out)
	}
}

// TestHeldNamesBelowARepository wants git and go to work in a subdirectory of
// a repository, and go in a directory without one, while the names are held.
func TestHeldNamesBelowARepository(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	sub := r
	sub.dir = filepath.Join(r.dir, "sub")
	r.mkdir("sub")
	sub.write("main.go", "package main\n\nfunc main() {}\n")
	sub.write("go.mod", "module example.org/sub\n\ngo 1.21\n")
	r.run("add", "-A")
	r.run("commit", "-q", "-m", "sub")
	sub.hold()
	sub.run("diff", "HEAD")
	sub.run("log", "-1", "HEAD")
	if out := r.run("status", "--porcelain", "-uall"); out != "" {
		t.Errorf("status shows %q", out)
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go: the build is not tried")
	}
	if err := os.RemoveAll(filepath.Join(r.dir, ".git")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "build", "-buildvcs=true", "-o", os.DevNull, ".")
	cmd.Dir, cmd.Env = sub.dir, append(os.Environ(), "GIT_CEILING_DIRECTORIES="+r.dir)
	if out, err := cmd.CombinedOutput(); err != nil && strings.Contains(string(out), "VCS") {
		t.Errorf("go build: %v: %s", err, out)
	}
}

// TestRealLayouts resolves what the real git makes: a linked worktree and a
// submodule.
func TestRealLayouts(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.run("worktree", "add", "-q", "../wt", "-b", "wt")
	resolve := func(dir string) *Resolved {
		t.Helper()
		resolved, notes, err := Standard(dir).Resolve(repoHost{OSHost().(*osHost), r.env})
		if err != nil || len(notes) != 0 {
			t.Fatalf("%v, notes %v", err, notes)
		}
		return resolved
	}
	real, err := filepath.EvalSymlinks(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	wantAccess(t, resolve(filepath.Join(r.dir, "../wt")), "write "+real+"/.git/objects/x", "read "+real+"/.git/config", "read "+real+"/.git/worktrees/wt/commondir", "read "+real+"/file")
	r.run("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../ws", "sub")
	wantAccess(t, resolve(filepath.Join(r.dir, "sub")), "write "+real+"/.git/modules/sub/index", "read "+real+"/.git/modules/sub/config", "read "+real+"/.git/index")
	wantAccess(t, resolve(r.dir), "write "+real+"/.git/modules/sub/index", "read "+real+"/.git/modules/sub/hooks/x", "read "+real+"/.gitmodules", "read "+real+"/.git/modules/new")
}
