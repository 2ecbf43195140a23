// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/backends/fake"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// badBackend offers everything and has a fault in one of its methods.
type badBackend struct {
	probe   func(context.Context) (backend.Report, error)
	prepare func(context.Context, backend.Request) (*plan.Plan, error)
}

func (badBackend) Info() backend.Info {
	return backend.Info{Name: "bad/backend", Version: "1", OS: []string{runtime.GOOS}, Rank: 100}
}

func everything() guarantee.Set {
	set := guarantee.Set{}
	for _, i := range guarantee.All() {
		set[i.ID] = guarantee.Claim{By: guarantee.ByKernel}
	}
	return set
}

func (b badBackend) Probe(ctx context.Context) (backend.Report, error) {
	if b.probe != nil {
		return b.probe(ctx)
	}
	return backend.Report{Usable: true, Offers: everything(), Facts: json.RawMessage("{}")}, nil
}

func (b badBackend) Prepare(ctx context.Context, r backend.Request) (*plan.Plan, error) {
	return b.prepare(ctx, r)
}

// TestBadBackends wants a clear verdict for every case from backends that do
// not work, in a bounded time.
func TestBadBackends(t *testing.T) {
	t.Parallel()
	never := make(chan struct{}) // not even the end of its context ends it
	t.Cleanup(func() { close(never) })
	prepare := func(p *plan.Plan) func(context.Context, backend.Request) (*plan.Plan, error) {
		return func(context.Context, backend.Request) (*plan.Plan, error) { return p, nil }
	}
	for _, one := range []struct {
		name string
		b    backend.Backend
		why  string
	}{
		{"hangs in Prepare", badBackend{prepare: func(context.Context, backend.Request) (*plan.Plan, error) { <-never; return nil, nil }}, "hung"},
		{"hangs in Probe", badBackend{probe: func(context.Context) (backend.Report, error) { <-never; return backend.Report{}, nil }}, "did not say"},
		{"panics in Prepare", badBackend{prepare: func(context.Context, backend.Request) (*plan.Plan, error) { panic("a bug of mine") }}, "a bug of mine"},
		{"panics in Probe", badBackend{probe: func(context.Context) (backend.Report, error) { panic("a bug of mine") }}, "a bug of mine"},
		{"has no plan", badBackend{prepare: prepare(nil)}, "plan"},
		{"has an empty plan", badBackend{prepare: prepare(&plan.Plan{})}, "format"},
		{"has a plan for another system", badBackend{prepare: prepare(&plan.Plan{Format: plan.Format, Backend: "bad/backend", OS: "plan9", Arch: runtime.GOARCH})}, "plan9"},
		{"has a plan that does nothing", badBackend{prepare: prepare(&plan.Plan{Format: plan.Format, Backend: "bad/backend", OS: runtime.GOOS, Arch: runtime.GOARCH, Claims: everything()})}, "the helper does not run inside"},
		{"cannot be used here", &fake.Backend{Answer: backend.Info{Name: "fake", OS: []string{runtime.GOOS}},
			Report: backend.Report{Unmet: []plan.Unmet{{ID: guarantee.WriteConfined, Reason: "the moon is not full"}}}}, "the moon is not full"},
		{"cannot look at the host", badBackend{probe: func(context.Context) (backend.Report, error) { return backend.Report{}, os.ErrPermission }}, "permission denied"},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			rep, err := Run(t.Context(), Config{Target: Backend(one.b), CaseTimeout: 2 * time.Second, Timeout: 30 * time.Second, Match: "^(write|read)-0"})
			if err != nil {
				t.Fatal(err)
			}
			if rep.Conformant || len(rep.Results) == 0 {
				t.Errorf("conformant: %v, %d results", rep.Conformant, len(rep.Results))
			}
			for _, r := range rep.Results {
				if r.Verdict != Error || !strings.Contains(r.Why, one.why) {
					t.Errorf("%s is %s instead of an error about %q: %s", r.ID, r.Verdict, one.why, r.Why)
				}
			}
			t.Logf("%v: %s", time.Since(started), rep.Results[0].Why)
		})
	}
}

// TestOverClaim wants a target that claims what it does not keep to fail, one
// that leaves files behind among them, and the run to leave nothing itself.
func TestOverClaim(t *testing.T) {
	t.Parallel()
	for _, one := range []struct{ leak, match string }{
		{"residue.beside", "^residue-01$"},
		{"write.prefix", "^write-02$"},
		{"net.loopback", "^net-01$"},
	} {
		t.Run(one.leak, func(t *testing.T) {
			t.Parallel()
			target, err := newFakeTarget(one.leak)
			if err != nil {
				t.Fatal(err)
			}
			defer target.remove()
			work, err := workDir("") // the temporary directories are private inside
			if err != nil {
				t.Fatal(err)
			}
			defer removeAll(work)
			rep, err := Run(t.Context(), Config{Target: target, Match: one.match, Work: work})
			if err != nil {
				t.Fatal(err)
			}
			if len(rep.Results) != 1 || rep.Results[0].Verdict != Fail || rep.Results[0].Why == "" || rep.Conformant {
				t.Errorf("conformant %v, %+v", rep.Conformant, rep.Results)
			}
			if left, _ := filepath.Glob(filepath.Join(work, "caisson-*")); len(left) > 0 {
				t.Errorf("the run left %q", left)
			}
		})
	}
}

// modest claims less than it does.
type modest struct{ *fakeTarget }

func (m modest) Open(ctx context.Context, s Spec) (Sandbox, error) {
	sb, err := m.fakeTarget.Open(ctx, s)
	return modestSandbox{sb}, err
}

type modestSandbox struct{ Sandbox }

func (modestSandbox) Claims() guarantee.Set { return nil }

func (m modestSandbox) Resolved() *policy.Resolved { return m.Sandbox.(resolver).Resolved() }

// TestUnclaimed wants what is not claimed to be tried all the same, and told
// apart from what is promised.
func TestUnclaimed(t *testing.T) {
	t.Parallel()
	for leak, want := range map[string]Verdict{"write.prefix": NotHeld, "net.loopback": Held} {
		target, err := newFakeTarget(leak)
		if err != nil {
			t.Fatal(err)
		}
		defer target.remove()
		rep, err := Run(t.Context(), Config{Target: modest{target}, Match: "^write-02$"})
		if err != nil {
			t.Fatal(err)
		}
		if got := rep.Results[0]; got.Verdict != want {
			t.Errorf("with the leak %s: %s instead of %s: %s", leak, got.Verdict, want, got.Why)
		}
	}
}
