// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

var update = flag.Bool("update", false, "write the golden files")

// sample is a plan with every step, in an order that the launcher takes.
func sample() *Plan {
	grant := diag.NewGrant(diag.GrantWeaker, string(guarantee.LimitMemory))
	return &Plan{
		Format: Format, Backend: "linux/namespaces", OS: "linux", Arch: "amd64",
		Claims: guarantee.Set{
			guarantee.WriteConfined: {By: guarantee.ByKernel},
			guarantee.NetOffline:    {By: guarantee.ByKernel, Note: "home is on nfs4"},
			guarantee.EnvScrubbed:   {By: guarantee.ByLaunch},
		},
		Unmet: []Unmet{{ID: guarantee.LimitMemory, Reason: "cgroups are not delegated", Remedy: "start a user session", Grant: &grant}},
		Steps: []Step{
			Namespaces{Kinds: []string{"user", "mount", "pid", "net", "ipc"}, IDs: "self", Loopback: true},
			ReadOnlyRoot{},
			Scratch{Bytes: 1 << 30, Inodes: 1 << 16},
			Private{Path: "/tmp", Mode: 0o1777},
			Devices{Names: []string{"null", "zero"}},
			Link{Path: "/tmp/link", Target: "../dev <&>"},
			MountPoint{Path: "/tmp/w", Kind: "dir"},
			Bind{Path: "/tmp/w", Access: "write", Kind: "dir", Role: "root", Dev: 1 << 63, Ino: ^uint64(0)},
			Bind{Path: "/tmp/w/.git/hooks", Access: "read", Kind: "dir", Role: "protect"},
			Bind{Path: "/home/u/.ssh/known hosts", Access: "read", Kind: "file", Role: "show"},
			Hold{Path: "/tmp/w/.git/commondir", Kind: "file", Content: ".\n"},
			Cover{Path: "/home/u/.ssh", Kind: "dir"},
			Cover{Path: "/home/u/.netrc\x1b[2J", Kind: "file", Optional: true},
			Proc{Covered: []string{"kcore"}},
			Watch{Quarantine: []string{"/tmp/w/.envrc"}, Report: []string{"/tmp/w/.gitmodules"}, Git: []string{"/tmp/w/.git"}},
			Limits{Core: 1, Processes: 512, ProcessesBy: "rlimit", Memory: 1 << 32, Cgroup: "/sys/fs/cgroup/user", Milliseconds: 600_000},
			ProcessGroup{Own: true},
			Broker{Allow: []string{"/run/x.sock"}},
			Egress{Proxy: 61080, Loopback: []int{5432}, Publish: []int{3000, 3001}},
			Privileges{},
			Landlock{Handled: []string{"write_file"}, Scoped: []string{"signal"}, Rules: []LandlockRule{{Path: "/tmp", Access: []string{"write_file"}}}},
			Seccomp{Newest: 471, Rules: []SeccompRule{{Calls: []string{"unshare"}, Action: "errno", Errno: "EPERM",
				When: []SeccompCondition{{Arg: 0, Mask: ^uint64(0x50f00), Op: "!=", Value: 0}}, Why: "as clone"}}},
		},
		Env:   []EnvEdit{{Name: "TMPDIR", Value: "/tmp"}, {Name: "XDG_RUNTIME_DIR", Unset: true}},
		Notes: []diag.Diagnostic{{Code: diag.NetworkFS, Message: "/home is on the network"}},
	}
}

// TestSampleIsWhole: the samples speak of every step.
func TestSampleIsWhole(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, s := range slices.Concat(sample().Steps, darwinSample().Steps, wrapSample().Steps, fenceSample().Steps) {
		names[s.Name()] = true
	}
	for _, s := range steps() {
		if !names[s.Name()] {
			t.Errorf("the sample has no step %s", s.Name())
		}
	}
}

// golden compares the two forms of a plan with files, and the plan with what comes
// back of its text.
func golden(t *testing.T, p *Plan, textFile, explainFile string) {
	t.Helper()
	text, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	var explained bytes.Buffer
	if err := p.Explain(&explained); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{textFile: text, explainFile: explained.Bytes()} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("differs from %s:\n%s", file, got)
		}
	}
	got, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, p) {
		t.Errorf("got %+v\nwant %+v", got, p)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	golden(t, sample(), "plan.json", "explain.golden")
}

