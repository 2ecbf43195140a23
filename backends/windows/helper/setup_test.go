// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
)

var update = flag.Bool("update", false, "write the golden files")

const testHash = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func request() Request {
	r := Request{Version: Version, Passwords: map[string]string{}, Setup: Options{
		Install: "a1b2c3d", Owner: "S-1-5-21-1-2-3-1000", Offline: 2, Online: 1, Proxy: 2, Dir: `C:\ProgramData\caisson\a1b2c3d`,
		Program: `C:\x\helper.exe`, Hash: testHash, Reads: []string{`C:\Users\me\src`, `C:\Users\me\go`},
	}}
	for _, n := range r.Setup.AccountNames() {
		r.Passwords[n] = strings.Repeat("p", 31) + n
	}
	r.Digest = Digest(r.Setup.Changes())
	return r
}

// unnumbered takes the numbers of accounts out of a state: one that was made
// twice has another SID.
func unnumbered(state string) string {
	return regexp.MustCompile(`S-1-5-21-1-2-3-11\d\d`).ReplaceAllString(state, "SID")
}

func TestSetupList(t *testing.T) {
	t.Parallel()
	got := strings.Join(Describe(request().Setup.Changes()), "\n") + "\n"
	file := filepath.Join("testdata", "setup.golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s:\n%s", file, got)
	}
	largest := request().Setup
	largest.Offline, largest.Online, largest.Proxy = most, most, most
	for _, n := range largest.AccountNames() {
		if len(n) > 20 {
			t.Errorf("%s is longer than an account's name may be", n)
		}
	}
}

