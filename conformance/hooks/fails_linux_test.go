// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// failing has the hook fail: the command is not run. That this is not the agent's
// doing is what the same lines show without what caisson prints after them.
func failing(t *testing.T, p *place) {
	script := []call{p.shell(t, p.touching("ran"))}
	line := "'" + p.caisson + "' hook " + p.name + " run"
	printed := p.printed(t)
	_, guard, found := strings.Cut(printed, line)
	if guard, _, _ = strings.Cut(guard, `"`); !found || guard == "" {
		t.Fatalf("nothing after %q in %s", line, printed)
	}
	away := p.caisson + "-moved"
	for _, c := range []struct {
		name, line string
		moved      bool
	}{
		{"caisson is not there", line, true},
		{"it is killed", "sh -c 'kill -9 $$'", false},
		{"it ends with 125 and says nothing", "sh -c 'exit 125'", false},
	} {
		for _, guarded := range []bool{false, true} {
			hooks := strings.Replace(printed, line, c.line, 1)
			if !guarded {
				hooks = strings.Replace(hooks, guard, "", 1)
			}
			if c.moved {
				if err := os.Rename(p.caisson, away); err != nil {
					t.Fatal(err)
				}
			}
			p.install(t, hooks)
			results := p.ask(t, startModel(t, script...), p.allowed()...)
			if c.moved {
				if err := os.Rename(away, p.caisson); err != nil {
					t.Fatal(err)
				}
			}
			var want []string
			if !guarded {
				want = []string{"ran"}
			}
			if outside, inside := p.found(t); !slices.Equal(outside, want) || !slices.Equal(inside, want) {
				t.Errorf("%s, guarded %v: outside %q, inside %q; the tool answered %q", c.name, guarded, outside, inside, results)
			}
		}
	}
}

// asking: an agent that would run the command as it is is not told to ask.
func asking(t *testing.T, p *place) {
	if p.name != "claude" {
		if out, err := exec.Command(p.caisson, "hook", p.name, "print", "--ask").Output(); err == nil || len(out) > 0 {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	for _, ask := range []bool{false, true} {
		var flags, want []string
		if ask {
			flags = []string{"--ask"}
		} else {
			want = []string{"asked"}
		}
		p.install(t, p.printed(t, flags...))
		results := p.ask(t, startModel(t, p.shell(t, p.touching("asked"))), p.allowed()...) // nobody is there to say yes
		if outside, inside := p.found(t); outside != nil || !slices.Equal(inside, want) {
			t.Errorf("ask %v: outside %q, inside %q; the tool answered %q", ask, outside, inside, results)
		}
	}
}

// switched is what switches a hook off, which docs/agents.md says: a version of an
// agent in which that is otherwise is noticed.
func switched(t *testing.T, p *place) {
	script := []call{p.shell(t, p.touching("ran"))}
	runs := func(why string, confined bool, flags ...string) []string {
		t.Helper()
		results := p.ask(t, startModel(t, script...), append(p.allowed(), flags...)...)
		if outside, inside := p.found(t); (outside == nil) != confined || !slices.Equal(inside, []string{"ran"}) {
			t.Errorf("%s: outside %q, inside %q; the tool answered %q", why, outside, inside, results)
		}
		return results
	}
	if p.name == "codex" {
		hooks := filepath.Join(p.home, p.hooks)
		p.install(t, "{}")
		p.write(t, hooks, p.printed(t))
		runs("a hook that nobody has trusted", false)
		runs("a hook that nobody has trusted, and trust is not asked for", true, "--dangerously-bypass-hook-trust")
		return
	}
	p.install(t, p.printed(t))
	p.write(t, filepath.Join(p.work, ".claude", "settings.json"), `{"disableAllHooks": true, "disableSkillShellExecution": false}`)
	runs("a checkout that switches hooks off", false)
	flag := filepath.Join(p.home, "flag.json")
	p.write(t, flag, p.printed(t))
	runs("a checkout that switches hooks off, and a file of --settings", true, "--settings", flag)
	if err := os.RemoveAll(filepath.Join(p.work, ".claude")); err != nil {
		t.Fatal(err)
	}
	// Another repository is not where commands may write because one of them says
	// that it is a worktree of this.
	git := p.command("git", "init", "--quiet", p.out)
	if out, err := git.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	invent := "d=.git/worktrees/evil; mkdir -p $d; echo " + p.out + "/.git >$d/gitdir; cp .git/HEAD $d; echo ../.. >$d/commondir; git worktree list"
	load := calling(t, "ToolSearch", object{"query": "select:EnterWorktree", "max_results": 5})
	enter := calling(t, "EnterWorktree", object{"path": p.out})
	script = []call{p.shell(t, invent), load, enter, p.shell(t, p.touching("ran"))}
	results := runs("an invented worktree", true, "--dangerously-skip-permissions")
	if !strings.HasPrefix(results[2], "Entered worktree") {
		t.Errorf("the worktree was not entered: %q", results)
	}
}
