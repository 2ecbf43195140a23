// SPDX-License-Identifier: Apache-2.0

//go:build linux

package sandbox_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// apart is a backend that knows nothing of ports, as one that was written before
// there were grants for them.
type apart struct{ backend.Backend }

func (a apart) Prepare(ctx context.Context, r backend.Request) (*plan.Plan, error) {
	p, err := a.Backend.Prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	p.Steps = slices.DeleteFunc(p.Steps, func(s plan.Step) bool { _, ok := s.(plan.Egress); return ok })
	return p, nil
}

// TestUnjoined: a plan that leaves out a granted port is refused, whoever made
// it; one without ports is not.
func TestUnjoined(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		knows bool
		set   func(*policy.Network)
		want  bool
	}{
		{"loopback", false, func(n *policy.Network) { n.Loopback = []int{8000} }, true},
		{"publish", false, func(n *policy.Network) { n.Publish = []int{8001} }, true},
		{"with the host's network", false, func(n *policy.Network) { n.Mode, n.Publish = policy.Online, []int{8001} }, false},
		{"none", false, func(*policy.Network) {}, false},
		{"a backend that knows them", true, func(n *policy.Network) { n.Loopback = []int{8000} }, false},
	} {
		o := &sandbox.Options{}
		for _, b := range sandbox.Backends() {
			if !c.knows {
				b = apart{b}
			}
			o.Backends = append(o.Backends, b)
		}
		p := policy.Standard(t.TempDir())
		c.set(&p.Network)
		_, err := sandbox.Prepare(t.Context(), p, o)
		d, ok := errors.AsType[*diag.Diagnostic](err)
		if refused := ok && d.Code == diag.ModeUnsupported; refused != c.want || !c.want && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
