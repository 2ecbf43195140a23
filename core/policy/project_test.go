// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
)

func TestProjectFilesMayOnlyTighten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user, project string
		want          string // "" accepted; a key is untrusted; "never KEY" is refused always
	}{
		"protect":          {project: "files.protect = ['vendor']"},
		"hide":             {project: "files.hide = ['../x', '@secrets']"},
		"require":          {project: "require = ['proc.outside.hidden']"},
		"deny":             {project: "network.deny = ['*.ads.example']"},
		"read-only":        {project: "extends = 'read-only'"},
		"standard":         {project: "extends = 'standard'"},
		"not read-only":    {user: "extends = 'read-only'", project: "extends = 'standard'", want: "extends"},
		"offline":          {user: "network.mode = 'online'", project: "network.mode = 'offline'"},
		"less network":     {user: "network.mode = 'online'", project: "network.mode = 'allowlist'"},
		"same network":     {user: "network.mode = 'allowlist'", project: "network.mode = 'allowlist'"},
		"more network":     {user: "network.mode = 'allowlist'", project: "network.mode = 'online'", want: "network.mode"},
		"network":          {project: "network.mode = 'allowlist'", want: "network.mode"},
		"clean":            {user: "env.inherit = 'all'", project: "env.inherit = 'clean'"},
		"all":              {project: "env.inherit = 'all'", want: "env.inherit"},
		"smaller time":     {user: "limits.time = '1h'", project: "limits.time = '60m'"},
		"larger time":      {user: "limits.time = '1h'", project: "limits.time = '61m'", want: "limits.time"},
		"first limit":      {project: "limits = {time = '99h', memory = '1TiB', processes = 99999}"},
		"larger memory":    {user: "limits.memory = '1GiB'", project: "limits.memory = '1025MiB'", want: "limits.memory"},
		"more processes":   {user: "limits.processes = 10", project: "limits.processes = 100", want: "limits.processes"},
		"fewer processes":  {user: "limits.processes = 10", project: "limits.processes = 9"},
		"caches off":       {project: "caches.mode = 'off'", want: "caches.mode"},
		"caches private":   {user: "caches.mode = 'off'", project: "caches.mode = 'private'", want: "caches.mode"},
		"caches as is":     {project: "caches.mode = 'private'"},
		"write":            {project: "files.write = ['~/x']", want: "files.write"},
		"write below":      {project: "files.write = ['build']", want: "files.write"},
		"show":             {project: "files.show = ['~/.ssh']", want: "files.show"},
		"show a set":       {project: "files.show = ['@secrets']", want: "files.show"},
		"allow":            {project: "network.allow = ['x.org']", want: "network.allow"},
		"pass":             {project: "env.pass = ['SSH_AUTH_SOCK']", want: "env.pass"},
		"set":              {project: "env.set = {PATH = '.'}", want: "env.set"},
		"other workspace":  {project: "workspace = ['..']", want: "workspace"},
		"absolute":         {project: "workspace = ['/']", want: "workspace"},
		"the workspace":    {project: "workspace = ['.']"},
		"a link":           {project: "workspace = ['out']", want: "workspace"},
		"empty lists":      {project: "workspace = []\nfiles = {write = [], show = []}\nenv.set = {}"},
		"second key":       {project: "files.hide = ['x']\nfiles.write = ['~']", want: "files.write"},
		"unprotect":        {project: "files.unprotect = ['.git/config']", want: "never files.unprotect"},
		"weaker":           {project: "allow-weaker = ['net.offline']", want: "never allow-weaker"},
		"loopback":         {project: "network.loopback = [22]", want: "never network.loopback"},
		"publish":          {project: "network.publish = [22]", want: "never network.publish"},
		"unix":             {project: "network.unix = ['/run/docker.sock']", want: "never network.unix"},
		"final":            {project: "final = ['network.mode']", want: "never final"},
		"never, with more": {project: "files.hide = ['x']\nnetwork.unix = ['/x']", want: "never network.unix"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			if err := os.Symlink(s.dir, filepath.Join(s.dir, "ws", "out")); err != nil {
				t.Skip(err)
			}
			s.write("config/policy.toml", c.user)
			file := s.write("ws/.caisson.toml", c.project)
			key, never := strings.CutPrefix(c.want, "never ")
			switch {
			case c.want == "":
				s.load()
			case never:
				s.refuses(diag.PolicyInvalid, key+": a project file cannot set this, trusted or not")
				wantRefusal(t, Trust(s.TrustFile, file), diag.PolicyInvalid, key)
				s.ProjectFiles = false
				s.load()
			default:
				s.refuses(diag.PolicyUntrusted, file+":")
				s.refuses(diag.PolicyUntrusted, key+": the project file loosens the policy and is not trusted; read it, then run: caisson policy trust "+file)
				if err := Trust(s.TrustFile, file); err != nil {
					t.Fatal(err)
				}
				s.load()
				// Trust is in the content, not in the name.
				s.write("ws/.caisson.toml", c.project+"\n")
				s.refuses(diag.PolicyUntrusted, key)
			}
		})
	}
}

