// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// windowsSample is a plan with every field that the helper of Windows knows.
func windowsSample() *Plan {
	const ws, hooks, mcp = `C:\Users\me\ws`, `C:\Users\me\ws\.git\hooks`, `C:\Users\me\ws\.mcp.json`
	return &Plan{
		Format: Format, Backend: "windows/account", OS: "windows", Arch: "amd64",
		Claims: guarantee.Set{guarantee.WriteConfined: {By: guarantee.ByAccount}},
		Env:    []EnvEdit{{Name: "CAISSON", Value: "1"}, {Name: "TOKEN", Unset: true}},
		Windows: &Windows{
			V: 1, Profile: "jail", Install: "i0", EnvBase: "account", Symbols: map[string]string{"@device": "S-1-5-12"},
			Account: &WindowsAccount{Pool: "offline", Sticky: ws},
			Helper:  WindowsHelper{SDDL: "D:P(A;;GA;;;SY)(A;;RC;;;OW)"},
			Token: WindowsToken{
				Flags: []string{"DISABLE_MAX_PRIVILEGE", "LUA_TOKEN", "WRITE_RESTRICTED"}, DenyOnly: []string{"S-1-5-32-544", "@logon", "S-1-5-4"}, Restricting: []string{"{account}", "@device"},
				KeepPrivileges: []string{"SeChangeNotifyPrivilege"}, DefaultDACL: "D:(A;;GA;;;{account})(A;;RC;;;OW)",
			},
			Placeholders: []WindowsHold{{Path: mcp, Kind: "dir", ACE: "(D;OICI;0xd0156;;;{account})"}},
			ACL: []WindowsACE{
				{Path: hooks, FileID: "@probe", ACE: "(D;OICI;0xd0156;;;{account})", Why: WhyProtected, Exists: true},
				{Path: ws, FileID: "@probe", ACE: "(A;OICI;0x1301bf;;;{account})", Why: WhyRoot, Exists: true},
			},
			Undo: []WindowsUndo{
				{Path: ws, ACE: "(A;OICI;0x1301bf;;;{account})"}, {Path: hooks, ACE: "(D;OICI;0xd0156;;;{account})"}, {Path: mcp, Remove: "dir"},
			},
			Quarantine: []string{ws + `\.envrc`}, Report: []string{ws + `\.gitmodules`},
			WFP: []WindowsFilter{
				{Layer: "ALE_AUTH_CONNECT_V4", Do: "block", If: []string{"user={account}"}},
				{Layer: "ALE_AUTH_CONNECT_V6", Do: "block", If: []string{"user={account}"}},
				{Layer: "ALE_AUTH_LISTEN_V4", Do: "block", If: []string{"user={account}"}},
				{Layer: "ALE_AUTH_LISTEN_V6", Do: "block", If: []string{"user={account}"}},
				{Layer: "ALE_AUTH_RECV_ACCEPT_V4", Do: "block", If: []string{"user={account}"}},
				{Layer: "ALE_AUTH_RECV_ACCEPT_V6", Do: "block", If: []string{"user={account}"}},
				{Layer: "ALE_RESOURCE_ASSIGNMENT_V4", Do: "block", If: []string{"user={account}", "proto=1"}},
				{Layer: "ALE_RESOURCE_ASSIGNMENT_V4", Do: "block", If: []string{"user={account}", "raw"}},
				{Layer: "ALE_RESOURCE_ASSIGNMENT_V6", Do: "block", If: []string{"user={account}", "proto=58"}},
				{Layer: "ALE_RESOURCE_ASSIGNMENT_V6", Do: "block", If: []string{"user={account}", "raw"}},
			},
			Job: WindowsJob{Kill: true, Processes: 5, Memory: 1 << 30, Milliseconds: 1000, UI: 255}, Desktop: "private",
			Mitigation: []string{"ext-point", "no-remote-image", "no-low-image"}, Handles: []string{"stdin", "stdout", "stderr"}, Temp: `C:\Users\me\tmp`, Residuals: []string{"dns.service"},
		},
	}
}

func TestWindowsGolden(t *testing.T) {
	t.Parallel()
	golden(t, windowsSample(), "windows.json", "windows-explain.golden")
}

