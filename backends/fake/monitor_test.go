// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// world is a workspace with something beside it.
type world struct{ ws, out, temp, dir string }

func newWorld(t *testing.T) world {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := world{filepath.Join(top, "ws"), filepath.Join(top, "ws-beside"), filepath.Join(top, "temp"), filepath.Join(top, "boxes", "b1")}
	for _, dir := range []string{filepath.Join(w.ws, "kept"), filepath.Join(w.out, "vault"), w.temp, w.dir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{filepath.Join(w.ws, "mine"), filepath.Join(w.ws, "kept", "rule"), filepath.Join(w.out, "file"), filepath.Join(w.out, "vault", "key")} {
		if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w world) monitor(t *testing.T, leaks ...string) *Monitor {
	t.Helper()
	p := policy.Standard(w.ws)
	p.Caches.Mode = "off"
	p.Files.Protect = []string{filepath.Join(w.ws, "kept"), filepath.Join(w.ws, "absent")}
	p.Files.Hide = []string{filepath.Join(w.out, "vault")}
	resolved, _, err := p.Resolve(policy.OSHost())
	if err != nil {
		t.Fatal(err)
	}
	// As in a process that gets the policy as text.
	text, err := json.Marshal(resolved)
	if err != nil {
		t.Fatal(err)
	}
	if resolved, err = policy.DecodeResolved(text); err != nil {
		t.Fatal(err)
	}
	m, err := NewMonitor(Config{Policy: resolved, Dir: w.dir, Temps: []string{w.temp}, Leaks: leaks})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMonitorDecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.monitor(t)
	mine, rule, file, key := filepath.Join(w.ws, "mine"), filepath.Join(w.ws, "kept", "rule"), filepath.Join(w.out, "file"), filepath.Join(w.out, "vault", "key")
	in := func(name string) string { return filepath.Join(w.ws, name) }
	if err := os.Symlink(file, in("leads-out")); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if err := os.Symlink(w.out, in("deep")); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		act  Act
		want guarantee.ID // what forbids it; "" is allowed
	}{
		{Act{Op: Read, Path: file}, ""},
		{Act{Op: Read, Path: rule}, ""},
		{Act{Op: Write, Path: mine}, ""},
		{Act{Op: Create, Path: in("new"), Num: 0o644}, ""},
		{Act{Op: Rename, Path: mine, To: in("other")}, ""},
		{Act{Op: Write, Path: filepath.Join(w.temp, "t")}, ""},
		{Act{Op: Write, Path: file}, guarantee.WriteConfined},
		{Act{Op: Write, Path: in("leads-out")}, guarantee.WriteConfined},
		{Act{Op: Write, Path: in("deep") + "/new"}, guarantee.WriteConfined},
		{Act{Op: Write, Path: w.ws + "/../ws-beside/file"}, guarantee.WriteConfined},
		{Act{Op: Write, Path: mine, Swap: file}, guarantee.WriteConfined},
		{Act{Op: Rename, Path: mine, To: filepath.Join(w.out, "m")}, guarantee.WriteConfined},
		{Act{Op: Link, Path: file, To: in("alias")}, guarantee.WriteConfined},
		{Act{Op: Times, Path: file}, guarantee.WriteConfined},
		{Act{Op: Write, Path: rule}, guarantee.WriteProtected},
		{Act{Op: Write, Path: in("absent")}, guarantee.WriteProtected},
		{Act{Op: Rename, Path: in("kept"), To: in("away")}, guarantee.WriteProtected},
		{Act{Op: Read, Path: key}, guarantee.ReadHidden},
		{Act{Op: Walk, Path: w.out}, guarantee.ReadHidden},
		{Act{Op: Mode, Path: mine, Num: int64(fs.ModeSetuid)}, guarantee.NoPrivs},
		{Act{Op: Connect, Net: "tcp4", Addr: "127.0.0.1:1"}, guarantee.NetOffline},
		{Act{Op: Connect, Net: "unix", Addr: in("s")}, guarantee.UnixConfined},
		{Act{Op: Signal, PID: 1}, guarantee.OutsideUntouchable},
		{Act{Op: Call, Name: "io_uring_setup"}, guarantee.KernelSurface},
	} {
		err := m.Check(one.act)
		var denied *Denied
		switch {
		case one.want == "" && err != nil:
			t.Errorf("%+v: %v", one.act, err)
		case one.want != "" && (!errors.As(err, &denied) || denied.Guarantee != one.want || !errors.Is(err, fs.ErrPermission)):
			t.Errorf("%+v: %v, and %s forbids it", one.act, err, one.want)
		}
	}
}

func TestMonitorTranslates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.monitor(t)
	a, err := m.Decide(Act{Op: Write, Path: filepath.Join(w.temp, "t")})
	if err != nil || !below(a.Path, w.dir) {
		t.Errorf("a temporary file lies at %s, %v", a.Path, err)
	}
	server, err := m.Decide(Act{Op: Listen, Net: "tcp4", Addr: "127.0.0.1:0"})
	if err != nil || server.Net != "unix" || !below(server.Addr, w.dir) {
		t.Fatalf("a server listens at %s %s, %v", server.Net, server.Addr, err)
	}
	if err := m.Serve(server.Addr); err != nil {
		t.Fatal(err)
	}
	if a, err = m.Decide(Act{Op: Connect, Net: "tcp4", Addr: server.Addr}); err != nil || a.Net != "unix" {
		t.Errorf("the sandbox's own server: %+v, %v", a, err)
	}
	if err := m.Enter(123456, 1, 123456); err != nil {
		t.Fatal(err)
	}
	if err := m.Check(Act{Op: Signal, PID: 123456}); err != nil {
		t.Errorf("the sandbox's own process: %v", err)
	}
}

func TestLeaks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := map[string]bool{}
	form := regexp.MustCompile(`^[a-z]+\.[a-z0-9-]+$`)
	negative := 0
	for _, l := range Leaks() {
		if seen[l.Name] || !form.MatchString(l.Name) || l.What == "" || l.Guarantee != "" && !guarantee.Known(l.Guarantee) {
			t.Errorf("%+v", l)
		}
		seen[l.Name] = true
		if l.Guarantee != "" {
			negative++
		}
	}
	if negative < 40 {
		t.Errorf("%d leaks", negative)
	}
	if _, err := NewMonitor(Config{Policy: w.monitor(t).Policy, Dir: w.dir, Leaks: []string{"write.nothing-such"}}); err == nil {
		t.Error("an unknown leak is taken")
	}
	file := filepath.Join(w.out, "file")
	if err := w.monitor(t, "write.truncate").Check(Act{Op: Truncate, Path: file}); err != nil {
		t.Errorf("the leak is shut: %v", err)
	}
	if err := w.monitor(t, "write.truncate").Check(Act{Op: Write, Path: file}); err == nil {
		t.Error("the leak leaks more than it says")
	}
	if err := w.monitor(t, "duty.renames").Check(Act{Op: Rename, Path: filepath.Join(w.ws, "mine"), To: filepath.Join(w.ws, "m")}); err == nil {
		t.Error("a leak of a duty is not in the way")
	}
}
