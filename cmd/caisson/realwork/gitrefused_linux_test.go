// SPDX-License-Identifier: Apache-2.0

package realwork

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGitConfigIsProtected holds what a user sees of commands that write a
// protected part of the repository, and that the grant makes them work.
func TestGitConfigIsProtected(t *testing.T) {
	t.Parallel()
	need(t, "git")
	for _, c := range []struct {
		name, setup, script string
		unprotect           string
		says                string // by git; caisson's hint follows with -v
	}{
		{"remote add", "", "git remote add x /nowhere", ".git/config", "could not write config file"},
		{"config", "", "git config user.name Other", ".git/config", "could not write config file"},
		{"tracking", `git clone -q --bare . "$ELSE/bare" && git remote add origin "$ELSE/bare" && git fetch -q`,
			// git tells the error and goes on: the branch is there and tracks nothing.
			"git switch -q -c mine --track origin/topic; git config branch.mine.remote", ".git/config", "could not write config file"},
		{"submodule init", `git clone -q . "$ELSE/lib" && git submodule --quiet add "$ELSE/lib" lib && git commit -qm lib && git clone -q . "$ELSE/outer" &&
			rm -rf .git lib && cp -r "$ELSE/outer/." . `, "git submodule --quiet init", ".git/config", "could not write config file"},
		{"init", "rm -rf .git", "git init -q", ".git", "held-by-caisson"},
		{"hook", "", "echo 'exit 1' >.git/hooks/pre-commit", ".git/hooks", "Read-only file system"},
		{"submodule", `(cd "$ELSE" && git init -q && git commit -q --allow-empty -m lib)`, `git submodule --quiet add "$ELSE" lib`, ".git/modules", "Read-only file system"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := shared.workspace(t)
			w, other := filepath.Join(dir, "work"), filepath.Join(dir, "else")
			for _, d := range []string{w, other} {
				if err := os.Mkdir(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			var r row
			env := append(shared.env[:len(shared.env):len(shared.env)], "ELSE="+other)
			if status, out := r.bash(t, w, env, nil, repository+c.setup); status != 0 {
				t.Fatal(out)
			}
			box := []string{shared.caisson, "run", "-v"}
			status, out := r.bash(t, w, env, append(box, "--"), c.script)
			if status == 0 || status == 125 || !strings.Contains(out, c.says) || !strings.Contains(out, "see caisson explain PATH") ||
				(c.unprotect == ".git/config" || c.unprotect == ".git/modules") && !strings.Contains(out, "--unprotect "+c.unprotect) {
				t.Errorf("status %d:\n%s", status, out)
			}
			explain := shared.command("caisson", "explain", c.unprotect)
			explain.Dir = w
			if text, err := explain.CombinedOutput(); err != nil || !strings.Contains(string(text), "--unprotect") {
				t.Errorf("explain: %v\n%s", err, text)
			}
			if c.name == "tracking" {
				r.bash(t, w, env, nil, "git switch -q main; git branch -qD mine")
			}
			status, out = r.bash(t, w, env, append(box, "--unprotect", c.unprotect, "--"), c.script)
			if status != 0 {
				t.Errorf("with --unprotect %s: status %d:\n%s", c.unprotect, status, out)
			}
		})
	}
}
