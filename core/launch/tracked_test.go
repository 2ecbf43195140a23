// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/launch/gitstate"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// tracking is a repository whose branch "other" holds names that the checked
// out one does not. Packed, it has deltas.
func tracking(t *testing.T, packed bool) (ws, state string, p *plan.Plan) {
	t.Helper()
	ws, state = repository(t)
	git(t, ws, "commit", "-q", "--allow-empty", "-m", "first")
	git(t, ws, "branch", "-M", "main")
	git(t, ws, "switch", "-qc", "other")
	for i := range 20 { // trees and commits that are alike, for deltas
		if err := os.MkdirAll(ws+"/.vscode/sub", 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"/.envrc": "use flake\n", "/.vscode/settings.json": "{}\n", "/.vscode/sub/a": "a\n",
			"/file" + strings.Repeat("x", i): strings.Repeat("line\n", i)} {
			if err := os.WriteFile(ws+name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		git(t, ws, "add", "-A")
		git(t, ws, "commit", "-q", "--allow-empty", "-m", strings.Repeat("m", i+1))
	}
	git(t, ws, "switch", "-q", "main")
	plantBelowGit(t, ws)
	if packed {
		git(t, ws, "gc", "-q", "--aggressive", "--prune=now")
	}
	time.Sleep(2 * gitstate.ClockSlack) // the run begins after the commits
	return ws, state, holdPlan(ws, plan.Watch{Quarantine: []string{ws + "/.envrc", ws + "/.vscode", ws + "/.git/config.worktree"}, Git: []string{ws + "/.git"}})
}

// plantBelowGit makes a tag whose tree holds .git/config.worktree, which git
// itself would not check out.
func plantBelowGit(t *testing.T, ws string) {
	t.Helper()
	script := `set -e
blob=$(echo '[core]' | git hash-object -w --stdin)
dir=$(printf '100644 blob %s\tconfig.worktree\n' $blob | git mktree)
root=$(printf '040000 tree %s\t.git\n' $dir | git mktree)
git update-ref refs/tags/planted $(git -c user.name=a -c user.email=a commit-tree -m planted $root)`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = ws
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

const gitInside = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a HOME=/nonexistent; set -e; "

func TestTrackedNamesStay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		packed bool
		script string
		stay   []string
		gone   []string
	}{
		"checkout, loose":    {false, "git switch -q other; git status --porcelain", []string{".envrc", ".vscode/settings.json", ".vscode/sub/a"}, nil},
		"checkout, packed":   {true, "git switch -q other; git status --porcelain", []string{".envrc", ".vscode/settings.json", ".vscode/sub/a"}, nil},
		"changed afterward":  {true, "git switch -q other; sleep 0.2; echo evil >> .envrc; echo evil > .vscode/tasks.json", nil, []string{".envrc", ".vscode"}},
		"other content":      {true, "echo evil > .envrc; mkdir .vscode; echo evil > .vscode/settings.json", nil, []string{".envrc", ".vscode"}},
		"commit of the run":  {false, "echo evil > .envrc; git add -f .envrc; git commit -qm evil; git branch -f other; sleep 1.5", nil, []string{".envrc"}},
		"same bytes by hand": {false, "printf 'use flake\\n' > .envrc", []string{".envrc"}, nil},
		"below .git":         {false, "git cat-file blob planted:.git/config.worktree > .git/config.worktree", nil, []string{".git/config.worktree"}},
		"link":               {false, "printf 'use flake\\n' > x; ln -s x .envrc", nil, []string{".envrc"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ws, state, p := tracking(t, c.packed)
			var found findings
			s := open(t, p, Options{StateDir: state, Report: found.add})
			out := inside(t, s, ws, gitInside+c.script+"; echo end")
			s.Close()
			if out != "end\n" && len(c.stay) > 0 {
				t.Errorf("inside: %q", out)
			}
			for _, f := range c.stay {
				if !exists(ws + "/" + f) {
					t.Errorf("%s does not stay", f)
				}
			}
			for _, f := range c.gone {
				if exists(ws + "/" + f) {
					t.Errorf("%s stays", f)
				}
			}
			for code, names := range map[diag.Code][]string{diag.Quarantined: c.gone, diag.CheckedOut: c.stay} {
				if n := len(found.of(code)); (n == 0) != (len(names) == 0) {
					t.Errorf("%s: findings: %v", code, found.all)
				}
			}
		})
	}
}