// spoiled is a change of the text of a plan, and what of the refusal it leads to.
type spoiled struct{ old, new, want string }

func refuseEach(t *testing.T, whole []byte, tests []spoiled) {
	t.Helper()
	for _, test := range tests {
		text := strings.Replace(string(whole), test.old, test.new, 1)
		if text == string(whole) {
			t.Errorf("the sample has no %s", test.old)
			continue
		}
		_, err := Decode([]byte(text))
		var d *diag.Diagnostic
		if !errors.As(err, &d) || d.Code != diag.PlanInvalid || !strings.Contains(d.Message, test.want) {
			t.Errorf("%s: got %v, want plan-invalid with %s", test.new, err, test.want)
		}
	}
}

func TestWindowsRefuses(t *testing.T) {
	t.Parallel()
	whole, err := Encode(windowsSample())
	if err != nil {
		t.Fatal(err)
	}
	refuseEach(t, whole, []spoiled{
		{`"os":"windows"`, `"os":"linux"`, "env"},
		{`"v":1`, `"v":2`, "v 2"},
		{`"v":1`, `"v":1,"forced":true`, `"forced"`},
		{`"profile":"jail"`, `"profile":"cell"`, `"cell"`},
		{`"profile":"jail",`, ``, "do not fit"},
		{`"base":"account"`, `"base":"caller"`, "do not fit"},
		{`"base":"account"`, `"base":"me"`, `"me"`},
		{`"pool":"offline"`, `"pool":"off"`, `"off"`},
		{`"@device":"S-1-5-12"`, `"@device":"Everyone"`, "Everyone"},
		{`"@device":"S-1-5-12"`, `"{user}":"S-1-5-12"`, "{user}"},
		{`D:P(A;;GA;;;SY)`, `D:P(A;;GA;;;SY`, "helper.sddl"},
		{`"LUA_TOKEN",`, `"LUA_TOKEN","FREE",`, "FREE"},
		{`"LUA_TOKEN","WRITE_RESTRICTED"]`, `"LUA_TOKEN"]`, "token.flags"},
		{`"profile":"jail"`, `"profile":"lean"`, "token.flags"},
		{`"@logon","S-1-5-4"`, `"@logon"`, "lacks S-1-5-4"},
		{`["S-1-5-32-544","@logon"`, `["@logon"`, "lacks S-1-5-32-544"},
		{`"@logon",`, ``, "lacks @logon"},
		{`{"layer":"ALE_AUTH_LISTEN_V6","do":"block","weight":0,"if":["user={account}"]},`, ``, "no filter at ALE_AUTH_LISTEN_V6"},
		{`,"raw"]`, `,"proto=17"]`, "no filter at ALE_RESOURCE_ASSIGNMENT_V4 raw"},
		{`"pool":"offline"`, `"pool":"online"`, "10 filters where 0"},
		{`"D:P(A;;GA;;;SY)(A;;RC;;;OW)"`, `"D:P(A;;GA;;;SY)"`, "helper.sddl"},
		{`["{account}","@device"]`, `["{account}","S-1-1-0"]`, "whole machine"},
		{`["{account}","@device"]`, `["{everyone}"]`, "everyone"},
		{`["S-1-5-32-544","@logon"`, `["BA","S-1-5-32-544","@logon"`, `"BA"`},
		{`["SeChangeNotifyPrivilege"]`, `["SeDebugPrivilege"]`, "SeDebug"},
		{`"defaultDACL":"D:(A`, `"defaultDACL":"D:(D`, "defaultDACL"},
		{`"kind":"dir"`, `"kind":"link"`, `"link"`},
		{`"remove":"dir"`, `"remove":"file"`, "inverse of nothing"},
		{`"ace":"(A;OICI;0x1301bf;;;{account})","why"`, `"ace":"(A;OICI;FA;;;{account})","why"`, "ACE"},
		{`"ace":"(A;OICI;0x1301bf;;;{account})","why"`, `"ace":"(A;OICI;0x1301bf;;;S-1-1-0)","why"`, "somebody outside"},
		{`"ace":"(A;OICI;0x1301bf;;;{account})","why"`, `"ace":"(A;OICI;0x1301bf;;;@logon)","why"`, "somebody outside"},
		{`"path":"C:\\Users\\me\\ws","fileId"`, `"path":"C:\\","fileId"`, "volume"},
		{`"path":"C:\\Users\\me\\ws","fileId"`, `"path":"C:\\Users\\me\\x\\..\\ws","fileId"`, "clean"},
		{`"path":"C:\\Users\\me\\ws","fileId"`, `"path":"\\\\.\\C:\\ws","fileId"`, "devices"},
		{`"path":"C:\\Users\\me\\ws","fileId"`, `"path":"C:\\Users\\me\\ws:x","fileId"`, "stream"},
		{`"fileId":"@probe"`, `"fileId":"7"`, `"7"`},
		{`.mcp.json","kind"`, `.git\\hooks","kind"`, "both there and held"},
		{`{"path":"C:\\Users\\me\\ws","ace":"(A;OICI;0x1301bf;;;{account})"},`, ``, "not undone"},
		{`ALE_AUTH_CONNECT_V6`, `ALE_AUTH_CONNECT_V5`, "V5"},
		{`"do":"block"`, `"do":"drop"`, "drop"},
		{`["user={account}"]`, `["proto=6"]`, "proto=6"},
		{`"kill":true`, `"kill":false`, "survived"},
		{`"breakaway":false`, `"breakaway":true`, "left"},
		{`"ui":255`, `"ui":254`, "out of range"},
		{`"desktop":"private"`, `"desktop":"Default"`, "Default"},
		{`["ext-point",`, `["none",`, `"none"`},
		{`"ext-point",`, ``, "mitigation"},
		{`["stdin","stdout","stderr"]`, `["stdin","stdout","stderr","3"]`, "handles"},
		{`"drop":["TOKEN"]`, `"drop":["CAISSON"]`, "both set and dropped"},
		{`\\.envrc"`, `\\.\\.envrc"`, "clean"},
	})
}

