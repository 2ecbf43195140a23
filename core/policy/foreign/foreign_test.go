// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

var update = flag.Bool("update", false, "write the golden files")

const srtFile = `{
  "network": {
    "allowedDomains": ["example.org", "*.example.com"],
    "deniedDomains": ["ads.example.com"],
    "allowUnixSockets": ["/run/agent.sock"],
    "allowLocalBinding": true,
    "httpProxyPort": 8080
  },
  "filesystem": {
    "denyRead": ["~/.ssh", "**/*.pem"],
    "allowRead": ["~/.ssh/known_hosts"],
    "allowWrite": [".", "~/.cache/tool", "/srv/out/**"],
    "denyWrite": ["vendor"],
    "allowGitConfig": true
  },
  "ignoreViolations": {"*": ["/usr"]},
  "enableWeakerNestedSandbox": true,
  "novelty": 1
}`

const claudeFile = `{
  "model": "m",
  "env": {"TOKEN": "hunter2"},
  "sandbox": {"enabled": true, "excludedCommands": ["docker"], "network": {"allowedDomains": ["example.org"]}},
  "permissions": {
    "allow": ["Bash(npm test)", "Edit(//srv/out/**)", "WebFetch(domain:docs.example.org)", "Read(~/.zshrc)"],
    "deny": ["Read(./.env)", "Read(/secrets/**)", "Edit(vendor/**)", "Bash(curl:*)", "WebFetch(domain:bad.example.org)"],
    "ask": ["Bash(git push:*)"],
    "additionalDirectories": ["../docs"]
  }
}`

const codexFile = `model = "m"
approval_policy = "on-request"
sandbox_mode = "workspace-write"
[sandbox_workspace_write]
writable_roots = ["/home/u/.cache/x"]
network_access = true
exclude_slash_tmp = true
[shell_environment_policy]
inherit = "core"
ignore_default_excludes = true
exclude = ["AWS_*"]
set = { CI = "1", "A \"b\"" = "c" }
`

// TestRead: the policy says what has an equivalent, and the list what has none.
func TestRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tool, text string
		want, lost []string
	}{
		{"srt", srtFile, []string{
			"files.write=~/.cache/tool", "files.write=/srv/out", "files.protect=vendor", "files.hide=~/.ssh", "files.show=~/.ssh/known_hosts",
			"files.unprotect=.git/config", "network.mode=allowlist", "network.allow=example.org", "network.allow=*.example.com",
			"network.deny=ads.example.com", "network.unix=/run/agent.sock",
		}, []string{"f:6", "f:7", "f:10", "f:16", "f:17", "f:18"}},
		{"claude", claudeFile, []string{
			"files.write=/srv/out", "files.write=../docs", "files.protect=vendor", "files.hide=.env", "files.hide=secrets",
			"network.mode=allowlist", "network.allow=example.org", "network.allow=docs.example.org", "network.deny=bad.example.org",
		}, []string{"f:2", "f:3", "f:4", "f:6", "f:6", "f:7", "f:8"}},
		{"codex", codexFile, []string{"files.write=/home/u/.cache/x", "network.mode=online", "env.inherit=all", "env.set=CI=1"},
			[]string{"f:1", "f:2", "f:7", "f:9", "f:11", "f:12"}},
	} {
		got, err := Read(c.tool, "f", []byte(c.text))
		if err != nil {
			t.Fatal(c.tool, err)
		}
		p, err := policy.Decode("made", []byte(got.TOML()))
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.tool, err, got.TOML())
		}
		var have []string
		for _, s := range p.Settings() {
			if s.Origin.File == "made" {
				have = append(have, s.Name+"="+s.Value)
			}
		}
		slices.Sort(have)
		slices.Sort(c.want)
		if !slices.Equal(have, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.tool, have, c.want)
		}
		var lost []string
		for _, l := range got.Lost {
			lost = append(lost, l.From)
			if l.Why == "" || !strings.Contains(got.TOML(), "# "+l.From+": "+l.Key+": ") {
				t.Errorf("%s: %+v", c.tool, l)
			}
		}
		slices.Sort(lost)
		slices.Sort(c.lost)
		if !slices.Equal(lost, c.lost) {
			t.Errorf("%s: lost %+v", c.tool, got.Lost)
		}
		if strings.Contains(got.TOML(), "hunter2") {
			t.Errorf("%s: a value of the agent's environment is in\n%s", c.tool, got.TOML())
		}
	}
}

