// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
)

func hasNote(notes []diag.Diagnostic, code diag.Code) bool {
	return slices.ContainsFunc(notes, func(d diag.Diagnostic) bool { return d.Code == code })
}

func TestLinkedWorktree(t *testing.T) {
	t.Parallel()
	files := func(back string) map[string]string {
		return with(gitFiles("/home/me/repo/.git", ""), map[string]string{
			"/home/me/ws/.git":                          "gitdir: /home/me/repo/.git/worktrees/ws\n",
			"/home/me/repo/.git/worktrees/ws/HEAD":      "ref: refs/heads/x\n",
			"/home/me/repo/.git/worktrees/ws/gitdir":    back,
			"/home/me/repo/.git/worktrees/ws/commondir": "../..\n",
			"/home/me/repo/.git/worktrees/o/gitdir":     "/elsewhere/.git\n",
			"/home/me/repo/.git/worktrees/o/commondir":  "../..\n",
		})
	}
	for name, back := range map[string]string{"absolute": "/home/me/ws/.git\n", "relative": "../../../../ws/.git\n"} {
		r, notes, err := Standard(".").Resolve(unixHost(files(back)))
		if err != nil {
			t.Fatal(err)
		}
		wantAccess(t, r,
			"write /home/me/repo/.git/objects/x", "write /home/me/repo/.git/worktrees/ws/index", "write /home/me/repo/.git/worktrees/new",
			"read /home/me/repo/.git/config", "read /home/me/repo/.git/hooks/x", "read /home/me/repo/.git/commondir", "read /home/me/repo/.git/modules",
			"read /home/me/repo/.git/worktrees/ws/commondir", "read /home/me/repo/.git/worktrees/ws/gitdir", "read /home/me/repo/.git/worktrees/o/commondir",
			"read /home/me/repo/file", "read /home/me/ws/.git", "write /home/me/ws/x")
		if len(notes) != 0 {
			t.Errorf("%s: notes %v", name, notes)
		}
	}
	for name, back := range map[string]string{"another": "/home/me/other/.git\n", "none": "\n", "link text": "gitdir: /home/me/ws/.git\n"} {
		r, notes, err := Standard(".").Resolve(unixHost(files(back)))
		if err != nil {
			t.Fatal(err)
		}
		wantAccess(t, r, "read /home/me/repo/.git/objects/x", "read /home/me/repo/.git/worktrees/ws/index", "read /home/me/ws/.git")
		if !hasNote(notes, diag.RepositoryForeign) {
			t.Errorf("%s: notes %v", name, notes)
		}
	}
	// What the user protects or hides by name is not opened by a checkout.
	for _, f := range []Files{{Protect: []string{"/home/me/repo"}}, {Protect: []string{"/home/me/repo/.git"}}, {Hide: []string{"/home/me/repo"}}} {
		p := Standard(".")
		p.Files = f
		if access, rule := mustResolve(t, p, unixHost(files("/home/me/ws/.git\n"))).AccessTo("/home/me/repo/.git/objects/x"); access == Write {
			t.Errorf("%+v: writable by %+v", f, rule)
		}
	}
	p := Standard(".")
	p.Files.Unprotect = []string{".git/config"}
	r := mustResolve(t, p, unixHost(files("/home/me/ws/.git\n")))
	wantAccess(t, r, "write /home/me/repo/.git/config", "read /home/me/repo/.git/hooks/x", "read /home/me/ws/.git")
}

