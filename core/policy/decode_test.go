// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

// sameFields compares what policies say, not where they said it.
var sameFields = cmp.Options{cmpopts.IgnoreUnexported(Policy{}), cmpopts.EquateEmpty()}

const everySetting = `
version = 1
extends = "read-only"
workspace = [".", "~/src/[a]{b}"]
require = ["proc.outside.hidden"]
allow-weaker = ["net.offline"]
audit = ["~/audit.jsonl"]
final = ["network.mode"]

[files]
write = ["~/.cache/ccache"]
protect = ["vendor", "@secrets"]
hide = ["~/work/other-client"]
show = ["~/.ssh/known_hosts"]
unprotect = [".git/config", "./@odd"]

[network]
mode = "allowlist"
allow = ["proxy.example.org:443", "*", "[::1]:80", "10.0.0.1", "::1"]
deny = ["*.ads.example"]
loopback = [5432]
publish = [3000]
unix = ["/run/x.sock"]

[env]
inherit = "all"
pass = ["AWS_PROFILE"]
set = { CI = "1", EMPTY = "" }

[caches]
mode = "off"

[limits]
time = "10m"
memory = "4GiB"
processes = 512
`

func TestDecodeEverySetting(t *testing.T) {
	t.Parallel()
	want := Policy{
		Version: 1, Extends: "read-only", Workspace: []string{".", "~/src/[a]{b}"},
		Require: []guarantee.ID{guarantee.OutsideHidden}, AllowWeaker: []guarantee.ID{guarantee.NetOffline},
		Files: Files{
			Write: []string{"~/.cache/ccache"}, Protect: []string{"vendor", "@secrets"}, Hide: []string{"~/work/other-client"},
			Show: []string{"~/.ssh/known_hosts"}, Unprotect: []string{".git/config", "./@odd"},
		},
		Network: Network{
			Mode: Allowlist, Allow: []string{"proxy.example.org:443", "*", "[::1]:80", "10.0.0.1", "::1"}, Deny: []string{"*.ads.example"},
			Loopback: []int{5432}, Publish: []int{3000}, Unix: []string{"/run/x.sock"},
		},
		Env:    Env{Inherit: "all", Pass: []string{"AWS_PROFILE"}, Set: map[string]string{"CI": "1", "EMPTY": ""}},
		Caches: Caches{Mode: "off"},
		Limits: Limits{Time: 10 * time.Minute, Memory: 4 << 30, Processes: 512},
		Audit:  []string{"~/audit.jsonl"},
		Final:  []string{"network.mode"},
	}
	got, err := Decode("p.toml", []byte(everySetting))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, sameFields); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// The same in JSON, which is what programs write.
	data, err := strict.Canonical(got)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode("p.json", append([]byte("\n "), data...))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again, sameFields); diff != "" {
		t.Errorf("JSON: (-want +got)\n%s", diff)
	}
	// No setting is without its record, and no record without its place.
	for _, s := range settings() {
		entries := got.entries(s.name)
		if s.name == "files.hide" || s.name == "files.protect" {
			entries = entries[len(standardEntries(s.name)):]
		}
		if len(entries) != len(got.values(s.name)) || len(entries) == 0 {
			t.Errorf("%s: %d entries for %q", s.name, len(entries), got.values(s.name))
		}
		for _, e := range entries {
			if e.Origin.File != "p.toml" || e.Origin.Line == 0 || e.Origin.Column == 0 || e.Layer != LayerUser {
				t.Errorf("%s: entry %+v", s.name, e)
			}
		}
	}
	if e := got.entries("files.protect")[3]; e.Origin != (Origin{File: "p.toml", Line: 12, Column: 12}) {
		t.Errorf("origin of vendor: %+v", e.Origin)
	}
}

func TestDecodeSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		`1024`: 1024, `"1024"`: 1024, `"64KiB"`: 64 << 10, `"512MiB"`: 512 << 20, `"1TiB"`: 1 << 40, `0x10`: 16, `"8388607TiB"`: 8388607 << 40,
	} {
		p, err := Decode("p", []byte("version = 1\nlimits.memory = "+text))
		if err != nil || p.Limits.Memory != want {
			t.Errorf("memory = %s: %d, %v", text, p.Limits.Memory, err)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"no version":          {"[files]\n", "p:1:1: version is missing; begin the file with: version = 1"},
		"no version, json":    {"{}", "p:1:1: version is missing"},
		"future version":      {"version = 2\nnew-key = 1", "p:1:11: version: version 2 is newer than this caisson, which reads version 1; upgrade caisson"},
		"version 0":           {"version = 0", "p:1:11: version: there is no version 0"},
		"negative version":    {"version = -1", "there is no version -1"},
		"version text":        {"version = '1'", "p:1:11: version: must be an integer, not a string"},
		"top is a list":       {"[1]", "p:1:1: version is missing"},
		"unknown key":         {"version = 1\nfile.write = []", `p:2:1: unknown key "file"; did you mean "files"?`},
		"unknown in table":    {"version = 1\n[files]\nreed = []", `p:3:1: unknown key "reed" in [files]`},
		"go field name":       {"version = 1\nAllowWeaker = []", `unknown key "AllowWeaker"`},
		"hidden fields":       {"version = 1\nTmp = '/'\n", `unknown key "Tmp"`},
		"wrong type":          {"version = 1\n[files]\nwrite = '/'", "p:3:9: files.write: must be a list of strings, not a string"},
		"duplicate":           {"version = 1\nversion = 1", "p:2:1: version: duplicate key"},
		"duplicate, json":     {`{"version":1,"version":1}`, "p:1:14: version: duplicate key"},
		"trailing data":       {`{"version":1} {}`, "p:1:15: unexpected '{' after the value"},
		"truncated":           {`{"version":1,`, "p:1:14: the file ends too early"},
		"truncated, toml":     {"version = 1\n[files", "p:2:6: expected ']'"},
		"empty":               {"", "p: is empty"},
		"NUL":                 {"version = 1\x00", "p:1:12: a NUL byte"},
		"10 MB":               {"version = 1\n#" + strings.Repeat("x", 10<<20), "p: is larger than 1 MiB"},
		"pattern":             {"version = 1\nfiles.write = ['a', '~/src/*']", "p:2:21: files.write: '~/src/*' is a pattern, and no operating system can enforce one without a race; name the directory instead"},
		"question mark":       {"version = 1\nfiles.hide = ['a?']", "p:2:15: files.hide: 'a?' is a pattern"},
		"unknown set":         {"version = 1\nfiles.hide = ['@secret']", "p:2:15: files.hide: unknown set @secret; did you mean @secrets? known sets: @agent-control, @editor-control, @repo-control, @secrets; a path"},
		"set cannot stand":    {"version = 1\nfiles.write = ['@secrets']", "p:2:16: files.write: a set cannot stand here: @secrets"},
		"set as workspace":    {"version = 1\nworkspace = ['@secrets']", "workspace: a set cannot stand here"},
		"empty path":          {"version = 1\nfiles.show = ['']", "p:2:15: files.show: an empty path"},
		"other home":          {"version = 1\nfiles.hide = ['~root/x']", "p:2:15: files.hide: '~root/x' names another user's home"},
		"variable":            {"version = 1\nfiles.hide = ['$HOME/x']", "p:2:15: files.hide: variables are not expanded: '$HOME/x'; write ~/"},
		"windows variable":    {"version = 1\nfiles.hide = ['%TEMP%\\x']", "variables are not expanded"},
		"NUL in a path":       {`{"version":1,"files":{"hide":["\u0000"]}}`, `p:1:32: invalid \u escape`},
		"extends":             {"version = 1\nextends = 'readonly'", `p:2:11: extends: unknown value "readonly"; did you mean "read-only"?`},
		"extends nothing":     {"version = 1\nextends = ''", `p:2:11: extends: unknown value ""; known: read-only, standard`},
		"mode":                {"version = 1\nnetwork.mode = 'of'", `p:2:16: network.mode: unknown value "of"; known: allowlist, offline, online`},
		"mode in capitals":    {"version = 1\nnetwork.mode = 'Online'", `did you mean "online"?`},
		"inherit":             {"version = 1\nenv.inherit = 'none'", `p:2:15: env.inherit: unknown value "none"; known: all, clean`},
		"caches":              {"version = 1\ncaches.mode = 'on'", `p:2:15: caches.mode: unknown value "on"`},
		"port 0":              {"version = 1\nnetwork.loopback = [0]", "p:2:21: network.loopback: 0 is no port; ports are 1 to 65535"},
		"port 65536":          {"version = 1\nnetwork.publish = [65536]", "p:2:20: network.publish: 65536 is no port"},
		"negative port":       {"version = 1\nnetwork.publish = [-1]", "network.publish: -1 is no port"},
		"port as text":        {"version = 1\nnetwork.publish = ['80']", "p:2:20: network.publish: must be an integer, not a string"},
		"guarantee":           {"version = 1\nrequire = ['proc.outside.hiden']", `p:2:12: require: unknown guarantee "proc.outside.hiden"; did you mean "proc.outside.hidden"?`},
		"weaker wildcard":     {"version = 1\nallow-weaker = ['*']", `p:2:17: allow-weaker: unknown guarantee "*"; known: env.scrubbed`},
		"final":               {"version = 1\nfinal = ['network']", `p:2:10: final: unknown setting "network"; known: allow-weaker`},
		"negative limit":      {"version = 1\nlimits.processes = -1", "p:2:20: limits.processes: must be more than 0; leave it out for no limit"},
		"zero limit":          {"version = 1\nlimits.memory = 0", "p:2:17: limits.memory: must be more than 0"},
		"zero time":           {"version = 1\nlimits.time = '0s'", "p:2:15: limits.time: must be more than 0"},
		"negative time":       {"version = 1\nlimits.time = '-1m'", "limits.time: must be more than 0"},
		"bare time":           {"version = 1\nlimits.time = 10", `p:2:15: limits.time: must be a duration like "10m", not an integer`},
		"decimal unit":        {"version = 1\nlimits.memory = '4GB'", `p:2:17: limits.memory: invalid size "4GB"; write it like`},
		"no digits":           {"version = 1\nlimits.memory = 'GiB'", `invalid size "GiB"`},
		"empty size":          {"version = 1\nlimits.memory = ''", `invalid size ""`},
		"signed size":         {"version = 1\nlimits.memory = '+1'", `invalid size "+1"`},
		"size too large":      {"version = 1\nlimits.memory = '8388608TiB'", `invalid size "8388608TiB"`},
		"fraction of a size":  {"version = 1\nlimits.memory = 1.5", "p:2:17: limits.memory: must be a size"},
		"unknown limit":       {"version = 1\nlimits.cpu = 1", `p:2:8: unknown key "cpu" in [limits]`},
		"empty variable":      {"version = 1\nenv.pass = ['']", "p:2:13: env.pass: an empty name"},
		"variable with =":     {"version = 1\nenv.pass = ['A=1']", "p:2:13: env.pass: no variable can be called A=1"},
		"variable pattern":    {"version = 1\nenv.pass = ['AWS_*']", "p:2:13: env.pass: 'AWS_*' is a pattern"},
		"set empty variable":  {"version = 1\nenv.set = {'' = '1'}", "env.set.\"\": an empty name"},
		"host with scheme":    {"version = 1\nnetwork.allow = ['https://a.b']", "p:2:18: network.allow: https://a.b has no valid port; write it like"},
		"host with path":      {"version = 1\nnetwork.allow = ['a.b/c']", "network.allow: a.b/c is no host"},
		"empty host":          {"version = 1\nnetwork.allow = ['']", "network.allow: '' is no host"},
		"only a port":         {"version = 1\nnetwork.allow = [':80']", "network.allow: :80 is no host"},
		"inner star":          {"version = 1\nnetwork.allow = ['a.*.b']", "is no host"},
		"host with space":     {"version = 1\nnetwork.deny = ['a b']", "network.deny: 'a b' is no host"},
		"zone":                {"version = 1\nnetwork.allow = ['fe80::1%eth0']", "network.allow: fe80::1%eth0 has a zone"},
		"port of host":        {"version = 1\nnetwork.allow = ['a:065']", "has no valid port"},
		"terminal in message": {"version = 1\nfiles.write = [\"\\u001b*\"]", `$'\x1b*' is a pattern`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Decode("p", []byte(c.text))
			wantRefusal(t, err, diag.PolicyInvalid, c.want)
			if diff := cmp.Diff(Policy{}, p, sameFields); diff != "" {
				t.Errorf("a policy beside the error: %s", diff)
			}
		})
	}
}

