// SPDX-License-Identifier: Apache-2.0

// Package seatbelt is the backend "darwin/seatbelt": a profile for
// sandbox-exec(1), the sandbox of macOS.
//
// It has the parts of every backend. The probe (probe_darwin.go) writes down
// Facts; the compiler (compile.go, with the profile from generate.go and the
// files that it names) turns facts and a resolved policy into a plan, on any
// system. internal/sbpl prints profiles; internal/sbpleval, which shares
// nothing with it, says what a profile allows, and is what the tests judge by.
//
// What the tests show is MODELLED: no part of this was run on macOS by its
// authors. docs/macos.md says what that means and how a Mac settles it.
package seatbelt

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Name is the name of the backend.
const Name = "darwin/seatbelt"

// Options are what the backend needs from outside.
type Options struct {
	// Try makes the sandbox of a plan, proves that its profile is in force, and
	// removes it. Without Try the backend is not usable.
	Try func(*plan.Plan) error
	// Proxy is true where who executes the plans serves caisson's proxy on the
	// host's loopback for policies that list hosts. Without it such a policy is
	// not upheld, and its sandbox is offline.
	Proxy bool
}

// New returns the backend.
func New(o Options) backend.Backend { return &seatbelt{o} }

type seatbelt struct{ options Options }

func (*seatbelt) Info() backend.Info {
	return backend.Info{Name: Name, Version: "1", OS: []string{"darwin"}, Rank: 100}
}

// Probe looks at the host. The trial starts one program, about 10 ms.
func (s *seatbelt) Probe(ctx context.Context) (backend.Report, error) {
	f, err := probe(ctx, s.options)
	if err != nil {
		return backend.Report{}, err
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return backend.Report{}, fmt.Errorf("write the facts of this host: %w", err)
	}
	return backend.Report{Usable: f.obstacle() == nil, Offers: offers(f, s.options.Proxy), Unmet: unoffered(f, s.options.Proxy), Facts: raw}, nil
}

// Prepare makes the plan. Where the host is not usable the plan is made all
// the same, to be looked at: it claims nothing and lists what is unmet.
func (s *seatbelt) Prepare(_ context.Context, r backend.Request) (*plan.Plan, error) {
	f, err := DecodeFacts(r.Facts)
	if err != nil {
		return nil, err
	}
	return compile(f, r.Policy, s.options.Proxy)
}