// TestForgedLinks puts .git files into a checkout that name what is not theirs.
func TestForgedLinks(t *testing.T) {
	t.Parallel()
	victim := with(gitFiles("/home/me/victim/.git", "[core]\n\tworktree = /home/me/victim\n"), gitFiles("/home/me/victim/.git/modules/m", ""),
		map[string]string{"/home/me/victim/.git/worktrees/w/gitdir": "/home/me/w/.git\n"})
	for name, files := range map[string]map[string]string{
		"plain":          {"/home/me/ws/.git": "gitdir: /home/me/victim/.git\n"},
		"relative":       {"/home/me/ws/.git": "gitdir: ../victim/.git\n"},
		"module":         {"/home/me/ws/.git": "gitdir: ../victim/.git/modules/m\n"},
		"symlink":        {"/home/me/ws/.git": "-> ../victim/.git"},
		"link to file":   {"/home/me/ws/.git": "-> f", "/home/me/ws/f": "gitdir: ../victim/.git\n"},
		"own commondir":  {"/home/me/ws/.git": "gitdir: evil/worktrees/w\n", "/home/me/ws/evil/worktrees/w/commondir": "/home/me/victim/.git\n", "/home/me/ws/evil/worktrees/w/gitdir": "/home/me/ws/.git\n"},
		"own dir":        {"/home/me/ws/.git/HEAD": "", "/home/me/ws/.git/commondir": "/home/me/victim/.git\n"},
		"through a link": {"/home/me/ws/.git": "gitdir: l/worktrees/w\n", "/home/me/ws/l": "-> ../victim/.git"},
		"home":           {"/home/me/ws/.git": "gitdir: /home/me\n", "/home/me/HEAD": "", "/home/me/objects/": "", "/home/me/refs/": "", "/home/me/config": "[core]\nworktree = /home/me/ws\n"},
		"state":          with(gitFiles("/home/me/.local/state/caisson", "[core]\nworktree = /home/me/ws\n"), map[string]string{"/home/me/ws/.git": "gitdir: /home/me/.local/state/caisson\n"}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := mustResolve(t, Standard("."), unixHost(with(victim, files)))
			for _, path := range []string{
				"/home/me/victim/x", "/home/me/victim/.git/objects/x", "/home/me/victim/.git/modules/m/HEAD", "/home/me/victim/.git/worktrees/w/HEAD",
				"/home/me/x", "/home/me/.local/state/caisson/objects",
			} {
				if access, rule := r.AccessTo(path); access == Write {
					t.Errorf("%s is writable by %+v", path, rule)
				}
			}
			if access, rule := r.AccessTo("/home/me/ws/.git"); access == Write && name != "own dir" {
				t.Errorf(".git is writable by %+v", rule)
			}
		})
	}
}

func TestSubmodules(t *testing.T) {
	t.Parallel()
	h := unixHost(with(gitFiles("/home/me/ws/.git", ""),
		gitFiles("/home/me/ws/.git/modules/lib", "[core]\n\tworktree = ../../../lib\n\thooksPath = hk\n"),
		gitFiles("/home/me/ws/.git/modules/lib/modules/inner", ""),
		gitFiles("/home/me/ws/.git/modules/with/slash", ""),
		map[string]string{"/home/me/ws/lib/hk/": "", "/home/me/ws/.git/modules/stray/": "", "/home/me/ws/lib/.git": "gitdir: ../.git/modules/lib\n"}))
	r := mustResolve(t, Standard("."), h)
	wantAccess(t, r,
		"read /home/me/ws/.git/modules/new", "read /home/me/ws/.git/modules/stray/x", "read /home/me/ws/.git/modules/with/x",
		"write /home/me/ws/.git/modules/lib/index", "read /home/me/ws/.git/modules/lib/config", "read /home/me/ws/.git/modules/lib/hooks/x",
		"read /home/me/ws/.git/modules/lib/commondir", "read /home/me/ws/.git/modules/lib/modules/x",
		"write /home/me/ws/.git/modules/lib/modules/inner/index", "read /home/me/ws/.git/modules/lib/modules/inner/config",
		"write /home/me/ws/.git/modules/with/slash/index", "read /home/me/ws/.git/modules/with/slash/hooks",
		"read /home/me/ws/lib/hk/pre-commit", "write /home/me/ws/lib/x")
	// The submodule itself as the workspace.
	r, notes, err := Standard("/home/me/ws/lib").Resolve(h)
	if err != nil || hasNote(notes, diag.RepositoryForeign) {
		t.Fatalf("%v, notes %v", err, notes)
	}
	wantAccess(t, r, "write /home/me/ws/.git/modules/lib/index", "read /home/me/ws/.git/modules/lib/config", "read /home/me/ws/.git/index", "read /home/me/ws/.git/modules/with/slash/index")
}

