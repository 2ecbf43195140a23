// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// trier counts trials.
type trier struct {
	count int
	err   error
}

func (tr *trier) try(p *plan.Plan) error {
	tr.count++
	if len(p.Steps) < 10 {
		return fmt.Errorf("the trial has %d steps only", len(p.Steps))
	}
	return tr.err
}

func facts(t *testing.T, o Options) Facts {
	t.Helper()
	f, err := probe(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestProbe(t *testing.T) {
	t.Parallel()
	tr := &trier{}
	r, err := New(Options{Try: tr.try}).Probe(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	f, err := DecodeFacts(r.Facts)
	if err != nil {
		t.Fatal(err)
	}
	if f.Landlock == 0 {
		t.Skip("SKIP: this kernel has no Landlock, the backend is not usable here")
	}
	if !r.Usable || tr.count != 1 || f.UID != os.Geteuid() || f.Memory < 1<<20 || f.Kernel == "" || f.Nested {
		t.Errorf("usable: %v, trials: %d, facts: %+v", r.Usable, tr.count, f)
	}
	m, err := parseMounts(f.Mounts)
	if err != nil || m.at("/") == nil || m.at("/proc/self").fstype != "proc" {
		t.Errorf("mounts: %v\n%q", err, f.Mounts)
	}
	for _, u := range r.Unmet {
		if _, offered := r.Offers[u.ID]; offered || u.Reason == "" {
			t.Errorf("unmet: %+v", u)
		}
	}
	if len(r.Offers)+len(r.Unmet) != len(guarantee.All()) {
		t.Errorf("%d offered and %d unmet", len(r.Offers), len(r.Unmet))
	}
}

func TestTrialIsRemembered(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state", "caisson")
	tr := &trier{}
	o := Options{Try: tr.try, StateDir: state}
	if facts(t, o).Landlock == 0 {
		t.Skip("SKIP: this kernel has no Landlock, no trial is made here")
	}
	for range 3 {
		if !facts(t, o).Trial.OK {
			t.Error("the trial has failed")
		}
	}
	if tr.count != 1 {
		t.Errorf("%d trials, want 1", tr.count)
	}
	if names := list(state); !slices.Equal(names, []string{"trial"}) {
		t.Errorf("the state directory holds %q", names)
	}
	for name, spoil := range map[string]func(file string) error{
		"readable by others": func(file string) error { return os.Chmod(file, 0o644) },
		"other content":      func(file string) error { return os.WriteFile(file, []byte("1\n"), 0o600) },
		"longer content": func(file string) error {
			text, err := os.ReadFile(file)
			return errors.Join(err, os.WriteFile(file, append(text, '\n'), 0o600))
		},
		"a link": func(file string) error { return errors.Join(os.Rename(file, file+"2"), os.Symlink(file+"2", file)) },
		"a pipe": func(file string) error { return errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600)) },
		"gone":   os.Remove,
		"another owner": func(file string) error {
			if os.Geteuid() != 0 {
				return os.Remove(file) // only root can give files away
			}
			return os.Chown(file, 12345, 12345)
		},
	} {
		before := tr.count
		if err := spoil(filepath.Join(state, trialFile)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		facts(t, o)
		if tr.count != before+1 {
			t.Errorf("a file with %s: %d trials", name, tr.count-before)
		}
		if facts(t, o); tr.count != before+1 {
			t.Errorf("after a file with %s the next trial is not remembered", name)
		}
	}
}

// TestTrialAnew: who asks for it has the trial made though one is remembered,
// and a remembered one that fails now is forgotten.
func TestTrialAnew(t *testing.T) {
	t.Parallel()
	tr := &trier{}
	o := Options{Try: tr.try, StateDir: t.TempDir()}
	if facts(t, o).Landlock == 0 {
		t.Skip("SKIP: this kernel has no Landlock, no trial is made here")
	}
	anew := o
	anew.Anew = true
	if !facts(t, anew).Trial.OK || tr.count != 2 {
		t.Errorf("%d trials, want 2", tr.count)
	}
	if !facts(t, o).Trial.OK || tr.count != 2 {
		t.Errorf("%d trials, want 2: the last one is remembered", tr.count)
	}
	tr.err = syscall.EPERM
	if facts(t, anew).Trial.OK || facts(t, o).Trial.OK || tr.count != 4 {
		t.Errorf("%d trials, want 4: the failed one is not remembered, nor that before", tr.count)
	}
}

// TestConfinement: what is mounted over /proc, and nothing else of the mounts,
// tells one confinement from another.
func TestConfinement(t *testing.T) {
	t.Parallel()
	of := func(lines ...string) string {
		f := Facts{Mounts: lines}
		return strings.Join(f.confinement(), "\n")
	}
	whole := of("1 2 0:9 / /proc rw - proc proc")
	if masked := of("1 2 0:9 / /proc rw - proc proc", "3 1 0:5 /null /proc/keys ro - tmpfs tmpfs"); masked == whole {
		t.Error("a masked /proc is not told from a whole one")
	}
	if other := of("5 9 0:11 / /proc rw - proc proc", "3 5 8:1 / /home rw - ext4 /dev/sda"); other != whole {
		t.Errorf("%q, want %q", other, whole)
	}
}

func TestFailureIsNotRemembered(t *testing.T) {
	t.Parallel()
	tr := &trier{err: fmt.Errorf("make it: %w", stepFailure{syscall.EPERM})}
	o := Options{Try: tr.try, StateDir: t.TempDir()}
	f := facts(t, o)
	if f.Landlock == 0 {
		t.Skip("SKIP: this kernel has no Landlock, no trial is made here")
	}
	facts(t, o)
	want := Trial{Step: "proc", Entry: "mount the new /proc", Errno: "EPERM", Message: "make it: failed"}
	if tr.count != 2 || f.Trial != want || f.Hints == nil || f.obstacle() == nil {
		t.Errorf("%d trials, %+v, hints %+v", tr.count, f.Trial, f.Hints)
	}
	if f := facts(t, Options{}); f.Trial.OK {
		t.Error("a trial that nobody could make has succeeded")
	}
}

// stepFailure is an error as the launcher's.
type stepFailure struct{ errno syscall.Errno }

func (stepFailure) Error() string            { return "failed" }
func (e stepFailure) Unwrap() error          { return e.errno }
func (stepFailure) At() (step, entry string) { return "proc", "mount the new /proc" }

func TestProbeStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	tr := &trier{}
	if landlockABI() == 0 {
		t.Skip("SKIP: this kernel has no Landlock, no trial is made here")
	}
	if _, err := probe(ctx, Options{Try: tr.try}); !errors.Is(err, context.Canceled) || tr.count != 0 {
		t.Errorf("%v, %d trials", err, tr.count)
	}
}

func TestNestedIsToldByMounts(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"1 2 0:9 /1 /dev ro - tmpfs caisson":    true,
		"1 2 0:9 / /dev rw - devtmpfs caisson":  false,
		"1 2 0:9 / /dev rw - tmpfs tmpfs":       false,
		"1 2 0:9 / /tmp rw - tmpfs caisson":     false,
		"1 2 0:9 / /dev/shm rw - tmpfs caisson": false,
	} {
		m, err := parseMount(line)
		if err != nil || nested(m) != want {
			t.Errorf("%q: %v, %v", line, nested(m), err)
		}
	}
}

// BenchmarkProbe measures what a launch pays for looking at the host.
func BenchmarkProbe(b *testing.B) {
	o := Options{Try: (&trier{}).try, StateDir: b.TempDir()}
	for b.Loop() {
		if _, err := probe(context.Background(), o); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompile measures the plan of a checkout.
func BenchmarkCompile(b *testing.B) {
	f := userFacts()
	r := resolved(b, nil, checkout("/home/u/ws")...)
	for b.Loop() {
		compiled(b, f, r)
	}
}
