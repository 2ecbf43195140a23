// SPDX-License-Identifier: Apache-2.0

// Package backend is the contract between caisson and what upholds a policy on
// one kind of host. A backend looks at the host (Probe) and turns a policy
// into a plan (Prepare); it never starts anything. core/launch executes plans.
package backend

import (
	"context"
	"encoding/json"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// Backend is implemented by every backend. Methods may be called from several
// goroutines at once.
type Backend interface {
	// Info names the backend.
	Info() Info
	// Probe finds out what this host can do now. An error means that the
	// question could not be asked; a host that lacks something is a Report.
	Probe(ctx context.Context) (Report, error)
	// Prepare makes the plan of a policy. It is pure: the same request gives
	// the same plan on any host.
	Prepare(ctx context.Context, r Request) (*plan.Plan, error)
}

// Info names a backend. Name is unique, for example "linux/namespaces". Rank
// orders backends that meet a policy equally: the higher one is stronger.
type Info struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	OS      []string `json:"os"` // as in GOOS
	Rank    int      `json:"rank"`
	// OneCommand says that a sandbox takes one command: the processes of two
	// could not meet, on a loopback or by a signal, as those of one sandbox do.
	// A second command is refused.
	OneCommand bool `json:"one_command,omitempty"`
}

// Report is what a backend can do on this host.
type Report struct {
	Usable bool          `json:"usable"`
	Offers guarantee.Set `json:"offers"` // the most that any plan may claim
	Unmet  []plan.Unmet  `json:"unmet,omitempty"`
	// Facts is what Prepare needs to know of the host, in the backend's own
	// form. It can be recorded on one host and used on another.
	Facts json.RawMessage `json:"facts"`
}

// Request asks for a plan.
type Request struct {
	Policy *policy.Resolved
	Facts  json.RawMessage // of a Report of the same backend
}
