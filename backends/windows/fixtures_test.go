// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"context"
	"encoding/json"
	"flag"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/policy/recorded"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	home      = `C:\Users\me`
	workspace = home + `\src\app`
)

// resolve resolves a policy on the typical machine.
func resolve(t testing.TB, h *recorded.Host, change func(*policy.Policy)) *policy.Resolved {
	t.Helper()
	p := policy.Standard(workspace)
	if change != nil {
		change(&p)
	}
	r, _, err := p.Resolve(h)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// prepared makes a plan by the way that every caller goes, facts in JSON.
func prepared(t testing.TB, name string, f Facts, r *policy.Resolved) *plan.Plan {
	t.Helper()
	p, err := prepare(t, name, f, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return p
}

func prepare(t testing.TB, name string, f Facts, r *policy.Resolved) (*plan.Plan, error) {
	t.Helper()
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range New(Options{}) {
		if b.Info().Name == name {
			return b.Prepare(context.Background(), backend.Request{Policy: r, Facts: raw})
		}
	}
	t.Fatalf("there is no backend %s", name)
	return nil, nil
}

// world is the machine of the facts with what the policy names, before a plan
// is applied.
func world(t testing.TB, f Facts, r *policy.Resolved, p *plan.Plan) *access.Volume {
	t.Helper()
	v, err := f.volume()
	if err != nil {
		t.Fatal(err)
	}
	if err := populate(v, r, p.Windows); err != nil {
		t.Fatal(err)
	}
	v.Settle()
	return v
}