func TestConfiguredPaths(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config string
		want   []string
	}{
		"hooks":               {"[core]\nhooksPath = .husky\n", []string{"read /home/me/ws/.husky/x"}},
		"hooks absent":        {"[core]\nhooksPath = new/hooks\n", []string{"read /home/me/ws/new"}},
		"hooks by link":       {"[core]\nhooksPath = hl\n", []string{"read /home/me/ws/hl", "read /home/me/ws/.husky/x"}},
		"hooks by link out":   {"[core]\nhooksPath = ol/h\n", []string{"read /home/me/ws/ol"}},
		"hooks here":          {"[core]\nhooksPath = .\n", []string{"read /home/me/ws/pre-commit", "write /home/me/ws/x"}},
		"hooks nowhere":       {"[core]\nhooksPath = /dev/null\n", []string{"write /home/me/ws/x"}},
		"include":             {"[include]\npath = ../conf/a\n", []string{"read /home/me/ws/conf/a", "read /home/me/ws/deep", "write /home/me/ws/conf/b"}},
		"conditional include": {"[includeIf \"gitdir:/x\"]\npath = /home/me/ws/conf/a\n", []string{"read /home/me/ws/conf/a"}},
		"absent include":      {"[include]\npath = extra\n", []string{"read /home/me/ws/.git/extra"}},
		"loop":                {"[include]\npath = config\n", []string{"read /home/me/ws/.git/config"}},
		"monitor":             {"[core]\nfsmonitor = tools/fsm --x\n", []string{"read /home/me/ws/tools/fsm", "write /home/me/ws/.git/fsmonitor--daemon.ipc"}},
		"monitor absent":      {"[core]\nfsmonitor = ./no/fsm\n", []string{"read /home/me/ws/no"}},
		"monitor on":          {"[core]\nfsmonitor\n", []string{"read /home/me/ws/.git/fsmonitor--daemon.ipc"}},
		"monitor off":         {"[core]\nfsmonitor = false\n", []string{"write /home/me/ws/.git/fsmonitor--daemon.ipc"}},
		"ssh":                 {"[core]\nsshCommand = \"sh 'tools/fsm' -x\"\n", []string{"read /home/me/ws/tools/fsm"}},
		"filter":              {"[filter \"x\"]\nclean = tools/fsm %f\n", []string{"read /home/me/ws/tools/fsm"}},
		"filter process":      {"[filter \"x\"]\nprocess = sh tools/fsm\n", []string{"read /home/me/ws/tools/fsm"}},
		"filter by a shell":   {"[filter \"x\"]\nclean = \"sh -c \\\"exec './tools/fsm' %f\\\" -\"\n", []string{"read /home/me/ws/tools/fsm"}},
		"filter of the top":   {"[filter \"x\"]\nclean = \"\\\"$(git rev-parse --show-toplevel)\\\"/tools/fsm %f\"\n", []string{"read /home/me/ws/tools/fsm"}},
		"filter of here":      {"[filter \"x\"]\nclean = ${PWD}/tools/fsm %f\n", []string{"read /home/me/ws/tools/fsm"}},
		"hook by name":        {"[hook \"x\"]\nevent = pre-commit\ncommand = tools/fsm\n", []string{"read /home/me/ws/tools/fsm"}},
		"textconv":            {"[diff \"x.y\"]\ntextconv = ./tools/fsm\n", []string{"read /home/me/ws/tools/fsm"}},
		"merge driver":        {"[merge \"x\"]\ndriver = tools/fsm %O\n", []string{"read /home/me/ws/tools/fsm"}},
		"pager":               {"[pager]\nlog = tools/fsm\n", []string{"read /home/me/ws/tools/fsm"}},
		"helper":              {"[credential \"https://x.y\"]\nhelper = !tools/fsm\n", []string{"read /home/me/ws/tools/fsm"}},
		"alias":               {"[alias]\nx = !tools/fsm\n", []string{"write /home/me/ws/tools/fsm"}},
		"no program":          {"[diff]\nalgorithm = tools/fsm\n", []string{"write /home/me/ws/tools/fsm"}},
		"worktree config":     {"[extensions]\nworktreeConfig = true\n", []string{"read /home/me/ws/.git/config.worktree"}},
		"no worktree config":  {"", []string{"write /home/me/ws/.git/config.worktree"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := with(gitFiles("/home/me/ws/.git", c.config), map[string]string{
				"/home/me/ws/.husky/pre-commit": "", "/home/me/ws/hl": "-> .husky", "/home/me/ws/ol": "-> /opt", "/opt/h/": "",
				"/home/me/ws/conf/a": "[core]\nhooksPath = deep\n", "/home/me/ws/deep/": "", "/home/me/ws/tools/fsm": "",
			})
			wantAccess(t, mustResolve(t, Standard("."), unixHost(files)), c.want...)
			if c.config == "" {
				return
			}
			// The same from the user's own file, where relative includes differ.
			if strings.HasPrefix(name, "hooks") || strings.HasPrefix(name, "ssh") {
				files["/home/me/ws/.git/config"] = ""
				files["/home/me/.gitconfig"] = c.config
				wantAccess(t, mustResolve(t, Standard("."), unixHost(files)), c.want...)
			}
		})
	}
}