// wantRefusal checks that err is a diagnostic with a code and a text.
func wantRefusal(t *testing.T, err error, code diag.Code, text string) {
	t.Helper()
	var d *diag.Diagnostic
	if !errors.As(err, &d) {
		t.Fatalf("got %v, which is no diagnostic; want %s", err, text)
	}
	if d.Code != code || !strings.Contains(d.Error(), text) {
		t.Errorf("got  %s: %s\nwant %s: %s", d.Code, d.Error(), code, text)
	}
}

func TestEmptyAllowlistAllowsNothing(t *testing.T) {
	t.Parallel()
	p, err := Decode("p", []byte("version = 1\nnetwork = {mode = 'allowlist', allow = []}"))
	if err != nil {
		t.Fatal(err)
	}
	r := mustResolve(t, mergeLayers(Standard("/home/me/ws"), p, false), unixHost(nil))
	if n := r.Network(); n.Mode != Allowlist || len(n.Allow) != 0 {
		t.Errorf("got %+v", n)
	}
}

// FuzzDecode looks for panics, for errors that are no diagnostics, and for
// policies that check refuses after Decode accepted them.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(everySetting))
	f.Add([]byte(`{"version":1,"limits":{"memory":"4GiB","time":"1h"},"env":{"set":{"A":"b"}}}`))
	f.Add([]byte("version = 1\n[[files]]\n"))
	f.Add([]byte("version = 1\n[files]\nwrite = []\n"))
	f.Add([]byte("version = 1\nfiles.hide = ['@secrets', '$x']\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode("p", data)
		if err != nil {
			var d *diag.Diagnostic
			if !errors.As(err, &d) || d.Code != diag.PolicyInvalid || !strings.HasPrefix(d.Message, "p:") {
				t.Fatalf("error %v", err)
			}
			return
		}
		if err := p.check(); err != nil {
			t.Fatalf("accepted, but: %v", err)
		}
		one, err := strict.Canonical(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode("p", one)
		if err != nil {
			t.Fatalf("canonical form %s: %v", one, err)
		}
		two, err := strict.Canonical(again)
		if err != nil || !bytes.Equal(one, two) {
			t.Fatalf("canonical form is not stable: %s, %s, %v", one, two, err)
		}
	})
}
