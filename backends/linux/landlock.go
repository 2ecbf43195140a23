// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"context"
	"fmt"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// LandlockName is the name of the backend without namespaces.
const LandlockName = "linux/landlock"

// NewLandlock returns the backend "linux/landlock". It confines commands by
// Landlock, a filter and the answers of a supervisor, where the host gives no
// namespaces, and so cannot hold everything.
func NewLandlock(o Options) backend.Backend { return &landlocked{options: o} }

type landlocked struct{ options Options }

func (*landlocked) Info() backend.Info {
	return backend.Info{Name: LandlockName, Version: "1", OS: []string{"linux"}, Rank: 50}
}

// Probe looks at the host, for linux/namespaces too: where that can be had it
// is the remedy for what this backend lacks.
func (l *landlocked) Probe(ctx context.Context) (backend.Report, error) {
	f, err := probeFence(ctx, l.options)
	if err != nil {
		return backend.Report{}, err
	}
	raw, err := f.MarshalJSON()
	if err != nil {
		return backend.Report{}, fmt.Errorf("write the facts of this host: %w", err)
	}
	return backend.Report{Usable: f.fenceObstacle() == nil, Offers: fenceOffers(f), Unmet: unoffered(f, fenceOffers(f), fenceUnmet), Facts: raw}, nil
}

// Prepare makes the plan. Where the host is not usable the plan is made all
// the same, to be looked at: it claims nothing and lists what is unmet.
func (l *landlocked) Prepare(_ context.Context, r backend.Request) (*plan.Plan, error) {
	f, err := DecodeFacts(r.Facts)
	if err != nil {
		return nil, err
	}
	if f.Fence == nil {
		f.Fence = &Fence{}
	}
	return compileFence(f, r.Policy)
}