func TestSetup(t *testing.T) {
	t.Parallel()
	f := newFakeSystem()
	before := f.state()
	var said []string
	if err := Setup(f, request(), func(s string) { said = append(said, s) }); err != nil {
		t.Fatal(err)
	}
	if want := Describe(request().Setup.Changes()); !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
	for n, a := range f.accounts {
		if n != "me" && (a.Disabled || len(a.rights) != 4 || !a.hidden || a.password != request().Passwords[n]) {
			t.Errorf("%s is %+v", n, a)
		}
	}
	if len(f.filters) != 4 {
		t.Errorf("filters for %d accounts, want the 2 offline ones and the 2 of the proxy", len(f.filters))
	}
	// An account is enabled after every filter stands.
	first := slices.IndexFunc(f.calls, func(c string) bool { return strings.HasSuffix(c, " true") && strings.HasPrefix(c, "enable-account") })
	last := 0
	for i, c := range f.calls {
		if strings.HasPrefix(c, "add-filters") {
			last = i
		}
	}
	if first < last {
		t.Error("an account was enabled before the filters of all stood")
	}
	// A second setup changes nothing but the lists of directories.
	made := f.state()
	f.reboot()
	if err := Setup(f, request(), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range f.calls {
		if !strings.HasPrefix(c, "make-dir") && c != "log" {
			t.Errorf("the second setup does %s", c)
		}
	}
	if f.state() != made {
		t.Errorf("the second setup changed the machine:\n%s\n%s", made, f.state())
	}
	for _, a := range f.accounts {
		a.running, a.profile = 2, a.Comment != ""
	}
	f.accounts["me"].running = 0
	if err := Teardown(f, request().Setup, nil); err != nil {
		t.Fatal(err)
	}
	if after := f.state(); after != before {
		t.Errorf("left after teardown:\n%s\nbefore setup:\n%s", after, before)
	}
	if len(f.logs) > 0 {
		t.Error("the log is left")
	}
	if err := Teardown(f, request().Setup, nil); err != nil {
		t.Errorf("a second teardown: %v", err)
	}
}

// TestSetupCrashes crashes setup at every call, before and after it takes
// effect; then setup is run again, or torn down.
func TestSetupCrashes(t *testing.T) {
	t.Parallel()
	whole := newFakeSystem()
	before := whole.state()
	if err := Setup(whole, request(), nil); err != nil {
		t.Fatal(err)
	}
	calls := len(whole.calls)
	if calls < 60 {
		t.Fatalf("only %d calls", calls)
	}
	for at := 1; at <= calls; at++ {
		for _, after := range []bool{false, true} {
			crash := func() *fakeSystem {
				f := newFakeSystem()
				f.crashAt, f.after = at, after
				if err := Setup(f, request(), nil); !errors.Is(err, errCrash) {
					t.Fatalf("crash at %d: %v", at, err)
				}
				for _, a := range f.accounts {
					if a.Comment != "" && !a.Disabled && len(f.filters) < 4 {
						t.Errorf("crash at %d: an account is enabled without filters", at)
					}
				}
				f.reboot()
				return f
			}
			f := crash()
			if err := Setup(f, request(), nil); err != nil {
				t.Errorf("setup after a crash at %d (%t): %v", at, after, err)
			}
			if got, want := unnumbered(f.state()), unnumbered(whole.state()); got != want {
				t.Errorf("setup after a crash at %d (%t) made\n%s\nwant\n%s", at, after, got, want)
			}
			if err := Teardown(f, request().Setup, nil); err != nil || f.state() != before {
				t.Errorf("teardown of a repaired setup, crash at %d (%t): %v\n%s", at, after, err, f.state())
			}
			f = crash()
			if err := Teardown(f, request().Setup, nil); err != nil {
				t.Errorf("teardown after a crash at %d (%t): %v", at, after, err)
			}
			if got := f.state(); got != before {
				t.Errorf("teardown after a crash at %d (%t) left\n%s", at, after, got)
			}
		}
	}
}

// TestTeardownCrashes crashes teardown at every call; the next one finishes it.
func TestTeardownCrashes(t *testing.T) {
	t.Parallel()
	before := newFakeSystem().state()
	made := func() *fakeSystem {
		f := newFakeSystem()
		if err := Setup(f, request(), nil); err != nil {
			t.Fatal(err)
		}
		f.reboot()
		return f
	}
	whole := made()
	if err := Teardown(whole, request().Setup, nil); err != nil {
		t.Fatal(err)
	}
	for at := 1; at <= len(whole.calls); at++ {
		for _, after := range []bool{false, true} {
			f := made()
			f.crashAt, f.after = at, after
			if err := Teardown(f, request().Setup, nil); !errors.Is(err, errCrash) {
				t.Fatalf("crash at %d: %v", at, err)
			}
			f.reboot()
			if err := Teardown(f, request().Setup, nil); err != nil || f.state() != before {
				t.Errorf("teardown after a crash at %d (%t): %v\n%s", at, after, err, f.state())
			}
		}
	}
}

// TestSetupDoesNotTake has one kind of call do nothing in silence: no account
// is ever enabled then.
func TestSetupDoesNotTake(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"add-filters", "add-rights", "add-member", "add-ace " + `C:\Users\me\src`, "copy"} {
		f := newFakeSystem()
		f.broken = call
		err := Setup(f, request(), nil)
		var d *diag.Diagnostic
		if !errors.As(err, &d) {
			t.Errorf("%s does nothing: %v", call, err)
		}
		for n, a := range f.accounts {
			if n != "me" && !a.Disabled {
				t.Errorf("%s does nothing, and %s is enabled", call, n)
			}
		}
	}
}

