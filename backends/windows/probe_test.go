// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"context"
	"errors"
	"testing"
)

// TestProbeOnce: all tiers share one look, and each gets a new one when it asks
// again. A look that failed is not remembered.
func TestProbeOnce(t *testing.T) {
	t.Parallel()
	looks := 0
	var fail error
	p := &prober{probe: func(context.Context) (Facts, error) {
		looks++
		return Facts{Build: looks}, fail
	}}
	for _, c := range []struct {
		name string
		want int
	}{{"a", 1}, {"b", 1}, {"c", 1}, {"b", 2}, {"a", 2}, {"a", 3}} {
		if f, err := p.look(t.Context(), c.name); err != nil || f.Build != c.want {
			t.Errorf("%s gets look %d, %v, want %d", c.name, f.Build, err, c.want)
		}
	}
	fail = errors.New("no")
	if _, err := p.look(t.Context(), "a"); err == nil {
		t.Error("no error")
	}
	fail = nil
	if f, err := p.look(t.Context(), "a"); err != nil || f.Build != 5 {
		t.Errorf("after an error: %d, %v", f.Build, err)
	}
}
