// SPDX-License-Identifier: Apache-2.0

// Package plan is what a backend answers: data that says how a sandbox is to
// be made, before anything is made.
//
// A plan holds steps from a closed set, claims and notes. It can be printed,
// compared, kept as a golden file and refused. It does not depend on the
// commands of the sandbox, so that one plan serves all of them and their
// arguments, which may be secret, never reach a backend. core/launch executes
// plans; nothing else does.
package plan

import (
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// Format is the version of the plan's form that this package reads and writes.
const Format = 1

// Plan says how one sandbox is made. The zero value is invalid.
type Plan struct {
	Format  int    `json:"format"`
	Backend string `json:"backend"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	// Claims is what the plan upholds, for this policy on this host.
	Claims guarantee.Set `json:"claims"`
	// Unmet lists the needed guarantees that the plan does not uphold, each
	// with its reason and remedy. A plan with an entry that the policy does
	// not accept by name is never executed.
	Unmet []Unmet `json:"unmet,omitempty"`
	// Steps are applied in order.
	Steps []Step            `json:"steps"`
	Env   []EnvEdit         `json:"env,omitempty"`
	Notes []diag.Diagnostic `json:"notes,omitempty"`
	// Windows takes the place of Steps where OS is "windows"; nil elsewhere.
	Windows *Windows `json:"-"`
}

// Unmet is a guarantee that cannot be upheld, and why.
type Unmet struct {
	ID     guarantee.ID `json:"id"`
	Reason string       `json:"reason"`
	Remedy string       `json:"remedy,omitempty"`
	Grant  *diag.Grant  `json:"grant"`
}

// EnvEdit sets a variable of every command; it beats the caller's and the
// policy's value. An empty Value with Unset removes the variable.
type EnvEdit struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
	Unset bool   `json:"unset,omitempty"`
}

// Step is one of the types of steps.go, seccomp.go and seatbelt.go. The set is
// closed: the launcher refuses what it does not know.
type Step interface {
	// Name is the step's name in JSON and in messages.
	Name() string
}