// TestDrift changes what setup made; status says so and the next setup mends it.
func TestDrift(t *testing.T) {
	t.Parallel()
	const off0, on0, px0 = "caisson-a1b2c3d-off0", "caisson-a1b2c3d-on0", "caisson-a1b2c3d-px0"
	onPort := func(f *fakeSystem) *Filter {
		return &f.filters[px0][slices.IndexFunc(f.filters[px0], func(h Filter) bool { return len(h.If) > 0 && strings.HasPrefix(h.If[0], "rport") })]
	}
	for name, change := range map[string]func(f *fakeSystem){
		"filters are gone":         func(f *fakeSystem) { delete(f.filters, off0) },
		"one filter is gone":       func(f *fakeSystem) { f.filters[off0] = f.filters[off0][1:] },
		"a filter permits":         func(f *fakeSystem) { f.filters[off0][0].Block = false },
		"filters of another user":  func(f *fakeSystem) { f.filters[off0][0].SID = "S-1-5-21-1-2-3-9" },
		"a filter of the port":     func(f *fakeSystem) { *onPort(f) = f.filters[off0][0] },
		"another port is left":     func(f *fakeSystem) { onPort(f).If = []string{"rport!=22"} },
		"any port is left":         func(f *fakeSystem) { onPort(f).If = []string{"rport=22"} },
		"the proxy has offline's":  func(f *fakeSystem) { f.filters[px0] = f.filters[off0] },
		"an account is disabled":   func(f *fakeSystem) { f.accounts[on0].Disabled = true },
		"an account is locked out": func(f *fakeSystem) { f.accounts[off0].Locked = true },
		"a right is gone":          func(f *fakeSystem) { f.accounts[off0].rights = f.accounts[off0].rights[1:] },
		"a member left":            func(f *fakeSystem) { f.groups["caisson-a1b2c3d"].members = nil },
		"the helper was replaced":  func(f *fakeSystem) { f.files[`C:\ProgramData\caisson\a1b2c3d\bin\caisson-winhelper.exe`] = "x" },
		"a grant is gone":          func(f *fakeSystem) { f.lists[`C:\Users\me\src`] = nil },
		"an account is gone":       func(f *fakeSystem) { _ = f.DeleteAccount(off0); delete(f.filters, off0) },
	} {
		f := newFakeSystem()
		if err := Setup(f, request(), nil); err != nil {
			t.Fatal(err)
		}
		if s, err := Status(f, request().Setup); err != nil || s.State != "ready" {
			t.Errorf("%s: before: %+v, %v", name, s, err)
		}
		want := unnumbered(f.state())
		change(f)
		if s, err := Status(f, request().Setup); err != nil || s.State != "broken" || s.Detail == "" {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if err := Setup(f, request(), nil); err != nil {
			t.Errorf("%s: repair: %v", name, err)
		}
		if name == "a grant is gone" {
			want = strings.Replace(want, `list C:\Users\me\src ["(A;OICI;FA;;;me)" `, `list C:\Users\me\src [`, 1)
		}
		if got := unnumbered(f.state()); got != want {
			t.Errorf("%s: after repair\n%s\nwant\n%s", name, got, want)
		}
	}
}

// TestForeign: what has our names and is not ours is neither taken nor removed.
func TestForeign(t *testing.T) {
	t.Parallel()
	f := newFakeSystem()
	f.accounts["caisson-a1b2c3d-off1"] = &fakeAccount{Account: Account{SID: "S-1-5-21-1-2-3-1050", Comment: "mine"}}
	before := f.state()
	if err := Setup(f, request(), nil); err == nil {
		t.Error("an account of somebody else was taken")
	}
	if err := Teardown(f, request().Setup, nil); err != nil || f.state() != before {
		t.Errorf("%v\n%s", err, f.state())
	}
	f = newFakeSystem()
	if err := Setup(f, request(), nil); err != nil {
		t.Fatal(err)
	}
	// Somebody deletes an account and makes one of the same name.
	f.accounts["caisson-a1b2c3d-off0"].SID = "S-1-5-21-1-2-3-1051"
	if err := Teardown(f, request().Setup, nil); err != nil {
		t.Error(err)
	}
	if f.accounts["caisson-a1b2c3d-off0"] == nil {
		t.Error("an account of the same name and another SID was removed")
	}
}

func TestStatusOfNothing(t *testing.T) {
	t.Parallel()
	f := newFakeSystem()
	if s, err := Status(f, request().Setup); err != nil || s.State != "none" {
		t.Errorf("%+v, %v", s, err)
	}
	f.crashAt = 20
	_ = Setup(f, request(), nil)
	f.reboot()
	if s, err := Status(f, request().Setup); err != nil || s.State != "partial" {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestRequestRefuses changes each part of a request; the digest alone would not
// help who changes both.
func TestRequestRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(r *Request){
		"version":            func(r *Request) { r.Version = 2 },
		"install":            func(r *Request) { r.Setup.Install = `..\..\x` },
		"owner":              func(r *Request) { r.Setup.Owner = "S-1-1-0" },
		"no account":         func(r *Request) { r.Setup.Offline = 0 },
		"many accounts":      func(r *Request) { r.Setup.Online = 11 },
		"many of the proxy":  func(r *Request) { r.Setup.Proxy = 11 },
		"fewer than none":    func(r *Request) { r.Setup.Proxy = -1 },
		"relative directory": func(r *Request) { r.Setup.Dir = `x` },
		"a drive":            func(r *Request) { r.Setup.Reads = []string{`C:\`} },
		"a share":            func(r *Request) { r.Setup.Reads = []string{`\\s\x\y`} },
		"a device":           func(r *Request) { r.Setup.Reads = []string{`\\.\C:\x`} },
		"a stream":           func(r *Request) { r.Setup.Reads = []string{`C:\x:y`} },
		"dots":               func(r *Request) { r.Setup.Reads = []string{`C:\x\..\y`} },
		"twice":              func(r *Request) { r.Setup.Reads = []string{`C:\x`, `c:\X`} },
		"hash":               func(r *Request) { r.Setup.Hash = "0" },
		"no password":        func(r *Request) { delete(r.Passwords, "caisson-a1b2c3d-on0") },
		"short password":     func(r *Request) { r.Passwords["caisson-a1b2c3d-on0"] = "x" },
		"one password more":  func(r *Request) { r.Passwords["me"] = strings.Repeat("x", 40) },
	} {
		r := request()
		change(&r)
		r.Digest = Digest(r.Setup.Changes())
		f := newFakeSystem()
		before := f.state()
		if err := Setup(f, r, nil); err == nil || f.state() != before || len(f.calls) > 0 {
			t.Errorf("%s: %v after %q", name, err, f.calls)
		}
	}
	r := request()
	r.Setup.Reads = append(r.Setup.Reads, `C:\Windows`)
	if err := r.Check(); err == nil || !strings.Contains(err.Error(), "agreed") {
		t.Errorf("another list than the one that was shown: %v", err)
	}
}

// TestPlaces: what the elevated part may touch is the install's and the owner's.
func TestPlaces(t *testing.T) {
	t.Parallel()
	const shared, home = `C:\ProgramData\caisson`, `C:\Users\me`
	if err := request().Setup.CheckPlaces(shared, home); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(o *Options){
		"a directory of the system":   func(o *Options) { o.Dir = `C:\Windows\System32` },
		"that of another install":     func(o *Options) { o.Dir = shared + `\0000000` },
		"the one of all installs":     func(o *Options) { o.Dir = shared },
		"the home of another user":    func(o *Options) { o.Reads = []string{`C:\Users\you\src`} },
		"a name that begins the same": func(o *Options) { o.Reads = []string{`C:\Users\me2`} },
		"the whole home":              func(o *Options) { o.Reads = []string{`c:\users\ME`} },
	} {
		o := request().Setup
		change(&o)
		if err := o.CheckPlaces(shared, home); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzDecodeRequest(f *testing.F) {
	text, err := json.Marshal(request())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := DecodeRequest(text)
		if err != nil || r.Check() != nil {
			return
		}
		for _, c := range r.Setup.Changes() {
			if strings.Contains(c.String(), "unknown") {
				t.Fatalf("%+v", c)
			}
		}
	})
}
