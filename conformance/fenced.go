// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// planned is a sandbox that can say by which plan it was made.
type planned interface {
	Plan() *plan.Plan
}

// fenced opens the sandbox and reports whether it is one of Linux without
// namespaces: it has no loopback offline, and directories on the way to
// something hidden cannot be listed.
func (t *T) fenced() bool {
	if t.Bare() {
		return false
	}
	t.Open()
	sb, ok := t.sb.(planned)
	return ok && sb.Plan().Fenced()
}

// needLoopback skips the case where a sandbox has no loopback by what it is.
func (t *T) needLoopback() {
	if t.fenced() {
		t.Skip("a sandbox without namespaces has no loopback offline, and says so")
	}
}

// relies skips the case where the sandbox does not promise what another
// guarantee's case is built on.
func (t *T) relies(id guarantee.ID) {
	if t.Bare() {
		return
	}
	t.Open()
	if _, ok := t.sb.Claims()[id]; !ok {
		t.Skip("the sandbox does not promise %s, on which this is built", id)
	}
}