func TestDigest(t *testing.T) {
	t.Parallel()
	one, err := Digest(sample())
	if err != nil {
		t.Fatal(err)
	}
	other := sample()
	other.Steps[1], other.Steps = other.Steps[0], other.Steps[1:]
	if two, err := Digest(other); err != nil || one == two || len(one) != 64 {
		t.Errorf("digests %q and %q of different plans, %v", one, two, err)
	}
}

// TestEmptyLists: a plan made by hand may leave lists nil.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	p := sample()
	for i, s := range p.Steps {
		switch s.(type) {
		case Devices:
			p.Steps[i] = Devices{}
		case Landlock:
			p.Steps[i] = Landlock{}
		case Seccomp:
			p.Steps[i] = Seccomp{Newest: 471}
		}
	}
	text, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(text); err != nil {
		t.Error(err)
	}
}

// TestEncodeRefuses: JSON cannot hold every name of a file; a changed one
// would cover or protect something else.
func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"/w/\xff", "/w/a\x00b"} {
		p := sample()
		p.Steps = append(p.Steps[:3], Cover{Path: name, Kind: "dir"})
		if text, err := Encode(p); err == nil {
			t.Errorf("%q: no error, but %s", name, text)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	whole, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ old, new, want string }{
		{`"format":1`, `"format":2`, "format 2 is not known"},
		{`"format":1`, `"format":1,"forced":true`, `"forced"`},
		{`"step":"private"`, `"step":"privat"`, `unknown step "privat"`},
		{`"step":"private",`, ``, `"step"`},
		{`"loopback":true`, `"loopback":true,"lopback":true`, `"lopback"`},
		{`"loopback":true`, `"loopback":1`, "true or false"},
		{`"steps":[`, `"steps":[null,`, `"step"`},
		{`"access":"write"`, `"access":"hide"`, `"hide"`},
		{`"role":"root"`, `"role":"rooot"`, `"rooot"`},
		{`"ids":"self"`, `"ids":"none"`, `"none"`},
		{`["user",`, `["usr",`, `"usr"`},
		{`"action":"errno"`, `"action":"allow"`, `"allow"`},
		{`"errno":"EPERM"`, `"errno":"0"`, `"0"`},
		{`"op":"!="`, `"op":"<"`, `"<"`},
		{`"arg":0`, `"arg":6`, "6"},
		{`"by":"launch"`, `"by":"hope"`, `"hope"`},
		{`"env.scrubbed"`, `"env.scrubed"`, `"env.scrubed"`},
		{`"path":"/home/u/.ssh"`, `"path":"/home/u/../.ssh"`, "not absolute and clean"},
		{`"path":"/home/u/.ssh"`, `"path":"/"`, "root"},
		{`"path":"/home/u/.ssh","kind":"dir"`, `"path":"/home/u/.ssh","kind":"drr"`, `"drr"`},
		{`"name":"TMPDIR"`, `"name":"A=B"`, `"A=B"`},
		{`"cgroup":"/sys/fs/cgroup/user"`, `"cgroup":""`, `cgroup ""`},
		{`"cgroup":"/sys/fs/cgroup/user"`, `"cgroup":"user"`, "not absolute"},
		{`"memory":4294967296`, `"memory":0`, `cgroup "/sys/fs/cgroup/user"`},
		{`"processes":512`, `"processes":0`, `processes 0 with processes_by "rlimit"`},
		{`{"step":"privileges"},`, `{"step":"privileges"},{"step":"privileges"},`, "once"},
		{`{"step":"read-only-root"},`, `{"step":"privileges"},{"step":"read-only-root"},`, "too late"},
	} {
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

func FuzzDecode(f *testing.F) {
	whole, err := Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	darwin, err := Encode(darwinSample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(darwin)
	windows, err := Encode(windowsSample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(windows)
	wrapped, err := Encode(wrapSample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wrapped)
	f.Add([]byte(`{"format":1,"backend":"x","os":"linux","arch":"arm64","claims":{},"steps":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Decode(text)
		if err != nil {
			var d *diag.Diagnostic
			if !errors.As(err, &d) {
				t.Fatalf("%v is no diagnostic", err)
			}
			return
		}
		one, err := Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(one)
		if err != nil {
			t.Fatalf("%v: %s", err, one)
		}
		two, err := Encode(again)
		if err != nil || !bytes.Equal(one, two) {
			t.Fatalf("%v: %s became %s", err, one, two)
		}
		if err := p.Explain(&bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
	})
}
