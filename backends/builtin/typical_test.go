// SPDX-License-Identifier: Apache-2.0

package builtin

import (
	"context"
	"testing"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// TestTypical makes the plan of a standard policy on each usual machine.
func TestTypical(t *testing.T) {
	t.Parallel()
	for _, system := range []string{"darwin"} {
		typical, ok, err := TypicalOf(system, "arm64")
		if err != nil || !ok {
			t.Fatalf("%s: %v, %v", system, ok, err)
		}
		r, _, err := policy.Standard(typical.Host.Dir).Resolve(typical.Host)
		if err != nil {
			t.Fatal(err)
		}
		p, err := typical.Backends[0].Prepare(context.Background(), backend.Request{Policy: r, Facts: typical.Facts})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Validate(); err != nil || p.OS != system || len(p.Unmet) > 0 {
			t.Errorf("%s: %v, unmet %v", p.OS, err, p.Unmet)
		}
	}
	if _, ok, err := TypicalOf("plan9", "amd64"); ok || err != nil {
		t.Errorf("plan9: %v, %v", ok, err)
	}
}
