// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/pathspec"
)

func mustResolve(t *testing.T, p Policy, h Host) *Resolved {
	t.Helper()
	r, _, err := p.Resolve(h)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantAccess compares what the oracle says with lines "access path".
func wantAccess(t *testing.T, r *Resolved, lines ...string) {
	t.Helper()
	for _, line := range lines {
		want, path, _ := strings.Cut(line, " ")
		if got, rule := r.AccessTo(path); got.String() != want {
			t.Errorf("%s: %s by %+v, want %s", path, got, rule, want)
		}
	}
}

func TestStandardPolicy(t *testing.T) {
	t.Parallel()
	h := unixHost(with(gitFiles("/home/me/ws/.git", ""), map[string]string{
		"/home/me/.ssh/id": "", "/home/me/.netrc": "", "/home/me/.config/gh/": "", "/home/me/ws/.vscode/": "", "/home/me/ws/.npmrc": "",
		"/data/kube": "", "/data/hist": "device",
	}))
	h.env["KUBECONFIG"] = "relative:/data/kube:/data/absent"
	h.env["HISTFILE"] = "/data/hist"
	r := mustResolve(t, Standard("."), h)
	wantAccess(t, r,
		"read /", "read /etc/passwd", "read /home/me/file", "read /home/me/other/file",
		"write /home/me/ws", "write /home/me/ws/a/b", "write /home/me/ws/.npmrc", "write /home/me/ws/.git/index",
		"read /home/me/ws/.git/config", "read /home/me/ws/.git/hooks/pre-commit", "read /home/me/ws/.git/commondir", "read /home/me/ws/.git/modules/x",
		"read /home/me/ws/.vscode/tasks.json", "read /home/me/ws/.claude/x", "read /home/me/ws/.mcp.json",
		"write /home/me/ws/.envrc", "write /home/me/ws/.idea/x", "write /home/me/ws/.gitmodules",
		"hide /home/me/.ssh", "hide /home/me/.ssh/id", "hide /home/me/.netrc", "hide /home/me/.config/gh/hosts.yml",
		"hide /data/kube", "read /data/hist", "read /home/me/.config/other",
		"hide /home/me/.local/state/caisson", "hide /home/me/.local/state/caisson/trust.json", "write "+r.CacheDir()+"/go",
		"hide relative", "hide /a\x00b",
	)
	if got := r.Require(); !slices.Equal(got, guarantee.Standard()) {
		t.Errorf("it requires %v", got)
	}
	if r.Network().Mode != Offline || r.Env().Inherit != "clean" {
		t.Errorf("network %q, env %q", r.Network().Mode, r.Env().Inherit)
	}
	if !slices.Equal(r.GitDirs(), []string{"/home/me/ws/.git"}) {
		t.Errorf("git directories %q", r.GitDirs())
	}
	holds := map[string]Hold{}
	for _, rule := range r.Rules() {
		if rule.Hold != HoldNone {
			holds[rule.Path] = rule.Hold
		}
	}
	for path, want := range map[string]Hold{
		"/home/me/ws/.git/commondir": HoldFile, "/home/me/ws/.git/modules": HoldDir, "/home/me/ws/.claude": HoldDir,
		"/home/me/ws/.envrc": HoldQuarantine, "/home/me/ws/.gitmodules": HoldReport,
		"/home/me/ws/.git/config.worktree": HoldQuarantine, "/home/me/ws/.git/fsmonitor--daemon.ipc": HoldNone, "/home/me/ws/HEAD": HoldNone,
	} {
		if holds[path] != want {
			t.Errorf("%s is held by %q, want %q", path, holds[path], want)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	h := func() *mapHost {
		return unixHost(map[string]string{
			"/home/me/file": "", "/home/me/toroot": "-> /", "/home/me/loop": "-> loop", "/home/me/ws/dev": "device", "/home/me/toproc": "-> /proc/1",
			"/proc/1/": "", "/dev/shm/": "", "/home/me/ws/locked/": "", "/home/me/.ssh/": "", "/srv/bin/caisson": "", "/data/": "",
			"/home/me/.local/state/caisson/caches/x/": "", "/home/me/tohome": "-> .",
		})
	}
	write := func(path string) Policy {
		p := Standard(".")
		p.Files.Write = []string{path}
		return p
	}
	tmp := func(path string) Policy {
		p := Standard(".")
		p.Tmp = path
		return p
	}
	anyway := func(p Policy) Policy {
		p.WorkspaceAnyway = true
		return p
	}
	for name, c := range map[string]struct {
		policy Policy
		change func(*mapHost)
		code   diag.Code
		text   string
	}{
		"missing":            {policy: Standard("absent"), code: diag.WorkspaceInvalid, text: "absent"},
		"file":               {policy: Standard("/home/me/file"), code: diag.WorkspaceInvalid, text: "/home/me/file"},
		"root":               {policy: Standard("/"), code: diag.WorkspaceInvalid, text: "root"},
		"link to root":       {policy: Standard("/home/me/toroot"), code: diag.WorkspaceInvalid, text: "/home/me/toroot"},
		"up to root":         {policy: Standard("/home/me/../../"), code: diag.WorkspaceInvalid, text: "root"},
		"loop":               {policy: Standard("/home/me/loop"), code: diag.WorkspaceInvalid, text: "loop"},
		"home":               {policy: Standard("~"), code: diag.WorkspaceInvalid, text: "home"},
		"link to home":       {policy: Standard("/home/me/tohome"), code: diag.WorkspaceInvalid, text: "home"},
		"above home":         {policy: Standard("/home"), code: diag.WorkspaceInvalid, text: "home"},
		"other home":         {policy: Standard("/data"), change: func(h *mapHost) { h.homes = []string{"/data", "/home/me"} }, code: diag.WorkspaceInvalid, text: "home"},
		"home anyway":        {policy: anyway(Standard("~")), code: diag.OwnFilesExposed, text: "caisson"},
		"root anyway":        {policy: anyway(Standard("/")), code: diag.OwnFilesExposed, text: "caisson"},
		"kernel":             {policy: Standard("/proc/1"), code: diag.WorkspaceInvalid, text: "/proc/1"},
		"state":              {policy: Standard("/home/me/.local/state/caisson/caches/x"), code: diag.OwnFilesExposed, text: "caisson"},
		"above config":       {policy: write("/home/me/.config"), change: func(h *mapHost) { h.files["/home/me/.config/x"] = "" }, code: diag.OwnFilesExposed, text: "/home/me/.config"},
		"binary":             {policy: Standard("/srv"), change: func(h *mapHost) { h.own.Executable = "/srv/bin/caisson" }, code: diag.OwnFilesExposed, text: "/srv/bin/caisson"},
		"hidden":             {policy: Standard("~/.ssh"), code: diag.WorkspaceInvalid, text: "hidden"},
		"unwritable":         {policy: Standard("/home/me/ws/locked"), change: func(h *mapHost) { h.locked = []string{"/home/me/ws/locked"} }, code: diag.RootUnwritable, text: "locked"},
		"write missing":      {policy: write("absent"), code: diag.RootUnwritable, text: "absent"},
		"write root":         {policy: write("/home/me/toroot"), code: diag.RootUnwritable, text: "toroot"},
		"write device":       {policy: write("dev"), code: diag.RootUnwritable, text: "dev"},
		"write shm":          {policy: write("/dev/shm"), code: diag.RootUnwritable, text: "/dev/shm"},
		"write kernel":       {policy: write("/home/me/toproc"), code: diag.RootUnwritable, text: "/proc/1"},
		"write home":         {policy: write("~"), code: diag.OwnFilesExposed, text: "caisson"},
		"tmp missing":        {policy: tmp("absent"), code: diag.RootUnwritable, text: "absent"},
		"tmp file":           {policy: tmp("/home/me/file"), code: diag.RootUnwritable, text: "file"},
		"unknown set":        {policy: Policy{Version: 1, Files: Files{Hide: []string{"@secret"}}}, code: diag.PolicyInvalid, text: "@secret"},
		"hide root":          {policy: Policy{Version: 1, Files: Files{Hide: []string{"/"}}}, code: diag.PolicyInvalid, text: "root"},
		"nul":                {policy: Standard("a\x00b"), code: diag.PolicyInvalid, text: "NUL"},
		"not text":           {policy: Standard("a\xff"), code: diag.WorkspaceInvalid, text: "UTF-8"},
		"version":            {policy: Policy{Version: 2}, code: diag.PolicyInvalid, text: "version"},
		"extends":            {policy: Policy{Version: 1, Extends: "open"}, code: diag.PolicyInvalid, text: "open"},
		"no state directory": {policy: Standard("."), change: func(h *mapHost) { h.own.State = "rel" }, code: diag.OwnFilesExposed, text: "state"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := h()
			if c.change != nil {
				c.change(host)
			}
			_, _, err := c.policy.Resolve(host)
			var d *diag.Diagnostic
			if !errors.As(err, &d) || d.Code != c.code || !strings.Contains(d.Message, c.text) {
				t.Errorf("got %v, want %s about %q", err, c.code, c.text)
			}
		})
	}
}

func TestEntries(t *testing.T) {
	t.Parallel()
	h := unixHost(map[string]string{
		"/home/me/ws/vendor/x/": "", "/home/me/ws/secret/pub/": "", "/home/me/ws/.vscode/settings.json": "", "/home/me/ws/link": "-> vendor",
		"/home/me/.ssh/known_hosts": "", "/home/me/cache/": "", "/home/me/cache/.claude/": "", "/opt/ssh/key": "", "/home/me/.aws": "-> /opt/ssh", "/data/": "",
		"/home/me/ws/out": "-> /data/target",
	})
	for name, c := range map[string]struct {
		files Files
		want  []string
	}{
		"write":               {Files{Write: []string{"~/cache"}}, []string{"write /home/me/cache/x", "read /home/me/cache/.claude", "write /home/me/cache/.mcp.json"}},
		"protect":             {Files{Protect: []string{"vendor"}}, []string{"read /home/me/ws/vendor/x", "write /home/me/ws/v"}},
		"protect absent":      {Files{Protect: []string{"new"}}, []string{"read /home/me/ws/new/x"}},
		"protect deep absent": {Files{Protect: []string{"new/a/b"}}, []string{"read /home/me/ws/new"}},
		"protect by link":     {Files{Protect: []string{"link"}}, []string{"read /home/me/ws/link", "read /home/me/ws/vendor/x"}},
		"protect through":     {Files{Protect: []string{"link/x"}}, []string{"read /home/me/ws/link", "read /home/me/ws/vendor/x", "write /home/me/ws/vendor/y"}},
		"protect dangling":    {Files{Protect: []string{"out"}}, []string{"read /home/me/ws/out", "read /data/target"}},
		"protect outside":     {Files{Protect: []string{"/etc"}}, []string{"read /etc/passwd"}},
		"protect secret":      {Files{Protect: []string{"~/.ssh/known_hosts"}}, []string{"hide /home/me/.ssh/known_hosts"}},
		"hide":                {Files{Hide: []string{"secret"}}, []string{"hide /home/me/ws/secret/pub"}},
		"hide and show":       {Files{Hide: []string{"secret"}, Show: []string{"secret/pub"}}, []string{"hide /home/me/ws/secret/x", "read /home/me/ws/secret/pub/x"}},
		"show all":            {Files{Hide: []string{"secret"}, Show: []string{"."}}, []string{"write /home/me/ws/secret/x"}},
		"hide beats write":    {Files{Hide: []string{"~/cache"}, Write: []string{"~/cache"}}, []string{"hide /home/me/cache/x"}},
		"protect beats write": {Files{Protect: []string{"~/cache"}, Write: []string{"~/cache"}}, []string{"read /home/me/cache/x"}},
		"write in protected":  {Files{Protect: []string{"vendor"}, Write: []string{"vendor/x"}}, []string{"read /home/me/ws/vendor/y", "write /home/me/ws/vendor/x/y"}},
		"show secret":         {Files{Show: []string{"~/.ssh/known_hosts"}}, []string{"read /home/me/.ssh/known_hosts", "hide /home/me/.ssh/id"}},
		"show secrets":        {Files{Show: []string{"@secrets"}}, []string{"read /home/me/.ssh/id", "read /opt/ssh/key"}},
		"show below home":     {Files{Show: []string{"~"}}, []string{"read /home/me/.ssh/id", "hide /home/me/.local/state/caisson/x"}},
		"show state":          {Files{Show: []string{"~/.local/state/caisson"}}, []string{"hide /home/me/.local/state/caisson/x"}},
		"secret by link":      {Files{}, []string{"hide /opt/ssh/key"}},
		"show by link":        {Files{Show: []string{"~/.aws"}}, []string{"read /opt/ssh/key"}},
		"unprotect":           {Files{Unprotect: []string{".vscode"}}, []string{"write /home/me/ws/.vscode/settings.json", "write /home/me/ws/.mcp.json/x"}[:1]},
		"unprotect below":     {Files{Unprotect: []string{".vscode/settings.json"}}, []string{"write /home/me/ws/.vscode/settings.json", "read /home/me/ws/.vscode/x"}},
		"unprotect set":       {Files{Unprotect: []string{"@agent-control"}}, []string{"write /home/me/ws/.claude/x", "read /home/me/ws/.vscode/x"}},
		"unprotect all":       {Files{Unprotect: []string{"."}}, []string{"write /home/me/ws/.claude", "write /home/me/ws/.git", "write /home/me/ws/.vscode/x"}},
		"unprotect outside":   {Files{Unprotect: []string{"/data"}}, []string{"read /data/x"}},
		"unprotect hidden":    {Files{Unprotect: []string{"~/.ssh"}}, []string{"hide /home/me/.ssh/x"}},
		"unprotect state":     {Files{Unprotect: []string{"~/.local/state/caisson"}}, []string{"hide /home/me/.local/state/caisson/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := Standard(".")
			p.Files = c.files
			host := *h
			wantAccess(t, mustResolve(t, p, &host), c.want...)
		})
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	p := Standard(".")
	p.Extends = "read-only"
	p.Files.Write = []string{"out"}
	r := mustResolve(t, p, unixHost(map[string]string{"/home/me/ws/out/": "", "/home/me/.ssh/": ""}))
	wantAccess(t, r, "read /home/me/ws/x", "write /home/me/ws/out/x", "hide /home/me/.ssh/x", "write "+r.CacheDir())
}

func TestOtherSystems(t *testing.T) {
	t.Parallel()
	win := &mapHost{
		os: pathspec.Windows, homes: []string{`C:\Users\me`}, wd: `C:\Users\me\ws`,
		files: map[string]string{`C:\Users\me\ws\.git\HEAD`: "", `C:\Users\me\ws\.git\config`: "", `C:\Users\me\.ssh\id`: "", `C:\Users\me\src\`: ""},
		own:   OwnDirs{State: `C:\Users\me\AppData\Local\caisson`, Config: `C:\Users\me\AppData\Roaming\caisson`},
	}
	r := mustResolve(t, Standard(`c:/users/ME/ws`), win)
	if got := r.Workspace(); !slices.Equal(got, []string{`C:\Users\me\ws`}) {
		t.Errorf("workspace %q", got)
	}
	wantAccess(t, r, `write C:\Users\me\ws\a`, `read C:\USERS\ME\WS\.GIT\Config`, `hide C:\Users\me\ws\.git\hooks.`, `read C:\Users\me\ws\.git\hooks\x`, `hide c:\users\me\.SSH\id`,
		`hide C:\Users\me\ws\.git\config::$DATA`, `hide C:\Users\me\ws\NUL`, `read D:\x`, `read C:\Users\me\ws\.claude\x`)
	for _, ws := range []string{`C:\Users\me`, `C:\users`, `C:\`, `\Users\me\ws`, `C:ws`, `C:\Users\me\ws:x`, `\\.\C:\x`} {
		if _, _, err := Standard(ws).Resolve(win); err == nil {
			t.Errorf("the workspace %s is taken", ws)
		}
	}
	mac := unixHost(map[string]string{"/Users/me/Src/.Git/HEAD": "", "/Users/me/Src/.Git/config": ""})
	mac.os, mac.homes = pathspec.Darwin, []string{"/Users/me"}
	r = mustResolve(t, Standard("/users/me/src"), mac)
	wantAccess(t, r, "write /Users/me/Src/x", "read /USERS/me/src/.git/CONFIG", "read /Users/me/src/.CLAUDE/x")
}

// TestOrderNeverMatters resolves shuffled policies.
func TestOrderNeverMatters(t *testing.T) {
	t.Parallel()
	h := unixHost(with(gitFiles("/home/me/ws/.git", ""), map[string]string{"/home/me/ws/a/b/c/": "", "/home/me/ws/d/": "", "/home/me/.ssh/k": ""}))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		p := randomPolicy(random)
		want, err := mustResolve(t, p, h).Digest()
		if err != nil {
			t.Fatal(err)
		}
		shuffle := func(list []string) []string {
			list = slices.Clone(list)
			random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			return list
		}
		q := p
		q.Files = Files{shuffle(p.Files.Write), shuffle(p.Files.Protect), shuffle(p.Files.Hide), shuffle(p.Files.Show), shuffle(p.Files.Unprotect)}
		if got, err := mustResolve(t, q, h).Digest(); err != nil || got != want {
			t.Fatalf("%d: %+v and %+v differ", i, p.Files, q.Files)
		}
	}
}

// TestTighteningNeverAddsAccess adds a hide or a protect to random policies.
func TestTighteningNeverAddsAccess(t *testing.T) {
	t.Parallel()
	h := unixHost(with(gitFiles("/home/me/ws/.git", ""), gitFiles("/home/me/ws/.git/modules/m", ""),
		map[string]string{"/home/me/ws/a/b/c/": "", "/home/me/ws/d/": "", "/home/me/.ssh/k": ""}))
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		p := randomPolicy(random)
		before := mustResolve(t, p, h)
		q := p
		extra := pick(random)
		if random.IntN(2) == 0 {
			q.Files.Hide = append(slices.Clone(p.Files.Hide), extra)
		} else {
			q.Files.Protect = append(slices.Clone(p.Files.Protect), extra)
		}
		after, _, err := q.Resolve(h)
		if err != nil {
			continue // hides the workspace
		}
		for _, path := range append(samples(), "/home/me/ws/.git/modules/m/HEAD", "/home/me/ws/.git/modules/m/config") {
			was, _ := before.AccessTo(path)
			is, rule := after.AccessTo(path)
			if is > was {
				t.Fatalf("%+v and then %s: %s was %s, is %s by %+v", p.Files, extra, path, was, is, rule)
			}
		}
	}
}

func samples() []string {
	return []string{
		"/", "/etc/passwd", "/home/me", "/home/me/x", "/home/me/.ssh", "/home/me/.ssh/k", "/home/me/ws", "/home/me/ws/a", "/home/me/ws/a/b", "/home/me/ws/a/b/c/d",
		"/home/me/ws/d", "/home/me/ws/new", "/home/me/ws/new/x", "/home/me/ws/.git/config", "/home/me/ws/.git/index", "/home/me/ws/.claude",
	}
}

func pick(random *rand.Rand) string {
	list := []string{"a", "a/b", "a/b/c", "d", "new", "new/x", "~/.ssh", "~/.ssh/k", ".git", ".git/config", "/home/me/ws/a", ".claude"}
	return list[random.IntN(len(list))]
}

func randomPolicy(random *rand.Rand) Policy {
	some := func(n int) (list []string) {
		for range random.IntN(n) {
			list = append(list, pick(random))
		}
		return list
	}
	p := Standard(".")
	p.Files = Files{Protect: some(4), Hide: some(3), Show: some(3), Unprotect: some(3)}
	for range random.IntN(3) {
		p.Files.Write = append(p.Files.Write, []string{"a", "a/b", "a/b/c", "d"}[random.IntN(4)])
	}
	return p
}

func TestDecodeResolved(t *testing.T) {
	t.Parallel()
	r := mustResolve(t, Standard("."), unixHost(gitFiles("/home/me/ws/.git", "")))
	text, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeResolved(text)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := r.Digest()
	two, _ := again.Digest()
	if one != two || len(one) != 64 {
		t.Errorf("digests %q, %q", one, two)
	}
	for _, change := range [][2]string{
		{`"format":1`, `"format":2`},
		{`"os":"linux"`, `"os":"plan9"`},
		{`"os":"linux"`, `"os":"linux","extra":1`},
		{`"path":"/home/me/ws/.git/config"`, `"path":"/home/me/ws/../x"`},
		{`"path":"/home/me/ws/.git/config"`, `"path":"/zzz"`},
		{`"hold":"file"`, `"hold":"glue"`},
		{`"kind":"absent","hold"`, `"kind":"file","hold"`},
		{`"workspace":["/home/me/ws"]`, `"workspace":[]`},
	} {
		bad := strings.Replace(string(text), change[0], change[1], 1)
		if bad == string(text) {
			t.Errorf("%s is not in %s", change[0], text)
		}
		if _, err := DecodeResolved([]byte(bad)); err == nil {
			t.Errorf("%v is taken", change)
		}
	}
}

func TestRequirements(t *testing.T) {
	t.Parallel()
	p := Standard(".")
	p.Require = []guarantee.ID{guarantee.OutsideHidden, "no.such"}
	p.Network.Mode = Allowlist
	p.Limits = Limits{Time: 1, Memory: 1, Processes: 1}
	got := fmt.Sprint(requirements(p))
	for _, id := range []guarantee.ID{guarantee.OutsideHidden, "no.such", guarantee.NetAllowlist, guarantee.LimitTime, guarantee.LimitMemory, guarantee.LimitProcesses} {
		if !strings.Contains(got, string(id)) {
			t.Errorf("%s is not required", id)
		}
	}
	if strings.Contains(got, string(guarantee.NetOffline)) {
		t.Error("an allowlist requires net.offline")
	}
}
