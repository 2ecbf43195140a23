// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"testing"
)

// TestEgressRefused: ports that are none, that would go round, or that lead
// into a network that is not the sandbox's.
func TestEgressRefused(t *testing.T) {
	t.Parallel()
	with := func(e Egress, edit func(*Namespaces)) *Plan {
		p := sample()
		p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool { return s.Name() == "egress" })
		i := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Name() == "privileges" })
		p.Steps = slices.Insert(p.Steps, i, Step(e))
		ns := p.Steps[0].(Namespaces)
		ns.Kinds = slices.Clone(ns.Kinds)
		if edit != nil {
			edit(&ns)
		}
		p.Steps[0] = ns
		return p
	}
	if err := with(Egress{Proxy: 1, Loopback: []int{2}, Publish: []int{3}}, nil).Validate(); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	for name, p := range map[string]*Plan{
		"nothing":              with(Egress{}, nil),
		"no port":              with(Egress{Loopback: []int{0}}, nil),
		"too high a port":      with(Egress{Publish: []int{65536}}, nil),
		"below 0":              with(Egress{Proxy: -1}, nil),
		"in and out":           with(Egress{Loopback: []int{7}, Publish: []int{7}}, nil),
		"the proxy's own port": with(Egress{Proxy: 7, Loopback: []int{7}}, nil),
		"twice":                with(Egress{Loopback: []int{7, 7}}, nil),
		"the host's network": with(Egress{Proxy: 7}, func(ns *Namespaces) {
			ns.Kinds = slices.DeleteFunc(ns.Kinds, func(k string) bool { return k == "net" })
		}),
		"no loopback": with(Egress{Proxy: 7}, func(ns *Namespaces) { ns.Loopback = false }),
	} {
		if err := p.Validate(); err == nil {
			t.Errorf("%s: a plan with it is valid", name)
		}
	}
	wrapped := wrapSample()
	wrapped.Steps = slices.Insert(wrapped.Steps, 2, Step(Egress{Proxy: 7}))
	if wrapped.Validate() == nil {
		t.Error("wrappers and a step egress are valid together")
	}
}