func TestUntrustedNamesThePlace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	file := s.write("ws/.caisson.toml", "[files]\nhide = ['x']\nwrite = ['~/x']")
	s.refuses(diag.PolicyUntrusted, file+":4:10: files.write: the project file loosens")
}

func TestWhereProjectFilesAreFound(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hide := func(name string) { s.write(name+"/.caisson.toml", "files.hide = ['"+name+"']") }
	for _, name := range []string{".", "ws", "ws/a", "ws/a/b", "plain", "plain/c", "ws/sub"} {
		hide(name)
	}
	writeFile(t, s.dir, "ws/sub/.git", "gitdir: elsewhere")
	for workspace, want := range map[string][]string{
		"ws":          {"ws"},
		"ws/a/b":      {"ws", "ws/a", "ws/a/b"}, // up to the top of the repository, the outer ones first
		"ws/a/none":   nil,                      // does not exist; resolving the policy will say so
		"ws/sub":      {"ws/sub"},               // the top of a repository in a repository
		"plain/c":     {"plain/c"},              // in no repository: nothing above
		"ws/a,ws/a/b": {"ws", "ws/a", "ws/a/b"}, // each file once
	} {
		s.Flags = Policy{}
		for _, w := range strings.Split(workspace, ",") {
			s.Flags = flagsOn(t, s.Flags, "-w", "workspace", filepath.Join(s.dir, w))
		}
		if got := s.load().Files.Hide; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", workspace, got, want)
		}
	}
	// A workspace in the user's home, and the current directory where none is
	// named.
	s.Flags = flags(t, "-w", "workspace", "~/ws")
	if got := s.load().Files.Hide; !slices.Equal(got, []string{"ws"}) {
		t.Errorf("~/ws: got %q", got)
	}
	s.Flags, s.Dir = Policy{}, filepath.Join(s.dir, "ws", "a")
	if got := s.load().Files.Hide; !slices.Equal(got, []string{"ws", "ws/a"}) {
		t.Errorf("current directory: got %q", got)
	}
}

func flagsOn(t *testing.T, p Policy, flag, setting, value string) Policy {
	t.Helper()
	p, err := p.WithFlag(flag, setting, value)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProjectFilesIgnored(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ProjectFiles = false
	if _, notes, err := s.Load(); err != nil || len(notes) != 0 {
		t.Errorf("no file: %v, %v", notes, err)
	}
	file := s.write("ws/.caisson.toml", "files.write = ['/']")
	p, notes, err := s.Load()
	if err != nil || len(notes) != 1 || notes[0].Code != diag.ProjectIgnored || !strings.Contains(notes[0].Message, file) || len(p.Files.Write) != 0 {
		t.Errorf("got %v, %v, %v", p, notes, err)
	}
}

func TestProjectFileThatIsALink(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if err := os.Symlink(s.write("trusted.toml", ""), filepath.Join(s.dir, "ws", ".caisson.toml")); err != nil {
		t.Skip(err)
	}
	s.refuses(diag.PolicyInvalid, ".caisson.toml is a symbolic link")
}

// TestEmptyDirectoryIsNoProjectFile holds that the directory by which another
// sandbox holds the absent name does not keep a second one from starting.
func TestEmptyDirectoryIsNoProjectFile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dir := filepath.Join(s.dir, "ws", ".caisson.toml")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.load()
	writeFile(t, dir, "file", "")
	s.refuses(diag.PolicyInvalid, ".caisson.toml is a directory")
}

func TestTrustedWorkspaceAdds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	file := s.write("ws/.caisson.toml", "workspace = ['.', '../lib']")
	if err := Trust(s.TrustFile, file); err != nil {
		t.Fatal(err)
	}
	check := func(dirs ...string) {
		t.Helper()
		var got []string
		for _, e := range s.load().entries("workspace") {
			got = append(got, e.Value+" in "+e.Dir)
		}
		if !slices.Equal(got, dirs) {
			t.Errorf("got %q, want %q", got, dirs)
		}
	}
	check(". in .", "../lib in "+s.Dir)
	s.Flags = flags(t, "-w", "workspace", s.Dir)
	check(s.Dir+" in .", "../lib in "+s.Dir)
}

