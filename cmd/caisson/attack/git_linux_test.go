// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// checkout is one way in which a workspace is a checkout.
type checkout struct {
	name string
	make func(w *world) // fills the workspace
}

func checkouts() []checkout {
	rebase := func(w *world) {
		w.git(w.work, "checkout", "-q", "-b", "side", "HEAD")
		w.commit("tracked", "side\n")
		w.commit("second", "second\n")
		w.git(w.work, "checkout", "-q", "main")
		w.commit("tracked", "main\n")
		w.git(w.work, "checkout", "-q", "side")
	}
	return []checkout{
		{"fresh", func(w *world) { w.repository(); rebase(w) }},
		{"linked", func(w *world) {
			main := w.dir + "/main"
			w.must(os.CopyFS(main, os.DirFS(here.repository)))
			w.must(os.RemoveAll(w.work))
			w.git(main, "worktree", "add", "-q", "-b", "linked", w.work)
			w.git(main, "checkout", "-q", "--detach")
			w.git(w.work, "branch", "-q", "-f", "main")
			rebase(w)
		}},
		{"submodule", func(w *world) {
			super := w.dir + "/super"
			w.must(os.CopyFS(super, os.DirFS(here.repository)))
			w.git(super, "submodule", "--quiet", "add", here.repository, "work")
			w.git(super, "commit", "-q", "-m", "submodule")
			w.must(os.RemoveAll(w.work))
			w.work = super + "/work"
			w.must(os.MkdirAll(w.work+"/vendor", 0o755))
			rebase(w)
		}},
	}
}

func (w *world) commit(name, text string) {
	w.t.Helper()
	w.write(filepath.Join(w.work, name), text)
	w.git(w.work, "add", name)
	w.git(w.work, "commit", "-q", "-m", name)
}

// persistence is a way to have the host's git run a program later.
type persistence struct {
	name string
	act  func(git, common, program string) error
	host func(w *world) // makes the case before the run; may be nil
	// reported says that the contract does not keep this from happening: it is
	// reported at the end of the run, before the host's git is used.
	reported bool
}

