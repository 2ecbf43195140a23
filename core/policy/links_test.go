// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// linkHost has a workspace with links in it, a link beside it, and places that
// they lead to.
func linkHost(more ...map[string]string) *mapHost {
	files := map[string]string{
		"/home/me/ws/out": "-> ../victim", "/home/me/ws/sub/deep": "-> /home/me/victim", "/home/me/ws/in": "-> real/", "/home/me/ws/real/x": "",
		"/home/me/ws/up": "-> ..", "/home/me/victim/d/": "", "/home/me/victim/s.sock": "device", "/home/me/good/": "", "/home/me/safe": "-> good",
		"/home/me/.ssh/id": "", "/home/me/ws/keys": "-> ../.ssh", "/home/me/ws/s.sock": "-> ../victim/s.sock", "/home/me/ws/.vscode": "-> .git",
		"/home/me/ws/self": "-> .", "/home/me/ws/hop": "-> ../safe",
	}
	return unixHost(with(append([]map[string]string{gitFiles("/home/me/ws/.git", ""), files}, more...)...))
}

// TestLinksInWritablePlaces wants a policy refused that widens by a path
// through a link that a command could have made, whatever the setting, and the
// same policy accepted where the target itself or a link elsewhere is named.
func TestLinksInWritablePlaces(t *testing.T) {
	t.Parallel()
	work := func(dirs ...string) Policy { return Policy{Version: 1, Workspace: dirs} }
	write := func(p Policy, paths ...string) Policy { p.Files.Write = paths; return p }
	show := func(path string) Policy { p := work("."); p.Files.Show = []string{path}; return p }
	unprotect := func(path string) Policy { p := work("."); p.Files.Unprotect = []string{path}; return p }
	unix := func(path string) Policy { p := work("."); p.Network.Unix = []string{path}; return p }
	tmp := func(path string) Policy { p := work("."); p.Tmp = path; return p }
	readOnly := func(p Policy) Policy { p.Extends = "read-only"; return p }
	for name, c := range map[string]struct {
		bad, good    Policy
		link, target string // the ones that the message names
	}{
		"write":                    {write(work("."), "out"), write(work("."), "../victim"), "/home/me/ws/out", "/home/me/victim"},
		"write below":              {write(work("."), "out/d"), write(work("."), "../victim/d"), "/home/me/ws/out", "/home/me/victim/d"},
		"write deep":               {write(work("."), "sub/deep/d"), write(work("."), "../safe"), "/home/me/ws/sub/deep", "/home/me/victim/d"},
		"write by two links":       {write(work("."), "hop"), write(work("."), "../good"), "/home/me/ws/hop", "/home/me/good"},
		"write and out again":      {write(work("."), "up/good"), write(work("."), "../good"), "/home/me/ws/up", "/home/me/good"},
		"write by dots":            {write(work("."), "out/../good"), write(work("."), "sub/../../good"), "/home/me/ws/out", "/home/me/good"},
		"write inside":             {write(work("."), "in"), write(work("."), "real"), "/home/me/ws/in", "/home/me/ws/real"},
		"write in a further root":  {write(work("../good"), "/home/me/ws", "out"), write(work("../good"), "/home/me/ws", "/home/me/victim"), "/home/me/ws/out", "/home/me/victim"},
		"the other order":          {write(work("../good"), "out", "/home/me/ws"), write(work("../good"), "/home/me/victim", "/home/me/ws"), "/home/me/ws/out", "/home/me/victim"},
		"a workspace":              {work(".", "out"), work(".", "../victim"), "/home/me/ws/out", "/home/me/victim"},
		"the first workspace":      {work("out", "."), work("../victim", "."), "/home/me/ws/out", "/home/me/victim"},
		"a root through itself":    {work("self"), work("../safe"), "/home/me/ws/self", "/home/me/ws"},
		"tmp":                      {tmp("out"), tmp("../victim"), "/home/me/ws/out", "/home/me/victim"},
		"tmp inside":               {tmp("in"), tmp("real"), "/home/me/ws/in", "/home/me/ws/real"},
		"show":                     {show("keys"), show("../.ssh"), "/home/me/ws/keys", "/home/me/.ssh"},
		"show below":               {show("keys/id"), show("../.ssh/id"), "/home/me/ws/keys", "/home/me/.ssh/id"},
		"show what is absent":      {show("keys/none"), show("../.ssh/none"), "/home/me/ws/keys", "/home/me/.ssh/none"},
		"unprotect":                {unprotect(".vscode"), unprotect(".git"), "/home/me/ws/.vscode", "/home/me/ws/.git"},
		"unprotect below":          {unprotect(".vscode/hooks"), unprotect(".git/hooks"), "/home/me/ws/.vscode", "/home/me/ws/.git/hooks"},
		"unix":                     {unix("s.sock"), unix("../victim/s.sock"), "/home/me/ws/s.sock", "/home/me/victim/s.sock"},
		"unix below":               {unix("out/s.sock"), unix("../victim/s.sock"), "/home/me/ws/out", "/home/me/victim/s.sock"},
		"write beside a read root": {readOnly(write(work("."), "out")), readOnly(write(work("."), "../victim")), "/home/me/ws/out", "/home/me/victim"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := c.bad.Resolve(linkHost())
			d, ok := errors.AsType[*diag.Diagnostic](err)
			if !ok || d.Code != diag.LinkUntrusted || d.Grant != nil {
				t.Fatalf("%v, want the code %s and no grant", err, diag.LinkUntrusted)
			}
			if !strings.Contains(d.Message, c.link+" is a link") && !strings.Contains(d.Message, c.link+" leads to "+c.target+": it is a link") {
				t.Errorf("%q does not name %s as a link to %s", d.Message, c.link, c.target)
			}
			if !strings.Contains(d.Remedy, c.target) {
				t.Errorf("the remedy %q does not name %s", d.Remedy, c.target)
			}
			if _, _, err := c.good.Resolve(linkHost()); err != nil {
				t.Errorf("without the link: %v", err)
			}
		})
	}
}

