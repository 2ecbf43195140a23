// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// site is a directory with every policy file in it, and the sources that read
// them. The workspace is the repository in ws.
type site struct {
	t   *testing.T
	dir string
	Sources
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := realTempDir(t)
	s := &site{t, dir, Sources{
		SystemFile:   filepath.Join(dir, "etc", "policy.toml"),
		UserFile:     filepath.Join(dir, "config", "policy.toml"),
		TrustFile:    filepath.Join(dir, "state", "caisson", "trust.json"),
		ProjectFiles: true,
		Home:         dir,
		Dir:          filepath.Join(dir, "ws"),
		vouch:        func(string) error { return nil },
	}}
	if err := os.MkdirAll(filepath.Join(dir, "ws", ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// write writes a policy file; the version line is put in front.
func (s *site) write(name, text string) string {
	s.t.Helper()
	return writeFile(s.t, s.dir, name, "version = 1\n"+text)
}

func (s *site) load() Policy {
	s.t.Helper()
	p, _, err := s.Load()
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *site) refuses(code diag.Code, text string) {
	s.t.Helper()
	_, _, err := s.Load()
	wantRefusal(s.t, err, code, text)
}

func flags(t *testing.T, words ...string) Policy {
	t.Helper()
	p := Policy{Version: Version}
	for i := 0; i < len(words); i += 3 {
		var err error
		if p, err = p.WithFlag(words[i], words[i+1], words[i+2]); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestLoadNothing(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Sources{"no files": newSite(t).Sources, "zero": {}} {
		p, notes, err := s.Load()
		if err != nil || len(notes) != 0 {
			t.Fatalf("%s: %v, %v", name, notes, err)
		}
		if diff := cmp.Diff(Policy{Version: 1}, p, sameFields); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		want := []Setting{
			{"extends", "standard", Origin{File: "standard"}, "standard"},
			{"files.protect", "@repo-control", Origin{File: "standard"}, "standard"},
			{"files.protect", "@editor-control", Origin{File: "standard"}, "standard"},
			{"files.protect", "@agent-control", Origin{File: "standard"}, "standard"},
			{"files.hide", "@secrets", Origin{File: "standard"}, "standard"},
			{"network.mode", "offline", Origin{File: "standard"}, "standard"},
			{"env.inherit", "clean", Origin{File: "standard"}, "standard"},
			{"caches.mode", "private", Origin{File: "standard"}, "standard"},
		}
		if diff := cmp.Diff(want, p.Settings()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestLayersMerge(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("etc/policy.toml", "workspace = ['/sys']\nnetwork.mode = 'online'\nlimits = {time = '1h', processes = 9}\nfiles.hide = ['a']\nenv.set = {A = 's', B = 's'}")
	s.write("config/policy.toml", "workspace = ['.']\nnetwork.mode = 'allowlist'\nnetwork.allow = ['u.org']\nfiles.hide = ['a', 'b']\nallow-weaker = ['net.offline']\nenv.set = {B = 'u', C = 'u'}\nlimits.time = '2h'")
	project := s.write("ws/.caisson.toml", "files.hide = ['c']\nnetwork.mode = 'offline'\nlimits.time = '30m'")
	s.Flags = flags(t, "--hide", "files.hide", "a", "--env", "env.set", "C=f", "--memory", "limits.memory", "1GiB")
	want := Policy{
		Version: 1, Workspace: []string{"."}, AllowWeaker: []guarantee.ID{guarantee.NetOffline},
		Files:   Files{Hide: []string{"a", "b", "c"}},
		Network: Network{Mode: Offline, Allow: []string{"u.org"}},
		Env:     Env{Set: map[string]string{"A": "s", "B": "u", "C": "f"}},
		Limits:  Limits{Time: 30 * time.Minute, Processes: 9, Memory: 1 << 30},
	}
	p := s.load()
	if diff := cmp.Diff(want, p, sameFields); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// One value from three layers is three rules, since each has its own base.
	wantEntries := []entry{
		{"@secrets", Origin{File: "standard"}, LayerStandard, ""},
		{"a", Origin{File: s.SystemFile, Line: 5, Column: 15}, LayerSystem, ""},
		{"a", Origin{File: s.UserFile, Line: 5, Column: 15}, LayerUser, ""},
		{"a", Origin{File: "--hide"}, LayerFlag, "."},
		{"b", Origin{File: s.UserFile, Line: 5, Column: 20}, LayerUser, ""},
		{"c", Origin{File: project, Line: 2, Column: 15}, LayerProject, s.Dir},
	}
	if diff := cmp.Diff(wantEntries, p.entries("files.hide")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var modes []Setting
	for _, x := range p.Settings() {
		if x.Name == "network.mode" || x.Name == "env.set" {
			modes = append(modes, x)
		}
	}
	wantModes := []Setting{
		{"network.mode", "offline", Origin{File: project, Line: 3, Column: 16}, "project"},
		{"env.set", "A=s", Origin{File: s.SystemFile, Line: 6, Column: 12}, "system"},
		{"env.set", "B=u", Origin{File: s.UserFile, Line: 7, Column: 12}, "user"},
		{"env.set", "C=f", Origin{File: "--env"}, "flag"},
	}
	if diff := cmp.Diff(wantModes, modes); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWorkspaceOfFlagsReplaces(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("config/policy.toml", "workspace = ['/other']")
	s.Flags = flags(t, "-w", "workspace", ".", "-w", "workspace", "../b")
	if got := s.load().Workspace; !slices.Equal(got, []string{".", "../b"}) {
		t.Errorf("got %q", got)
	}
}

func TestPolicyFileReplaces(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("etc/policy.toml", "files.hide = ['sys']")
	s.write("config/policy.toml", "files.hide = ['user']")
	s.write("ws/.caisson.toml", "files.hide = ['project']")
	s.write("ws/p.toml", "files.hide = ['file']")
	s.PolicyFile = "p.toml" // relative to Dir, not to the directory of the test
	p := s.load()
	if got := p.Files.Hide; !slices.Equal(got, []string{"sys", "file"}) {
		t.Errorf("got %q", got)
	}
	if e := p.entries("files.hide")[2]; e.Layer != LayerUser || e.Dir != "" || e.Origin.File != "p.toml" {
		t.Errorf("entry %+v", e)
	}
	s.PolicyFile, s.Stdin = "-", strings.NewReader(`{"version":1,"files":{"hide":["stdin"]}}`)
	p = s.load()
	if e := p.entries("files.hide")[2]; e.Value != "stdin" || e.Dir != "." || e.Origin != (Origin{File: "standard input", Line: 1, Column: 31}) {
		t.Errorf("entry %+v", e)
	}
	s.PolicyFile = "none.toml"
	s.refuses(diag.PolicyInvalid, "none.toml does not exist")
}

func TestBrokenFilesRefuse(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"etc/policy.toml", "config/policy.toml", "ws/.caisson.toml"} {
		s := newSite(t)
		path := s.write(name, "files.wirte = []")
		s.refuses(diag.PolicyInvalid, path+":2:7: unknown key \"wirte\" in [files]; did you mean \"write\"?")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, "file", "")
		s.refuses(diag.PolicyInvalid, path+" is a directory")
	}
}

func TestSystemFileThatOthersWrite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.vouch = func(path string) error { return errors.New(path + " can be written by others") }
	s.load() // there is no file to doubt
	s.write("etc/policy.toml", "")
	s.refuses(diag.PolicyInvalid, "the system policy "+s.SystemFile+" could have been written by others")
	if _, err := s.UnderSystem(Standard("/ws")); err == nil {
		t.Error("a program's policy goes past a system file that others write")
	}
}

func TestFinal(t *testing.T) {
	t.Parallel()
	const pins = "final = ['network.mode', 'allow-weaker', 'files.show', 'limits.time', 'env.set', 'files.hide', 'workspace']\n" +
		"limits.time = '1h'\nfiles.hide = ['h']\nenv.set = {A = '1'}\n"
	for name, c := range map[string]struct{ user, project, want string }{
		"mode":          {user: "network.mode = 'online'", want: "network.mode"},
		"weaker":        {user: "allow-weaker = ['net.offline']", want: "allow-weaker"},
		"show":          {user: "files.show = ['x']", want: "files.show"},
		"limit":         {user: "limits.time = '2h'", want: "limits.time"},
		"stricter":      {project: "limits.time = '1m'", want: "limits.time"},
		"added":         {project: "files.hide = ['x']", want: "files.hide"},
		"changed":       {user: "env.set = {A = '2'}", want: "env.set"},
		"added pair":    {user: "env.set = {B = '2'}", want: "env.set"},
		"the same mode": {user: "network.mode = 'offline'\nlimits.time = '60m'\nfiles.hide = ['h']\nenv.set = {A = '1'}"},
		"another":       {user: "files.write = ['/x']"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.write("etc/policy.toml", pins)
			file := s.write("config/policy.toml", c.user)
			if c.project != "" {
				file = s.write("ws/.caisson.toml", c.project)
			}
			if c.want == "" {
				s.load()
				return
			}
			s.refuses(diag.PolicyFinal, file+":2:")
			s.refuses(diag.PolicyFinal, c.want+" is pinned by "+s.SystemFile+":2:")
		})
	}
	s := newSite(t)
	s.write("etc/policy.toml", pins)
	s.Flags = flags(t, "--net", "network.mode", "allowlist")
	s.refuses(diag.PolicyFinal, "--net: network.mode is pinned by")
	s.Flags = flags(t, "-w", "workspace", "/x")
	s.refuses(diag.PolicyFinal, "-w: workspace is pinned by")
	s.Flags = Policy{}
	s.write("config/policy.toml", "final = ['network.mode']")
	s.refuses(diag.PolicyInvalid, s.UserFile+":2:10: final: only the system policy can pin settings")
}

func TestProgramsAreUnderTheSystem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("etc/policy.toml", "final = ['network.mode', 'files.hide']\nfiles.hide = ['h']\nlimits.processes = 9")
	p, err := s.UnderSystem(Standard("/ws"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Limits.Processes != 9 || !slices.Equal(p.Workspace, []string{"/ws"}) {
		t.Errorf("got %+v", p)
	}
	again, err := s.UnderSystem(p)
	if err != nil || len(again.layers) != len(p.layers) {
		t.Errorf("the second time: %d layers, %v", len(again.layers), err)
	}
	for name, change := range map[string]func(*Policy){
		"field":       func(p *Policy) { p.Network.Mode = Online },
		"no pins":     func(p *Policy) { p.Final, p.Network.Mode = nil, Online },
		"grant":       func(p *Policy) { *p = p.With(diag.NewGrant(diag.GrantHost, "x.org")) },
		"taken out":   func(p *Policy) { p.Files.Hide = nil },
		"put in":      func(p *Policy) { p.Files.Hide = append(p.Files.Hide, "x") },
		"before load": func(p *Policy) { *p = Standard("/ws"); p.Network.Mode = Online },
	} {
		q := p
		change(&q)
		_, err := s.UnderSystem(q)
		if err == nil {
			t.Errorf("%s: a pinned setting was changed", name)
			continue
		}
		wantRefusal(t, err, diag.PolicyFinal, "is pinned by "+s.SystemFile)
	}
	q := p
	q.Network.Mode = Offline
	if _, err := s.UnderSystem(q); err != nil {
		t.Errorf("the pinned value itself: %v", err)
	}
}

func TestProgramsAreChecked(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Policy{
		"program: files.write: '/x/*' is a pattern": {Version: 1, Files: Files{Write: []string{"/x/*"}}},
		"program: network.mode: unknown value":      {Version: 1, Network: Network{Mode: "none"}},
		"program: network.loopback: -1 is no port":  {Version: 1, Network: Network{Loopback: []int{-1}}},
		"program: limits.memory: must be more":      {Version: 1, Limits: Limits{Memory: -1}},
		"program: env.set: an empty name":           {Version: 1, Env: Env{Set: map[string]string{"": "x"}}},
		"program: files.hide: a NUL character":      {Version: 1, Files: Files{Hide: []string{"a\x00"}}},
		"program: require: unknown guarantee":       {Version: 1, Require: []guarantee.ID{"fs"}},
	} {
		_, _, err := Sources{Flags: p}.Load()
		wantRefusal(t, err, diag.PolicyInvalid, want)
	}
}

func TestManyEntriesAreQuick(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var b strings.Builder
	b.WriteString("version = 1\nfiles.hide = [")
	for i := range 60000 {
		fmt.Fprintf(&b, "'%x',", i)
	}
	b.WriteString("]\n")
	writeFile(t, s.dir, "ws/.caisson.toml", b.String())
	if n := len(s.load().entries("files.hide")); n != 60001 {
		t.Errorf("%d entries", n)
	}
}

// TestAuditOfTheSystemStays: nobody takes an audit file of the system's away, and
// a project adds none.
func TestAuditOfTheSystemStays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("etc/policy.toml", "audit = ['/var/log/a.jsonl']")
	s.write("config/policy.toml", "audit = ['~/b.jsonl']")
	if p := s.load(); !slices.Equal(p.Audit, []string{"/var/log/a.jsonl", "~/b.jsonl"}) {
		t.Errorf("%q", p.Audit)
	}
	// $HOME, which host lists last, moves that of the user's file alone.
	s.write("etc/policy.toml", "audit = ['~/a.jsonl']")
	host := unixHost(nil)
	host.homes = append(host.homes, "/elsewhere")
	p := s.load()
	p.Workspace = []string{"/home/me/ws"}
	want := []string{"/home/me/a.jsonl", "/elsewhere/b.jsonl"}
	if got := mustResolve(t, p, host).Audit(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := p.NamedPaths(host, "audit"); !slices.Equal(got, want) {
		t.Errorf("named: %q, want %q", got, want)
	}
	s.write("etc/policy.toml", "audit = ['/var/log/a.jsonl']")
	p, err := s.UnderSystem(Standard("/ws"))
	if err != nil || !slices.Equal(p.Audit, []string{"/var/log/a.jsonl"}) {
		t.Errorf("%q, %v", p.Audit, err)
	}
	s.write("ws/.caisson.toml", "audit = ['/tmp/c.jsonl']")
	s.refuses(diag.PolicyInvalid, filepath.Join(s.dir, "ws/.caisson.toml")+":2:10: audit: a project file cannot set this, trusted or not; set it in the user policy, or with a flag")
}