func persistences() []persistence {
	config := func(program string) []byte {
		return []byte("[core]\n\trepositoryformatversion = 0\n\tfsmonitor = " + program + "\n\thooksPath = " + filepath.Dir(program) + "\n")
	}
	return []persistence{
		{name: "config", act: func(_, common, program string) error {
			return os.WriteFile(common+"/config", config(program), 0o644)
		}},
		{name: "config by lock file", act: func(_, common, program string) error {
			if err := os.WriteFile(common+"/config.lock", config(program), 0o644); err != nil {
				return err
			}
			return os.Rename(common+"/config.lock", common+"/config")
		}},
		{name: "git config", act: func(_, _, program string) error {
			return exec.Command("git", "config", "core.fsmonitor", program).Run()
		}},
		{name: "hooks", act: func(_, common, program string) error {
			text, err := os.ReadFile(program)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(common+"/hooks", 0o755); err != nil {
				return err
			}
			for _, name := range []string{"pre-commit", "commit-msg", "post-commit", "post-index-change", "post-checkout", "post-rewrite", "prepare-commit-msg"} {
				err = errors.Join(err, os.WriteFile(common+"/hooks/"+name, text, 0o755))
			}
			return err
		}},
		{name: "hooks replaced", act: func(_, common, program string) error {
			if err := os.RemoveAll(common + "/hooks"); err != nil {
				return err
			}
			if err := os.MkdirAll("mine", 0o755); err != nil {
				return err
			}
			text, err := os.ReadFile(program)
			if err != nil {
				return err
			}
			dir, err := filepath.Abs("mine")
			return errors.Join(err, os.WriteFile("mine/pre-commit", text, 0o755), os.Symlink(dir, common+"/hooks"))
		}},
		{name: "common directory", act: func(git, common, program string) error {
			mine, err := filepath.Abs("mine")
			if err != nil {
				return err
			}
			return errors.Join(os.MkdirAll(mine, 0o755), os.WriteFile(mine+"/config", config(program), 0o644), os.Symlink(common+"/objects", mine+"/objects"),
				os.Symlink(common+"/refs", mine+"/refs"), os.WriteFile(git+"/commondir", []byte(mine+"\n"), 0o644))
		}},
		{name: "git directory moved", act: func(git, common, program string) error {
			// What .git is, a directory or a file, is moved and made anew.
			if err := exec.Command("cp", "-a", git, "mine").Run(); err != nil {
				return err
			}
			if git != common {
				if err := exec.Command("cp", "-a", common+"/objects", common+"/refs", "mine").Run(); err != nil {
					return err
				}
			}
			_ = os.Remove("mine/commondir")
			if err := os.WriteFile("mine/config", config(program), 0o644); err != nil {
				return err
			}
			if err := os.Rename(".git", "old"); err != nil {
				return err
			}
			return os.Rename("mine", ".git")
		}},
		{name: "worktree configuration", host: func(w *world) { w.git(w.work, "config", "extensions.worktreeConfig", "true") }, act: func(git, _, program string) error {
			return os.WriteFile(git+"/config.worktree", config(program), 0o644)
		}},
		{name: "monitor of the host's configuration", host: func(w *world) {
			w.write(w.work+"/tools/monitor", "#!/bin/sh\n")
			w.must(os.Chmod(w.work+"/tools/monitor", 0o755))
			w.git(w.work, "config", "core.fsmonitor", w.work+"/tools/monitor")
		}, act: func(_, _, program string) error {
			text, err := os.ReadFile(program)
			if err != nil {
				return err
			}
			return os.WriteFile("tools/monitor", text, 0o755)
		}},
		{name: "filter of the host's configuration", host: func(w *world) {
			w.write(w.work+"/tools/filter", "#!/bin/sh\nexec cat\n")
			w.must(os.Chmod(w.work+"/tools/filter", 0o755))
			w.git(w.work, "config", "core.hooksPath", "tools")
		}, act: func(_, _, program string) error {
			text, err := os.ReadFile(program)
			if err != nil {
				return err
			}
			return os.WriteFile("tools/pre-commit", text, 0o755)
		}},
		{name: "rebase todo", reported: true, act: func(git, _, program string) error {
			_ = exec.Command("git", "rebase", "-q", "main").Run() // stops at the conflict
			todo := git + "/rebase-merge/git-rebase-todo"
			text, err := os.ReadFile(todo)
			if err != nil {
				return err
			}
			return os.WriteFile(todo, append([]byte("exec "+program+"\n"), text...), 0o644)
		}},
		{name: "merge strategy of a rebase under way", reported: true, host: func(w *world) {
			rebase := exec.Command("git", "rebase", "-q", "main") // stops at the conflict
			rebase.Dir = w.work
			_ = rebase.Run()
		}, act: func(git, _, program string) error {
			name, err := filepath.Rel(filepath.Dir(filepath.Dir(program)), program)
			return errors.Join(err, os.Mkdir("git-merge-x", 0o755), os.WriteFile(git+"/rebase-merge/strategy", []byte("x/../"+name+"\n"), 0o644))
		}},
		{name: "gitlink", reported: true, act: func(_, _, program string) error {
			if err := exec.Command("git", "init", "-q", "nested").Run(); err != nil {
				return err
			}
			commit := exec.Command("git", "-C", "nested", "-c", "user.name=x", "-c", "user.email=x", "commit", "-q", "--allow-empty", "-m", "x")
			if out, err := commit.CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			head, err := exec.Command("git", "-C", "nested", "rev-parse", "HEAD").Output()
			if err != nil {
				return err
			}
			if err := os.WriteFile("nested/.git/config", config(program), 0o644); err != nil {
				return err
			}
			return exec.Command("git", "update-index", "--add", "--cacheinfo", "160000,"+strings.TrimSpace(string(head))+",nested").Run()
		}},
		{name: "repository in a submodule", reported: true, host: func(w *world) {
			w.git(w.work, "submodule", "--quiet", "add", here.repository, "module")
			w.git(w.work, "commit", "-q", "-m", "submodule")
			w.git(w.work, "submodule", "--quiet", "deinit", "-f", "module") // as in a new clone
		}, act: func(_, _, program string) error {
			if out, err := exec.Command("git", "init", "-q", "module").CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			commit := exec.Command("git", "-C", "module", "-c", "user.name=x", "-c", "user.email=x", "commit", "-q", "--allow-empty", "-m", "x")
			if out, err := commit.CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return os.WriteFile("module/.git/config", config(program), 0o644)
		}},
	}
}

