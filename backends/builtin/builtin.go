// SPDX-License-Identifier: Apache-2.0

// Package builtin lists the backends that are part of caisson. The list is
// written out, one for each system: what can confine a command is never found
// by searching.
package builtin

import (
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Options are what the built-in backends need from outside, see the options
// of each.
type Options struct {
	Try      func(*plan.Plan) error // makes and removes the sandbox of a plan
	StateDir string                 // caisson's state directory; empty: remember nothing
	Anew     bool                   // try again what is remembered
}
