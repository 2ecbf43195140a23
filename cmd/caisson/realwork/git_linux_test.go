// SPDX-License-Identifier: Apache-2.0

package realwork

import "testing"

// repository makes a repository with two branches that can be rebased.
const repository = `
git init -q
printf 'one\n' >a; printf 'two\n' >b; mkdir sub; printf 'three\n' >sub/c
git add . && git commit -qm first
git switch -qc topic && printf 'topic\n' >d && git add d && git commit -qm topic
printf 'topic 2\n' >>d && git commit -qam 'topic 2'
git switch -q main && printf 'main\n' >>a && git commit -qam 'main 2'
`

// gitState tells all that matters of a repository.
const gitState = `
git fsck --strict 2>&1; git log --all --format='%H %d %s' | sort; git status --porcelain -b
git stash list --format=%gs; git worktree list; git config --list --local; cat .git/HEAD
`

func TestGit(t *testing.T) {
	t.Parallel()
	git := []string{"git"}
	runRows(t, []row{
		{name: "status add commit", needs: git, setup: repository, check: gitState, steps: []string{
			"git status; printf x >new; printf y >>a; git add -A; git status --short; git diff --cached; git commit -qm second; git log --stat",
			"git commit --allow-empty -qm third; git show --stat; git tag v1; git branch other",
			"git mv a moved && git rm -q b && git commit -qm moved && git blame moved",
		}},
		{name: "switch", needs: git, setup: repository, check: gitState, steps: []string{
			"git switch topic; git switch -; git switch -c third; git checkout -q topic -- d; git status --short",
			"git reset -q --hard; git restore --source topic d; git merge -q topic -m merged || true; git log --graph --oneline",
		}},
		{name: "stash", needs: git, setup: repository, check: gitState, steps: []string{
			"printf changed >a; printf untracked >u; git stash; git status --short; git stash list",
			"git stash pop; git status --short",
			"git stash -k; git stash show -p; git stash drop",
		}},
		{name: "stash and clean with untracked files", needs: git, setup: repository, check: gitState, steps: []string{
			"printf untracked >u; mkdir -p e/f; git stash -u; git status --short; git stash pop; echo $?",
			"git clean -nd; git clean -fd; echo $?; git status --short",
		}},
		{name: "clean with ignored files", needs: git, setup: repository, check: gitState, steps: []string{
			"printf x >u; git clean -fdx; echo $?; git status --short --ignored",
		}, flags: heldNames()},
		{name: "rebase", needs: git, setup: repository, check: gitState, steps: []string{
			"git switch -q topic && git rebase main 2>&1 | tail -1; git log --oneline",
			"git rebase -i --exec 'git log -1 --format=%s' HEAD~2 2>&1 | tail -4",
			"git cherry-pick main~1 2>&1 || git cherry-pick --skip; git log --oneline",
		}, mask: []string{`.*\r`}},
		{name: "rebase with a conflict", needs: git, check: gitState, setup: repository + "git switch -qc clash HEAD~1 && printf 'clash\n' >>a && git commit -qam clash", steps: []string{
			"git rebase main || git status",
			"printf 'solved\n' >a; git add a; GIT_EDITOR=true git rebase --continue; git log --oneline",
		}, mask: []string{`.*\r`}},
		{name: "fetch from a path", needs: git, check: gitState, setup: `(cd "$ELSE";` + repository + `)
			git clone -q "$ELSE" . && cd "$ELSE" && git switch -q topic && git commit -q --allow-empty -m later`, steps: []string{
			"git fetch 2>&1; git log --oneline origin/topic; git pull -q; git merge -q origin/topic -m merged; git ls-remote . | cut -f2",
			"git fetch -q --prune --tags; git remote -v; git switch -q --no-track -c mine origin/topic; git log -1 --format=%s",
		}},
		{name: "gc", needs: git, check: gitState, setup: repository, steps: []string{
			"git gc -q; git count-objects; git repack -adq; git pack-refs --all; git prune; git reflog expire --expire=now --all",
		}},
		{name: "worktrees in one sandbox", needs: git, check: gitState, setup: repository, steps: []string{
			"git worktree add -q sub/tree topic; cd sub/tree; printf x >>d; git commit -qam 'in a worktree'; cd ../..; git worktree list; git worktree remove sub/tree; git branch -v",
		}},
		{name: "worktrees in several", needs: git, check: gitState, setup: repository, steps: []string{
			"git worktree add -q sub/tree topic; cd sub/tree; printf x >>d; git commit -qam 'in a worktree'; git log --oneline",
			"git worktree list; cd sub/tree; git status -b --short; git commit -q --allow-empty -m again; git rev-parse --git-common-dir --git-dir",
			"git worktree remove sub/tree; git worktree prune; git worktree list; git branch -v",
		}, flags: []string{"--unprotect", ".git/worktrees"}},
		{name: "rev-parse", needs: git, setup: repository, steps: []string{
			// The common directory is told as an absolute path inside.
			"git rev-parse --git-dir --show-toplevel --is-inside-work-tree; realpath $(git rev-parse --git-common-dir --git-path hooks)",
			"cd sub; git rev-parse --git-dir --show-prefix; realpath $(git rev-parse --git-common-dir)",
		}},
		{name: "bisect and notes", needs: git, check: gitState, setup: repository, steps: []string{
			"git switch -q topic; git bisect start HEAD HEAD~2; git bisect run sh -c '! grep -q 2 d' | grep 'first bad'; git bisect reset; git notes add -m note; git notes show",
		}},
		{name: "submodules", needs: git, check: gitState + "git submodule status", setup: `
			(cd "$ELSE" && git init -q && echo lib >lib && git add lib && git commit -qm lib)
			` + repository + `git submodule --quiet add "$ELSE" lib && git commit -qm 'a submodule'`, steps: []string{
			"git submodule status; cd lib; echo more >>lib; git commit -qam more; cd ..; git status --short; git commit -qam 'lib moves'",
			"git submodule foreach git log --oneline; git -C lib fetch -q; git diff --submodule HEAD~1",
		}},
		{name: "submodule update", needs: git, check: gitState + "git submodule status", setup: `
			(cd "$ELSE" && git init -q && echo lib >lib && git add lib && git commit -qm lib)
			` + repository + `git submodule --quiet add "$ELSE" lib && git commit -qm 'a submodule'`, steps: []string{
			"git -C lib commit -q --allow-empty -m more; git submodule update 2>&1; git submodule status",
		}, flags: []string{"--unprotect", ".git/modules"}},
		{name: "apply and am", needs: git, check: gitState, setup: repository + "git format-patch -q -1 topic --stdout >p.mbox", steps: []string{
			"git apply --check p.mbox || true; git switch -q topic; git reset -q --hard HEAD~1; git am -q p.mbox; git log --oneline; git format-patch -1; git archive HEAD | tar t",
		}},
	})
}

// heldNames gives up the names that are held while they are absent: what takes
// ignored directories away too stumbles over them.
func heldNames() []string {
	var flags []string
	for _, name := range []string{".caisson.toml", ".claude", ".codex", ".cursor", ".mcp.json"} {
		flags = append(flags, "--unprotect", name)
	}
	return flags
}