// persist does one of them by its name.
func persist(name, program string) error {
	path := func(what string) (string, error) {
		out, err := exec.Command("git", "rev-parse", "--path-format=absolute", what).Output()
		return strings.TrimSpace(string(out)), err
	}
	git, err := path("--git-dir")
	if err != nil {
		return err
	}
	common, err := path("--git-common-dir")
	if err != nil {
		return err
	}
	for _, p := range persistences() {
		if p.name == name {
			return p.act(git, common, program)
		}
	}
	return errors.New("no such act")
}

// TestGit has the host use git after a hostile run.
func TestGit(t *testing.T) {
	t.Parallel()
	for i, c := range checkouts() {
		if i > 0 && (testing.Short() || os.Getenv(baseVariable) != "") {
			continue // who the user is makes no difference to these
		}
		for _, p := range persistences() {
			t.Run(c.name+"/"+p.name, func(t *testing.T) {
				t.Parallel()
				try := func(inside bool) (ran bool, text string, found []diag.Diagnostic) {
					w := newWorld(t)
					c.make(w)
					if p.host != nil {
						p.host(w)
					}
					marker := w.outside + "/marker"
					program := w.write(w.work+"/evil/pre-commit", "#!/bin/sh\ntouch "+marker+"\n")
					w.must(os.Chmod(program, 0o755))
					b := bait{args: []string{p.name, program}}
					if inside {
						sb := w.open()
						text = w.inside(sb, "persist", b)
						w.must(sb.Close())
						found = sb.Diagnostics()
					} else {
						text = w.plain("persist", b)
					}
					w.must(os.RemoveAll(marker)) // the act may run it itself, which is nothing
					for _, args := range [][]string{{"status"}, {"diff"}, {"log", "-1"}, {"add", "-u"}, {"commit", "--allow-empty", "-q", "-m", "host"}, {"rebase", "--continue"}} {
						if p.reported && args[0] == "commit" {
							continue // it would end the rebase
						}
						cmd := exec.Command("git", args...)
						cmd.Dir = w.work
						cmd.Env = append(os.Environ(), "GIT_EDITOR=true")
						_ = cmd.Run() // most say no in some of the cases
					}
					_, err := os.Lstat(marker)
					return err == nil, text, found
				}
				if ran, text, _ := try(false); !ran {
					t.Errorf("the bait is broken: git runs nothing without a sandbox: %s", text)
				}
				ran, text, found := try(true)
				if !acted(text) {
					t.Errorf("the attacker was not executed: %s", text)
				}
				if ran && !(p.reported && hasCode(found, diag.RepositoryMade)) {
					t.Errorf("fs.write.protected is broken: the host's git ran a program of the attacker: %s\nreported: %v", text, found)
				}
			})
		}
	}
}

func hasCode(list []diag.Diagnostic, code diag.Code) bool {
	for _, d := range list {
		if d.Code == code {
			return true
		}
	}
	return false
}

// TestSparseCheckout plants the configuration of a worktree before the host
// asks git to obey it. What appears under that name is moved away.
func TestSparseCheckout(t *testing.T) {
	t.Parallel()
	plant := func(confined bool) (ran bool, found []diag.Diagnostic) {
		w := newWorld(t)
		w.repository()
		marker := w.outside + "/marker"
		program := w.write(w.work+"/evil", "#!/bin/sh\ntouch "+marker+"\n")
		w.must(os.Chmod(program, 0o755))
		args := []string{"-c", `printf '[core]\n\tfsmonitor = %s\n' "$1" >.git/config.worktree`, "sh", program}
		if confined {
			sb := w.open()
			cmd := sb.Command(context.Background(), "sh", args...)
			cmd.Dir = w.work
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("the attacker was not executed: %v: %s", err, out)
			}
			w.must(sb.Close())
			found = sb.Diagnostics()
		} else {
			cmd := exec.Command("sh", args...)
			cmd.Dir = w.work
			w.must(cmd.Run())
		}
		w.git(w.work, "sparse-checkout", "set", "--no-cone", "/*")
		w.git(w.work, "status")
		_, err := os.Lstat(marker)
		return err == nil, found
	}
	if ran, _ := plant(false); !ran {
		t.Error("the bait is broken: git runs nothing")
	}
	if ran, found := plant(true); ran || !hasCode(found, diag.Quarantined) {
		t.Errorf("git of the host ran a program of the attacker: %v, reported: %v", ran, found)
	}
}