// TestGolden: settings that the tools themselves have read, see conformance/hooks,
// come to a policy that is one.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, tool := range map[string]string{"srt.json": "srt", "claude.json": "claude", "codex.toml": "codex", "codexprofile.toml": "codex"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Read(tool, name, text)
		if err != nil {
			t.Fatal(tool, err)
		}
		if _, err := policy.Decode("made", []byte(got.TOML())); err != nil {
			t.Errorf("%s: %v", tool, err)
		}
		golden := filepath.Join("testdata", strings.TrimSuffix(name, filepath.Ext(name))+".golden.toml")
		if *update {
			if err := os.WriteFile(golden, []byte(got.TOML()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || string(want) != got.TOML() {
			t.Errorf("%s: %v, it differs from %s:\n%s", tool, err, golden, got.TOML())
		}
	}
}

// TestMarked: what the settings of a checkout could open stands behind a mark, and
// what is met every day does not.
func TestMarked(t *testing.T) {
	t.Parallel()
	got, err := Read("srt", "f", []byte(`{"network": {"allowedDomains": ["*", "169.254.169.254", "example.org"], "allowUnixSockets": ["/run/agent.sock"]},
"filesystem": {"allowWrite": ["/srv/out", "~/.bashrc"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	online, err := Read("codex", "f", []byte("sandbox_mode = \"workspace-write\"\nsandbox_workspace_write.network_access = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(got.TOML()+online.TOML(), "\n")
	for value, want := range map[string]bool{
		`  "*",`: true, `  "169.254.169.254",`: true, `  "example.org",`: false, `  "/run/agent.sock",`: true, `  "/srv/out",`: false, `  "~/.bashrc",`: true,
		`mode = "allowlist"`: false, `mode = "online"`: true,
	} {
		i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, value+" #") })
		if i < 1 || strings.Contains(lines[i-1], "# !!! ") != want {
			t.Errorf("%s: %d\n%s", value, i, strings.Join(lines, "\n"))
		}
	}
}

// TestCodexProfile: of profiles nothing is opened but what the one that is the
// default opens.
func TestCodexProfile(t *testing.T) {
	t.Parallel()
	const profile = "[permissions.a.filesystem]\n\"/x\" = \"write\"\n[permissions.a.network]\nenabled = %v\ndomains = { \"x.org\" = \"allow\", \"y.org\" = \"deny\" }\n"
	for _, c := range []struct {
		top  string
		on   bool
		want []string
	}{
		{"default_permissions = 'a'\n", true, []string{"files.write=/x", "network.allow=x.org", "network.mode=allowlist", "network.deny=y.org"}},
		{"default_permissions = 'a'\n", false, []string{"files.write=/x", "network.deny=y.org"}},
		{"default_permissions = ':workspace'\n", true, nil},
		{"default_permissions = ':read-only'\n", true, []string{"extends=read-only"}},
		{"default_permissions = 'b'\n", true, nil},
		{"", true, nil},
	} {
		got, err := Read("codex", "f", fmt.Appendf([]byte(c.top), profile, c.on))
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, v := range got.Values {
			have = append(have, v.Setting+"="+v.Value)
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("%q, on %v: %q, want %q", c.top, c.on, have, c.want)
		}
	}
}

// TestReadRefuses names file, line and key.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ tool, text, want string }{
		{"srt", "{\n\"network\": {\n\"allowedDomains\": \"example.org\"}}", "f:3:19: network.allowedDomains: must be a list"},
		{"srt", "{\"network\": {\"allowedDomains\": [1]}}", "must be a string"},
		{"srt", "{\"network\": []}", "network: must be a table"},
		{"srt", "{\"network\": {}, \"network\": {}}", "network"},
		{"srt", "[]", "settings must be a table"},
		{"srt", "{} {}", "f:1:"},
		{"srt", "", "f"},
		{"srt", strings.Repeat("[", 10000), "f:1:"},
		{"srt", "{\"x\":\"" + strings.Repeat("x", 2<<20) + "\"}", "f"},
		{"claude", "{\"sandbox\": {\"enabled\": \"yes\"}}", "sandbox.enabled: must be true or false"},
		{"claude", "{\"permissions\": {\"deny\": [[]]}}", "must be a string"},
		{"codex", "sandbox_mode = 'workspace-rite'", "sandbox_mode: is no mode of Codex"},
		{"codex", "sandbox_mode = 1", "must be a string"},
		{"codex", "a = 1\na = 2", "f:2:"},
		{"codex", "shell_environment_policy.set.X = 1", "must be a string"},
		{"srt", "{\"filesystem\": {\"denyRead\": [{\"literal\": true}]}}", "must have a string path"},
		{"srt", "{\"filesystem\": {\"denyRead\": [1]}}", "must be a table, not"},
		{"srt", "{\"credentials\": {\"files\": [{\"path\": \"/k\"}]}}", "must have a string mode"},
		{"codex", "default_permissions = 1", "must be a string"},
		{"codex", "default_permissions = 'a'\n[permissions.a.filesystem]\n\"/x\" = \"all\"", "f:3:8: permissions.a.filesystem.\"/x\": is no access of Codex"},
		{"codex", "default_permissions = 'a'\n[permissions.a.network]\ndomains = { \"x.org\" = true }", "must be allow or deny"},
		{"codex", "default_permissions = 'a'\n[permissions.a]\nfilesystem = []", "must be a table"},
		{"vim", "{}", "known are: srt, claude, codex"},
	} {
		_, err := Read(c.tool, "f", []byte(c.text))
		if _, ok := errors.AsType[*diag.Diagnostic](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.40q: %v", c.tool, c.text, err)
		}
	}
}

// TestHostileValues: no value changes what the file says beyond itself.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	for _, v := range []string{`a"]\n[network]\nmode = \"online\"`, `\u001b[2J`, `\\`, `x # y`, `\u202e`, `a\u0000b`} {
		text := fmt.Sprintf(`{"filesystem": {"allowWrite": ["/srv/%s"], "denyWrite": ["kept"]}, "k%s": 1}`, v, v)
		got, err := Read("srt", "f\n[x]", []byte(text))
		if err != nil {
			continue
		}
		p, err := policy.Decode("made", []byte(got.TOML()))
		if err != nil || p.Network.Mode != "" || !slices.Equal(p.Files.Protect, []string{"kept"}) || strings.ContainsAny(got.TOML(), "\x1b\u202e\x00") {
			t.Errorf("%s: %v\n%s", v, err, got.TOML())
		}
	}
}

func FuzzRead(f *testing.F) {
	for i, text := range []string{srtFile, claudeFile, codexFile, `{"filesystem": {"allowWrite": ["\u0085"]}}`} {
		f.Add(uint8(i), []byte(text))
	}
	for tool, name := range []string{"srt.json", "claude.json", "codexprofile.toml"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(tool), text)
	}
	f.Fuzz(func(t *testing.T, tool uint8, text []byte) {
		got, err := Read(Tools()[int(tool)%3], "f", text)
		if err != nil {
			return
		}
		p, err := policy.Decode("made", []byte(got.TOML()))
		if err != nil {
			t.Fatalf("%v\n%s", err, got.TOML())
		}
		n := 0
		for _, s := range p.Settings() {
			if s.Origin.File == "made" {
				n++
			}
		}
		if n != len(got.Values) {
			t.Errorf("%d values were made and %d are there\n%s", len(got.Values), n, got.TOML())
		}
	})
}
