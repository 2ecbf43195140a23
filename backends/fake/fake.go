// SPDX-License-Identifier: Apache-2.0

// Package fake is for tests of what stands around backends; no program links
// it.
//
// Backend answers what it was told to and confines nothing. Monitor confines
// without any kernel: it decides about acts by a policy, on every system, and
// has a switch for each way in which a sandbox was ever found to be wrong. The
// conformance suite is tested with it.
package fake

import (
	"context"
	"slices"
	"sync"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Backend answers with its fields. Set them before it is used. The zero value
// has no name, is not usable and makes no plan.
type Backend struct {
	Answer    backend.Info
	Report    backend.Report
	ProbeErr  error
	Plan      *plan.Plan
	PlanError error

	mu       sync.Mutex
	requests []backend.Request
}

// Info returns Answer.
func (b *Backend) Info() backend.Info { return b.Answer }

// Probe returns Report and ProbeErr.
func (b *Backend) Probe(context.Context) (backend.Report, error) { return b.Report, b.ProbeErr }

// Prepare notes the request and returns Plan and PlanError.
func (b *Backend) Prepare(_ context.Context, r backend.Request) (*plan.Plan, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests = append(b.requests, r)
	return b.Plan, b.PlanError
}

// Requests returns the requests so far.
func (b *Backend) Requests() []backend.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requests)
}
