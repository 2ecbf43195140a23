// SPDX-License-Identifier: Apache-2.0

// Package linux has the backends of Linux: "linux/namespaces", the strong one,
// and "linux/landlock", for hosts where no namespaces can be had (landlock.go
// and the files fence*.go).
//
// Each has three parts. The probe (probe_linux.go) finds out what the host can
// do and writes it down as Facts. The compiler (compile.go and the files that
// it names) turns facts and a resolved policy into a plan; it is pure, so that
// plans for Linux can be made and compared on any system. What applies plans
// is core/launch, which this package does not know: the one thing that the
// probe needs of it, to try a plan, is handed in.
package linux

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Name is the name of the backend.
const Name = "linux/namespaces"

// Options are what the backend needs from outside.
type Options struct {
	// Try makes the sandbox of a plan, runs nothing in it and removes it. Its
	// error wraps a syscall.Errno where a system call failed, and may have a
	// method At() (step, entry string) that says which one. Without Try the
	// backend is not usable.
	Try func(*plan.Plan) error
	// StateDir is caisson's state directory, where a successful trial is
	// remembered until the next boot. Empty: every Probe makes the trial anew.
	StateDir string
	// Anew has every Probe make the trial though one is remembered, and forget
	// that one where it fails now.
	Anew bool
}

// New returns the backend.
func New(o Options) backend.Backend { return &namespaces{options: o} }

type namespaces struct {
	options Options
	last    atomic.Pointer[probed]
}

// probed are the facts of the last Probe in both forms: a launch need not
// decode what it has just encoded.
type probed struct {
	facts Facts
	raw   []byte
}

func (*namespaces) Info() backend.Info {
	return backend.Info{Name: Name, Version: "1", OS: []string{"linux"}, Rank: 100}
}

// Probe looks at the host. It is on the way of every launch: what is cheap is
// looked at each time, and the trial is made once for each boot.
func (n *namespaces) Probe(ctx context.Context) (backend.Report, error) {
	f, err := probe(ctx, n.options)
	if err != nil {
		return backend.Report{}, err
	}
	raw, err := f.MarshalJSON()
	if err != nil {
		return backend.Report{}, fmt.Errorf("write the facts of this host: %w", err)
	}
	n.last.Store(&probed{facts: f, raw: raw})
	return backend.Report{Usable: f.obstacle() == nil, Offers: offers(f), Unmet: unoffered(f, offers(f), unmet), Facts: raw}, nil
}

// Prepare makes the plan. Where the host is not usable the plan is made all
// the same, to be looked at: it claims nothing and lists what is unmet.
func (n *namespaces) Prepare(_ context.Context, r backend.Request) (*plan.Plan, error) {
	if last := n.last.Load(); last != nil && bytes.Equal(last.raw, r.Facts) {
		return compile(last.facts, r.Policy)
	}
	f, err := DecodeFacts(r.Facts)
	if err != nil {
		return nil, err
	}
	return compile(f, r.Policy)
}