// TestWindowsAttested changes each thing that is read back.
func TestWindowsAttested(t *testing.T) {
	t.Parallel()
	w := windowsSample().Windows
	whole := func() Attested {
		return Attested{Restricting: []string{"@device", "{account}"}, WriteRestricted: true, DenyOnly: []string{"S-1-5-4", "@logon", "S-1-5-32-544", "S-1-5-2"},
			Privileges: 1, Entries: 3, Placeholders: 1, Filters: 10, Job: true, Desktop: "caisson-1"}
	}
	if err := w.Matches(whole()); err != nil {
		t.Fatal(err)
	}
	hidden := whole()
	hidden.Filters, hidden.Unread = 0, true
	if err := w.Matches(hidden); err != nil {
		t.Errorf("filters that only administrators read, and nothing connects: %v", err)
	}
	for name, change := range map[string]func(a *Attested){
		"no restricting SID":   func(a *Attested) { a.Restricting = nil },
		"one more":             func(a *Attested) { a.Restricting = append(a.Restricting, "S-1-1-0") },
		"another one":          func(a *Attested) { a.Restricting[0] = "S-1-1-0" },
		"not write-restricted": func(a *Attested) { a.WriteRestricted = false },
		"administrators":       func(a *Attested) { a.DenyOnly = a.DenyOnly[:2] },
		"a privilege":          func(a *Attested) { a.Privileges = 2 },
		"an entry":             func(a *Attested) { a.Entries = 2 },
		"a placeholder":        func(a *Attested) { a.Placeholders = 0 },
		"a filter":             func(a *Attested) { a.Filters = 9 },
		"a filter of many":     func(a *Attested) { a.Filters, a.Unread = 9, true },
		"unread and connects":  func(a *Attested) { a.Filters, a.Unread, a.Connects = 0, true, true },
		"a connection":         func(a *Attested) { a.Connects = true },
		"the job":              func(a *Attested) { a.Job = false },
		"the desktop":          func(a *Attested) { a.Desktop = "default" },
		"no desktop":           func(a *Attested) { a.Desktop = "" },
	} {
		a := whole()
		change(&a)
		if err := w.Matches(a); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// proxySample is a plan whose commands reach the proxy at the port of their
// account.
func proxySample() *Plan {
	p := windowsSample()
	w := p.Windows
	w.Account.Pool = PoolProxy
	w.WFP = w.WFP[1:]
	for _, c := range []string{"proto!=6", "raddr!=127.0.0.1", "rport!={port}"} {
		w.WFP = append(w.WFP, WindowsFilter{Layer: "ALE_AUTH_CONNECT_V4", Do: "block", If: []string{"user={account}", c}})
	}
	return p
}

// TestWindowsProxy: a plan that leads to the proxy blocks all but one port, by
// three filters of which none may be missing, wider or a permit.
func TestWindowsProxy(t *testing.T) {
	t.Parallel()
	whole, err := Encode(proxySample())
	if err != nil {
		t.Fatal(err)
	}
	p, err := Decode(whole)
	if err != nil || !p.Windows.ToProxy() || windowsSample().Windows.ToProxy() || (*Windows)(nil).ToProxy() {
		t.Fatalf("a good one: %v", err)
	}
	var explained bytes.Buffer
	if err := p.Explain(&explained); err != nil || !strings.Contains(explained.String(), "what caisson's proxy lets through") {
		t.Errorf("%v\n%s", err, &explained)
	}
	const only = `{"layer":"ALE_AUTH_CONNECT_V4","do":"block","weight":0,"if":["user={account}",`
	refuseEach(t, whole, []spoiled{
		{`"pool":"proxy"`, `"pool":"offline"`, "no filter at ALE_AUTH_CONNECT_V4"},
		{`"pool":"proxy"`, `"pool":"online"`, "12 filters where 0"},
		{only + `"proto!=6"]},`, ``, "no filter at ALE_AUTH_CONNECT_V4 proto!=6"},
		{only + `"raddr!=127.0.0.1"]},`, ``, "no filter at ALE_AUTH_CONNECT_V4 raddr!="},
		{`,` + only + `"rport!={port}"]}`, ``, "no filter at ALE_AUTH_CONNECT_V4 rport!="},
		{`"rport!={port}"`, `"rport!=8080"`, "rport!={port}"},
		{`"raddr!=127.0.0.1"`, `"raddr!=127.0.0.0/8"`, "raddr!=127.0.0.1"},
		{`"proto!=6"`, `"proto=17"`, "proto!=6"},
		{`"user={account}","proto!=6"`, `"user={account}","proto!=6","rport!={port}"`, "a filter at ALE_AUTH_CONNECT_V4"},
		{only + `"proto!=6"]},`, strings.Replace(only, "block", "permit", 1) + `"proto!=6"]},`, "permit"},
		{`{"layer":"ALE_AUTH_CONNECT_V6","do":"block","weight":0,"if":["user={account}"]},`, ``, "no filter at ALE_AUTH_CONNECT_V6"},
		{`"layer":"ALE_AUTH_CONNECT_V6","do":"block","weight":0,"if":["user={account}"`, `"layer":"ALE_AUTH_CONNECT_V6","do":"block","weight":0,"if":["user={account}","proto!=6"`, "no filter at ALE_AUTH_CONNECT_V6"},
	})
}

// TestWindowsReaches: that the proxy was reached must have been seen where the
// plan leads to it, and nowhere else.
func TestWindowsReaches(t *testing.T) {
	t.Parallel()
	good := Attested{Restricting: []string{"@device", "{account}"}, WriteRestricted: true, DenyOnly: []string{"S-1-5-4", "@logon", "S-1-5-32-544"},
		Privileges: 1, Entries: 3, Placeholders: 1, Filters: 12, Reaches: true, Job: true, Desktop: "caisson-1"}
	if err := proxySample().Windows.Matches(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(a *Attested){
		"not reached":       func(a *Attested) { a.Reaches = false },
		"more than that":    func(a *Attested) { a.Connects = true },
		"a filter is gone":  func(a *Attested) { a.Filters = 11 },
		"one filter beside": func(a *Attested) { a.Filters = 13 },
	} {
		a := good
		change(&a)
		if err := proxySample().Windows.Matches(a); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	good.Filters = 10
	if err := windowsSample().Windows.Matches(good); err == nil {
		t.Error("offline, and a proxy was reached: taken")
	}
}
