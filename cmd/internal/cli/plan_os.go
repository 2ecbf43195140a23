// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"

	"github.com/caisson-sandbox/caisson/backends/builtin"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// elsewhere sets the options and the policy of a plan for another system: a
// usual machine with the directories that the flags name. Policy files of this
// machine say nothing about that one; --policy FILE is read.
func (p *program) elsewhere(f *flags, system, facts string, o *sandbox.Options) (policy.Policy, []diag.Diagnostic, error) {
	typical, ok, err := builtin.TypicalOf(system, runtime.GOARCH)
	if err != nil {
		return policy.Policy{}, nil, err
	}
	if !ok {
		return policy.Policy{}, nil, diag.New(diag.UsageInvalid, fmt.Sprintf("--os: no plan can be made for %s", diag.Quote(system)), "name linux, darwin or windows, or leave it out")
	}
	o.Host, o.Backends = typical.Host, nil
	for _, b := range typical.Backends {
		o.Backends = append(o.Backends, recorded{b, typical.Facts})
	}
	if facts != "" {
		if o.Backends, err = readFacts(facts, typical.Backends); err != nil {
			return policy.Policy{}, nil, err
		}
	}
	said, err := f.said()
	if err != nil {
		return policy.Policy{}, nil, err
	}
	for _, dir := range f.workspace {
		if typical.Host.System.IsAbs(dir) && typical.Host.System.Check(dir) == nil {
			typical.Host.AddRepository(dir)
		}
	}
	for _, dir := range append(append([]string{}, f.write...), f.tmp) {
		if typical.Host.System.IsAbs(dir) && typical.Host.System.Check(dir) == nil {
			typical.Host.AddDir(dir)
		}
	}
	sources := policy.Sources{Flags: said, PolicyFile: f.policyFile, Stdin: p.stdin}
	if sources.Dir, err = os.Getwd(); err != nil { // where a relative FILE is
		return policy.Policy{}, nil, diag.New(diag.WorkspaceInvalid, "the current directory cannot be told: "+cause(err).Error(), "change to one that exists")
	}
	return sources.Load()
}

// recorded is a backend on a host that is known by its facts alone. A backend
// that can tell from them what it offers there is asked; the claims of others
// are not checked against a report.
type recorded struct {
	backend.Backend
	facts json.RawMessage
}

func (r recorded) Probe(context.Context) (backend.Report, error) {
	if b, ok := r.Backend.(interface {
		ReportOf(json.RawMessage) (backend.Report, error)
	}); ok {
		return b.ReportOf(r.facts)
	}
	offers := guarantee.Set{}
	for _, i := range guarantee.All() {
		offers[i.ID] = guarantee.Claim{By: guarantee.ByKernel}
	}
	return backend.Report{Usable: true, Offers: offers, Facts: r.facts}, nil
}