func TestOtherLayouts(t *testing.T) {
	t.Parallel()
	// No repository: none can be made at the root; what a bare one would need
	// is moved away.
	r := mustResolve(t, Standard("."), unixHost(nil))
	wantAccess(t, r, "read /home/me/ws/.git/config", "write /home/me/ws/HEAD", "write /home/me/ws/objects")
	// A bare repository as the workspace.
	r = mustResolve(t, Standard("."), unixHost(gitFiles("/home/me/ws", "")))
	wantAccess(t, r, "read /home/me/ws/config", "read /home/me/ws/hooks/x", "write /home/me/ws/HEAD", "read /home/me/ws/.git/x")
	// A further root that is a repository is treated like a workspace.
	p := Standard(".")
	p.Files.Write = []string{"/home/me/lib", "/home/me/cache"}
	r = mustResolve(t, p, unixHost(with(gitFiles("/home/me/lib/.git", ""), map[string]string{"/home/me/cache/": ""})))
	wantAccess(t, r, "read /home/me/lib/.git/hooks/x", "read /home/me/lib/.claude", "write /home/me/cache/.claude", "write /home/me/cache/.git")
	// A control name that links to the workspace does not lock it.
	r = mustResolve(t, Standard("."), unixHost(map[string]string{"/home/me/ws/.vscode": "-> ."}))
	wantAccess(t, r, "write /home/me/ws/x", "read /home/me/ws/.vscode")
}

func TestLinksInProtectedDirectories(t *testing.T) {
	t.Parallel()
	files := with(gitFiles("/home/me/ws/.git", ""), map[string]string{
		"/home/me/ws/.git/hooks/pre-commit":  "-> ../../scripts/hook",
		"/home/me/ws/.git/hooks/x.sample":    "-> ../../scripts/sample",
		"/home/me/ws/.git/hooks/chain":       "-> ../../first",
		"/home/me/ws/.git/hooks/post-merge":  "-> ../../absent/hook",
		"/home/me/ws/.git/hooks/post-commit": "-> /opt/hook",
		"/home/me/ws/.git/hooks/all":         "-> ../..",
		"/home/me/ws/first":                  "-> second",
		"/home/me/ws/second":                 "",
		"/home/me/ws/scripts/hook":           "",
		"/home/me/ws/scripts/sample":         "",
		"/home/me/ws/.claude/deep/settings":  "-> ../../cfg/s",
		"/home/me/ws/.claude/commands":       "-> ../commands",
		"/home/me/ws/cfg/s":                  "",
		"/home/me/ws/commands/a":             "",
		"/opt/hook":                          "",
	})
	r := mustResolve(t, Standard("."), unixHost(files))
	wantAccess(t, r,
		"read /home/me/ws/scripts/hook", "write /home/me/ws/scripts/other", "write /home/me/ws/scripts/sample",
		"read /home/me/ws/first", "read /home/me/ws/second", "write /home/me/ws/x",
		"read /home/me/ws/cfg/s", "write /home/me/ws/cfg/other", "read /home/me/ws/commands/new")
	moved := slices.ContainsFunc(r.Rules(), func(rule Rule) bool { return rule.Path == "/home/me/ws/absent" && rule.Hold == HoldQuarantine })
	if !moved {
		t.Errorf("what a dangling link leads to is not moved away: %v", r.Rules())
	}
	p := Standard(".")
	p.Files.Unprotect = []string{"scripts/hook"}
	wantAccess(t, mustResolve(t, p, unixHost(files)), "write /home/me/ws/scripts/hook", "read /home/me/ws/first")
}

func TestShellWords(t *testing.T) {
	t.Parallel()
	for command, want := range map[string][]string{
		"":                  nil,
		"ssh -i key":        {"ssh", "-i", "key"},
		`"a b" 'c "d' e\ f`: {"a b", `c "d`, "e f"},
		"a;b|c&&d":          {"a", "b", "c", "d"},
		`"unclosed x`:       {"unclosed x"},
		"''":                {""},
		"./x\ty":            {"./x", "y"},
	} {
		if got := shellWords(command); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", command, got, want)
		}
	}
}
