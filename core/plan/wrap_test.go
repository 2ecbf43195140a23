// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// wrapSample is a plan of wrappers, with everything that one may have.
func wrapSample() *Plan {
	return &Plan{
		Format: Format, Backend: "bwrap", OS: "linux", Arch: "amd64",
		Claims: guarantee.Set{guarantee.WriteConfined: {By: guarantee.ByKernel}},
		Steps: []Step{
			Hold{Path: "/w/.git", Kind: "dir"},
			Watch{Quarantine: []string{"/w/.envrc"}},
			Wrap{
				Programs: []Program{
					{Path: "/opt/outer", Args: []string{"--then"}, SHA256: strings.Repeat("0f", 32)},
					{Path: "/usr/bin/bwrap", Args: []string{"--bind", "{tmp}/tmp", "/tmp", "--seccomp", "{fd:filter}", "--file", "{file:notes}", "{tmp}", "--"}},
				},
				Files: []File{{Name: "filter", Base64: "AAECAw=="}, {Name: "notes", Text: "hi\n"}},
			},
		},
	}
}

func TestWrapGolden(t *testing.T) {
	t.Parallel()
	golden(t, wrapSample(), "wrap.json", "wrap-explain.golden")
}

func TestWrapRefuses(t *testing.T) {
	t.Parallel()
	whole, err := Encode(wrapSample())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"/usr/bin/bwrap"`, `"bwrap"`, "not absolute"},
		{`"/usr/bin/bwrap"`, `"/usr/bin/../../w/bwrap"`, "not absolute and clean"},
		{`"{fd:filter}"`, `"{fd:other}"`, "no such file"},
		{`"{file:notes}"`, `"{file:../notes}"`, "no such file"},
		{`"{tmp}/tmp"`, `"{tmp}/../x"`, "leads out"},
		{`"name":"notes"`, `"name":"../../etc/x"`, "file"},
		{`"name":"notes"`, `"name":"filter"`, "file"},
		{`"text":"hi\n"`, `"text":"hi\n","base64":"AA=="`, "two contents"},
		{`"AAECAw=="`, `"?"`, "base64"},
		{`"0f0f`, `"XX0f`, "hash"},
		{`"programs":[{`, `"programs":[],"more":[{`, `"more"`},
		{`{"step":"watch",`, `{"step":"read-only-root"},{"step":"watch",`, "too late"},
		{`"steps":[`, `"steps":[{"step":"read-only-root"},`, "cannot stand beside wrap"},
		{`"steps":[`, `"steps":[{"step":"namespaces","kinds":["user","mount","pid"],"ids":"self","loopback":true},`, "cannot stand beside wrap"},
	} {
		text := strings.Replace(string(whole), c.old, c.new, 1)
		if text == string(whole) {
			t.Errorf("the sample has no %s", c.old)
			continue
		}
		_, err := Decode([]byte(text))
		if d, ok := errors.AsType[*diag.Diagnostic](err); !ok || d.Code != diag.PlanInvalid || !strings.Contains(d.Message, c.want) {
			t.Errorf("%s: got %v, want plan-invalid with %s", c.new, err, c.want)
		}
	}
	none := wrapSample()
	none.Steps[2] = Wrap{}
	if err := none.Validate(); err == nil {
		t.Error("a wrap without programs is valid")
	}
}

// TestSymbol: what comes from a policy is an absolute path, and never a symbol.
func TestSymbol(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string][2]string{
		"/{tmp}": {"", "/{tmp}"}, "{tmp}": {"tmp", ""}, "{tmp}/a": {"tmp", "/a"}, "{tmp}a": {"", "{tmp}a"},
		"{fd:x}": {"fd", "x"}, "{file:x}": {"file", "x"}, "{fd:x": {"", "{fd:x"}, "/w/{fd:x}": {"", "/w/{fd:x}"}, "": {"", ""},
	} {
		if kind, name := Symbol(arg); kind != want[0] || name != want[1] {
			t.Errorf("%q: %q, %q, want %q", arg, kind, name, want)
		}
	}
}
