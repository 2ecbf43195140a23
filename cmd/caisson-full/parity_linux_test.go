// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/backends/linux"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/launch"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
	"github.com/caisson-sandbox/caisson/plugins/host"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// served starts the Linux backend as a plugin.
func served(t *testing.T) *host.Plugin {
	t.Helper()
	file, err := exec.LookPath("caisson-backend-linux")
	if err != nil {
		t.Fatal(err)
	}
	r := registry.Registry{StateDir: t.TempDir()}
	found, err := r.At(file)
	if err == nil {
		found, err = r.Trust(found, nil, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := host.Start(t.Context(), found, host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// parityWorkspace makes a workspace with things to protect, hide and use.
func parityWorkspace(t *testing.T) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(home, ".caisson-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{"ws/.git/hooks", "ws/.vscode", "ws/sub", "hidden/shown", "more"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func policies(dir string) map[string]func(*policy.Policy) {
	in := func(name string) []string { return []string{filepath.Join(dir, name)} }
	return map[string]func(*policy.Policy){
		"standard":  func(*policy.Policy) {},
		"read-only": func(p *policy.Policy) { p.Extends = "read-only" },
		"online":    func(p *policy.Policy) { p.Network.Mode = policy.Online },
		"write":     func(p *policy.Policy) { p.Files.Write = in("more") },
		"hide":      func(p *policy.Policy) { p.Files.Hide, p.Files.Show = in("hidden"), in("hidden/shown") },
		"protect":   func(p *policy.Policy) { p.Files.Protect = in("ws/sub") },
		"unprotect": func(p *policy.Policy) { p.Files.Unprotect = in("ws/.vscode") },
		"tmp":       func(p *policy.Policy) { p.Tmp = filepath.Join(dir, "more") },
		"env":       func(p *policy.Policy) { p.Env.Set = map[string]string{"TMPDIR": "/x", "A": "b"} },
		"no caches": func(p *policy.Policy) { p.Caches.Mode = "off" },
		"limits":    func(p *policy.Policy) { p.Limits.Time, p.Limits.Processes = time.Minute, 64 },
	}
}

// TestParity: the Linux backend says the same in this process and as a plugin,
// and what its plans say passes the judgement of the host.
func TestParity(t *testing.T) {
	local := linux.New(linux.Options{Try: launch.Try})
	remote := served(t)
	want, got := local.Info(), remote.Info()
	if want.Rank = got.Rank; !cmp.Equal(want, got) {
		t.Error(cmp.Diff(want, got))
	}
	here, err := local.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there, err := remote.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(here.Facts, there.Facts) || !cmp.Equal(here, there) {
		t.Errorf("reports differ: %s", cmp.Diff(here, there))
	}
	dir := parityWorkspace(t)
	for name, change := range policies(dir) {
		p := policy.Standard(filepath.Join(dir, "ws"))
		change(&p)
		r, _, err := p.Resolve(policy.OSHost())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// The plugin gets the facts of its own report, so that Prepare is asked
		// as it is in use.
		one, err := local.Prepare(t.Context(), backend.Request{Policy: r, Facts: here.Facts})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		two, err := remote.Prepare(t.Context(), backend.Request{Policy: r, Facts: there.Facts})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a, err := plan.Encode(one)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := plan.Encode(two); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: plans differ (%v):\n%s", name, err, cmp.Diff(one, two))
		}
	}
	// A policy that it refuses, it refuses in the same words.
	p := policy.Standard(filepath.Join(dir, "ws"))
	p.Network.Loopback, p.Network.Publish = []int{3000}, []int{3000}
	r, _, err := p.Resolve(policy.OSHost())
	if err != nil {
		t.Fatal(err)
	}
	_, one := local.Prepare(t.Context(), backend.Request{Policy: r, Facts: here.Facts})
	_, two := remote.Prepare(t.Context(), backend.Request{Policy: r, Facts: there.Facts})
	if one == nil || two == nil || one.Error() != two.Error() {
		t.Errorf("refusals %q and %q", one, two)
	}
}

// TestParityOfResults: the same commands end in the same way, in sandboxes that
// both made.
func TestParityOfResults(t *testing.T) {
	if exec.Command("caisson", "doctor").Run() != nil {
		t.Skip("this host cannot uphold the standard contract")
	}
	dir := parityWorkspace(t)
	outcome := func(b backend.Backend) (list []string) {
		p := policy.Standard(filepath.Join(dir, "ws"))
		sb, err := sandbox.Open(t.Context(), p, &sandbox.Options{Backends: []backend.Backend{b}})
		if err != nil {
			t.Fatal(err)
		}
		defer sb.Close()
		for _, script := range []string{
			"echo $((6*7)); exit 3", "cat /etc/shadow", "touch ../outside", "echo x > .git/hooks/x", "touch made && ls; rm made",
			"kill -TERM $$", "env | grep -E '^(TMPDIR|CAISSON)='", "test $(ls /proc | grep -c '^[0-9]*$') -lt 10", "sleep 60 >/dev/null 2>&1 & exit 4",
		} {
			cmd := sb.Command(t.Context(), "sh", "-c", script)
			cmd.Dir = filepath.Join(dir, "ws")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			err := cmd.Run()
			if _, ok := errors.AsType[*sandbox.ExitError](err); err != nil && !ok {
				t.Fatalf("%s: %v", script, err)
			}
			r := cmd.Result()
			list = append(list, cmp.Diff("", out.String())+cmp.Diff(0, r.Code)+r.Signal.String())
		}
		return append(list, cmp.Diff(nil, sb.Claims()))
	}
	one := outcome(linux.New(linux.Options{Try: launch.Try}))
	two := outcome(served(t))
	if !cmp.Equal(one, two) {
		t.Error(cmp.Diff(one, two))
	}
}
