// SPDX-License-Identifier: Apache-2.0

// Package windows has the backends of Windows.
//
// "windows/account", the strong one, runs commands as a local user of their
// own, made once by an elevated setup, with a token that may write only where
// an access list names that user, and with filters of the network on the
// user's SID. "windows/account-lean" is the same without the write-restricted
// token, for programs that need the system's TLS library. "windows/token" needs
// no setup and holds less: the user's own token, write-restricted.
// "windows/container" asks whether the system offers sandboxes of its own.
//
// As in every backend, the probe (probe_windows.go) writes down facts and the
// compiler (compile.go and the files that it names) turns facts and a policy
// into a plan. The compiler is pure: `caisson plan --os windows` on Linux
// prints what the Windows program would do. Before it claims anything it asks
// a model of the access check (internal/access) what the commands could do
// under the plan. What executes plans is the helper program, package helper.
package windows

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// The names of the backends.
const (
	AccountName   = "windows/account"
	LeanName      = "windows/account-lean"
	TokenName     = "windows/token"
	ContainerName = "windows/container"
)

// Options are what the backends need from outside.
type Options struct {
	// StateDir is caisson's state directory, where temporary directories of
	// sandboxes are made.
	StateDir string
}

// New returns the backends of Windows, the strongest first.
func New(o Options) []backend.Backend {
	p := &prober{probe: func(ctx context.Context) (Facts, error) { return probe(ctx, o) }}
	return []backend.Backend{
		&tier{name: ContainerName, rank: 110, prober: p},
		&tier{name: AccountName, rank: 100, prober: p},
		&tier{name: LeanName, rank: 60, prober: p},
		&tier{name: TokenName, rank: 40, prober: p},
	}
}

// tier is one way to make a sandbox.
type tier struct {
	name   string
	rank   int
	prober *prober
}

// prober looks at the host once for all tiers, which are asked one after the
// other. A tier that asks again gets what is there then.
type prober struct {
	probe func(context.Context) (Facts, error)

	mu    sync.Mutex // guards what follows
	facts Facts
	given map[string]bool // to which tiers the facts were given
}

func (p *prober) look(ctx context.Context, name string) (Facts, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.given == nil || p.given[name] {
		f, err := p.probe(ctx)
		if err != nil {
			return Facts{}, err
		}
		p.facts, p.given = f, map[string]bool{}
	}
	p.given[name] = true
	return p.facts, nil
}

// Info names the backend.
func (t *tier) Info() backend.Info {
	return backend.Info{Name: t.name, Version: "1", OS: []string{"windows"}, Rank: t.rank}
}

// Probe looks at the host.
func (t *tier) Probe(ctx context.Context) (backend.Report, error) {
	f, err := t.prober.look(ctx, t.name)
	if err != nil {
		return backend.Report{}, err
	}
	return t.report(f)
}

func (t *tier) report(f Facts) (backend.Report, error) {
	raw, err := json.Marshal(f)
	if err != nil {
		return backend.Report{}, fmt.Errorf("write the facts of this host: %w", err)
	}
	return backend.Report{Usable: f.obstacle(t.name) == nil, Offers: offers(t.name, f), Unmet: unoffered(t.name, f), Facts: raw}, nil
}

// Prepare makes the plan. Where the host is not usable the plan is made all
// the same, to be looked at: it claims nothing and lists what is unmet.
func (t *tier) Prepare(_ context.Context, r backend.Request) (*plan.Plan, error) {
	f, err := DecodeFacts(r.Facts)
	if err != nil {
		return nil, err
	}
	return compile(t.name, f, r.Policy)
}

// ReportOf gives the report of a host that is known by its facts alone.
func (t *tier) ReportOf(facts json.RawMessage) (backend.Report, error) {
	f, err := DecodeFacts(facts)
	if err != nil {
		return backend.Report{}, err
	}
	return t.report(f)
}