// TestProjectNeverWidens holds random project files against random policies
// below them: whatever is accepted without trust gives no access that was not
// there before.
func TestProjectNeverWidens(t *testing.T) {
	t.Parallel()
	lines := []string{
		"extends = 'read-only'", "extends = 'standard'", "network.mode = 'offline'", "network.mode = 'allowlist'", "network.mode = 'online'",
		"files.hide = ['sub', '/home/me/.ssh']", "files.hide = ['/home/me/out/x']", "files.protect = ['sub/deep', '/home/me/out']",
		"files.protect = ['/home/me/.ssh/id']", "files.write = ['/home/me/out']", "files.write = ['/home/me/ws/sub/deep']", "files.show = ['/home/me/.ssh/known']",
		"env.inherit = 'all'", "env.inherit = 'clean'", "env.pass = ['A']", "limits.time = '1m'", "limits.time = '2m'", "limits.memory = 5",
		"limits.memory = 6", "caches.mode = 'off'", "caches.mode = 'private'", "network.deny = ['a.org']", "network.allow = ['a.org']", "require = ['events.denials']",
	}
	host := unixHost(map[string]string{
		"/home/me/ws/sub/deep/f": "", "/home/me/out/x/y": "", "/home/me/.ssh/id": "", "/home/me/.ssh/known": "", "/home/me/.npmrc": "",
	})
	paths := []string{
		"/home/me/ws", "/home/me/ws/sub", "/home/me/ws/sub/deep", "/home/me/ws/sub/deep/f", "/home/me/out", "/home/me/out/x", "/home/me/out/x/y",
		"/home/me/.ssh", "/home/me/.ssh/id", "/home/me/.ssh/known", "/home/me/.npmrc", "/home/me", "/etc/passwd", "/home/me/ws/.envrc", "/home/me/ws/.git",
	}
	random := rand.New(rand.NewPCG(1, 2))
	file := func(kind LayerKind) Policy {
		var text strings.Builder
		text.WriteString("version = 1\n")
		seen := map[string]bool{}
		for range random.IntN(5) {
			line := lines[random.IntN(len(lines))]
			if key, _, _ := strings.Cut(line, " "); !seen[key] {
				seen[key] = true
				text.WriteString(line + "\n")
			}
		}
		l := layer{kind: kind, file: kind.String()}
		if kind == LayerProject {
			l.dir = "/home/me/ws"
		}
		p, err := decodeLayer(kind.String(), []byte(text.String()), l)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	accepted := 0
	for range 4000 {
		low := mergeLayers(Standard("/home/me/ws"), file(LayerUser), false)
		project := file(LayerProject)
		if len(project.layers[0].said) == 0 || project.mustTighten(low, ".caisson.toml") != nil {
			continue
		}
		before, _, err := low.Resolve(host)
		if err != nil {
			continue // writes what it may not; no project file helps
		}
		after, _, err := mergeLayers(low, project, true).Resolve(host)
		if err != nil {
			continue // refused is not widened
		}
		accepted++
		for _, path := range paths {
			was, _ := before.AccessTo(path)
			is, rule := after.AccessTo(path)
			if is > was {
				t.Fatalf("%s: %s became %s by %+v\nproject: %+v\nbelow: %+v", path, was, is, rule, project, low)
			}
		}
		b, a := before.Network(), after.Network()
		order := []NetworkMode{Offline, Allowlist, Online}
		if slices.Index(order, a.Mode) > slices.Index(order, b.Mode) || len(a.Allow) > len(b.Allow) || len(a.Deny) < len(b.Deny) {
			t.Fatalf("network %+v became %+v", b, a)
		}
		if before.Env().Inherit == "clean" && after.Env().Inherit != "clean" || len(after.Env().Pass) > len(before.Env().Pass) {
			t.Fatalf("environment %+v became %+v", before.Env(), after.Env())
		}
		bl, al := before.Limits(), after.Limits()
		if bl.Time != 0 && (al.Time == 0 || al.Time > bl.Time) || bl.Memory != 0 && (al.Memory == 0 || al.Memory > bl.Memory) {
			t.Fatalf("limits %+v became %+v", bl, al)
		}
		for _, id := range before.Require() {
			// Less network is another promise in the place of the weaker one.
			if !slices.Contains(after.Require(), id) && id != "net.allowlist" {
				t.Fatalf("%s is no longer required", id)
			}
		}
	}
	if accepted < 200 {
		t.Errorf("only %d project files were accepted: the test shows little", accepted)
	}
}

// TestProjectFileAt: the names of held project files, as the host and as commands
// see them, are no files.
func TestProjectFileAt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(file string) error
		want bool
	}{
		"absent":     {func(string) error { return nil }, false},
		"file":       {func(file string) error { return os.WriteFile(file, nil, 0o600) }, true},
		"held":       {func(file string) error { return os.Mkdir(file, 0o755) }, false},
		"in no file": {func(file string) error { return os.WriteFile(filepath.Dir(file), nil, 0o600) }, false},
		"held, inside": {func(file string) error {
			return errors.Join(os.Mkdir(file, 0o755), os.WriteFile(filepath.Join(file, ".gitignore"), []byte("*\n"), 0o600))
		}, false},
		"directory": {func(file string) error {
			return errors.Join(os.Mkdir(file, 0o755), os.WriteFile(filepath.Join(file, "x"), nil, 0o600))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "ws", ".caisson.toml")
			if name != "in no file" {
				if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.make(file); err != nil {
				t.Fatal(err)
			}
			if got, err := projectFileAt(file); err != nil || got != c.want {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
}