// TestGitFileAsLink wants --unprotect to follow a .git file only where the git
// directory names it in turn and does not lie in another root.
func TestGitFileAsLink(t *testing.T) {
	t.Parallel()
	repo := gitFiles("/home/me/repo/.git", "")
	answered := map[string]string{"/home/me/ws/.git": "gitdir: /home/me/repo/.git/worktrees/w\n",
		"/home/me/repo/.git/worktrees/w/commondir": "../..\n", "/home/me/repo/.git/worktrees/w/gitdir": "/home/me/ws/.git\n"}
	elsewhere := map[string]string{"/home/me/ws/.git": "gitdir: /home/me/repo/.git\n"}
	for name, c := range map[string]struct {
		files map[string]string
		work  []string
		path  string
		code  diag.Code
	}{
		"answered":             {answered, []string{"."}, ".git/config", ""},
		"not answered":         {elsewhere, []string{"."}, ".git/config", diag.LinkUntrusted},
		"the target":           {elsewhere, []string{"."}, "/home/me/repo/.git/config", ""},
		"answered by a root":   {answered, []string{".", "../repo"}, ".git/config", diag.LinkUntrusted},
		"the target in a root": {answered, []string{".", "../repo"}, "../repo/.git/config", ""},
	} {
		p := Policy{Version: 1, Workspace: c.work}
		p.Files.Unprotect = []string{c.path}
		_, _, err := p.Resolve(unixHost(with(repo, c.files)))
		d, _ := errors.AsType[*diag.Diagnostic](err)
		if c.code == "" && err != nil || c.code != "" && (d == nil || d.Code != c.code) {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
}

// TestPolicyFilesAreProtected wants the files protected that a policy was read
// from, with the links that lead there, and no others.
func TestPolicyFilesAreProtected(t *testing.T) {
	t.Parallel()
	h := linkHost(map[string]string{"/home/me/ws/ci/p.toml": "", "/home/me/ws/l.toml": "-> ci/p.toml", "/home/me/ws/ci/q.toml": "", "/home/me/ws/a/.caisson.toml": "", "/home/me/ws/.caisson.toml": ""})
	p := Standard(".")
	p.read = []string{"/home/me/ws/l.toml", "/home/me/ws/a/.caisson.toml", "/home/me/ws/.caisson.toml", "/home/me/elsewhere.toml"}
	wantAccess(t, mustResolve(t, p, h), "read /home/me/ws/l.toml", "read /home/me/ws/ci/p.toml", "write /home/me/ws/ci/q.toml",
		"read /home/me/ws/a/.caisson.toml", "read /home/me/ws/.caisson.toml")
	p.Files.Unprotect = []string{"@agent-control"}
	wantAccess(t, mustResolve(t, p, h), "write /home/me/ws/.caisson.toml", "read /home/me/ws/a/.caisson.toml")
}

// TestHideByLink wants a link protected that says what is hidden.
func TestHideByLink(t *testing.T) {
	t.Parallel()
	p := Standard(".")
	p.Files.Hide = []string{"out", "in"}
	wantAccess(t, mustResolve(t, p, linkHost()),
		"hide /home/me/victim/x", "read /home/me/ws/out", "hide /home/me/ws/real/x", "read /home/me/ws/in", "write /home/me/ws/sub")
}
