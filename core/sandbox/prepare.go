// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/caisson-sandbox/caisson/backends/builtin"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/launch"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/selector"
)

// Prepared is all that is known of a sandbox before it is made.
type Prepared struct {
	Resolved *policy.Resolved
	Plan     *plan.Plan
	Choice   selector.Choice
	Backend  backend.Info
	Notes    []diag.Diagnostic // findings that do not stand in the way

	policy   policy.Policy // as it was asked for
	merged   policy.Policy // with the system's
	options  Options
	stateDir string
}

// Prepare does everything that Open does but making the sandbox: it resolves
// the policy for this host, probes the backends, chooses one and has it plan.
//
// Where a guarantee that the policy needs cannot be upheld, the error is a
// [*Refusal] and, if a plan could be made all the same, what was prepared is
// returned with it, to be looked at: its plan has the missing guarantees under
// Unmet and is never executed.
func Prepare(ctx context.Context, p policy.Policy, o *Options) (*Prepared, error) {
	prepared := &Prepared{policy: p}
	if o != nil {
		prepared.options = *o
	}
	host := prepared.options.Host
	if host == nil {
		host = policy.OSHost()
		sources, err := policy.DefaultSources()
		if err != nil {
			return nil, fmt.Errorf("find the policy of this system: %w", err)
		}
		if p, err = sources.UnderSystem(p); err != nil {
			return nil, err
		}
		prepared.policy = p
	}
	resolved, notes, err := p.Resolve(host)
	if err != nil {
		return nil, err
	}
	if prepared.options.Host == nil {
		if err := policy.CheckState(host.OwnDirs().State); err != nil {
			return nil, err
		}
	}
	prepared.Resolved, prepared.Notes = resolved, notes
	prepared.merged, prepared.stateDir = p, host.OwnDirs().State
	return prepared, prepared.choose(ctx)
}

// Backends returns the built-in backends of this system.
func Backends() []backend.Backend { return backends(false) }

// BackendsAnew returns them for who asks what this host can do, and not what it
// could when that was last tried.
func BackendsAnew() []backend.Backend { return backends(true) }

func backends(anew bool) []backend.Backend {
	return builtin.Backends(builtin.Options{Try: launch.Try, StateDir: policy.OSHost().OwnDirs().State, Anew: anew})
}

// Probe asks backends what they can do on this host.
func Probe(ctx context.Context, backends []backend.Backend) []selector.Candidate {
	candidates := make([]selector.Candidate, len(backends))
	for i, b := range backends {
		c := selector.Candidate{Info: b.Info()}
		c.Report, c.Err = b.Probe(ctx)
		candidates[i] = c
	}
	return candidates
}

// errNotAsked is of a candidate that could not be chosen whatever it said.
var errNotAsked = errors.New("it was not asked: another backend was taken")

// probeFor asks only the backends whose answer matters: the one that is named,
// or the strongest one, and the others where that lacks something. A probe is on
// the way of every launch.
func probeFor(ctx context.Context, backends []backend.Backend, need []guarantee.ID, prefer string) []selector.Candidate {
	candidates := make([]selector.Candidate, len(backends))
	strongest := 0
	for i, b := range backends {
		candidates[i] = selector.Candidate{Info: b.Info(), Err: errNotAsked}
		if candidates[i].Info.Rank > candidates[strongest].Info.Rank {
			strongest = i
		}
	}
	ask := func(i int) selector.Candidate {
		candidates[i].Report, candidates[i].Err = backends[i].Probe(ctx)
		return candidates[i]
	}
	named := slices.IndexFunc(candidates, func(c selector.Candidate) bool { return c.Info.Name == prefer })
	switch {
	case len(backends) == 0:
	case named >= 0:
		ask(named)
	case prefer == "" || prefer == "auto":
		if first := ask(strongest); first.Err == nil && first.Report.Usable && len(first.Report.Offers.Missing(need)) == 0 {
			break
		}
		for i := range backends {
			if i != strongest {
				ask(i)
			}
		}
	}
	return candidates
}

// choose chooses a backend and has it plan. What is refused is not refused by
// what was remembered of this host.
func (p *Prepared) choose(ctx context.Context) error {
	if p.options.Backends != nil {
		return p.chooseFrom(ctx, p.options.Backends)
	}
	notes := slices.Clip(p.Notes)
	err := p.chooseFrom(ctx, Backends())
	if _, refused := errors.AsType[*Refusal](err); refused {
		p.Plan, p.Notes = nil, notes
		err = p.chooseFrom(ctx, BackendsAnew())
	}
	return err
}

// whyNot returns why a sandbox that could not be made cannot be had: where this
// host allows less than is remembered, that is a refusal.
func (p *Prepared) whyNot(ctx context.Context, failed error) error {
	if p.options.Backends == nil && ctx.Err() == nil {
		again := *p
		again.Notes = nil
		if refusal, ok := errors.AsType[*Refusal](again.chooseFrom(ctx, BackendsAnew())); ok {
			return refusal
		}
	}
	return failed
}

func (p *Prepared) chooseFrom(ctx context.Context, backends []backend.Backend) error {
	need, accept := p.Resolved.Require(), p.Resolved.AllowWeaker()
	candidates := probeFor(ctx, backends, need, p.options.Prefer)
	choice, err := selector.Choose(need, accept, p.options.Prefer, candidates)
	if err != nil {
		return p.refuse(ctx, err, backends, candidates)
	}
	p.Choice = choice
	i := slices.IndexFunc(candidates, func(c selector.Candidate) bool { return c.Info.Name == choice.Info.Name })
	if err := p.plan(ctx, backends[i], candidates[i]); err != nil {
		return err
	}
	return p.checkUnmet(need, accept)
}

// plan has a backend make the plan, and checks what the backend says.
func (p *Prepared) plan(ctx context.Context, b backend.Backend, c selector.Candidate) error {
	made, err := b.Prepare(ctx, backend.Request{Policy: p.Resolved, Facts: c.Report.Facts})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Info.Name, err)
	}
	if made == nil {
		return diag.New(diag.PlanInvalid, c.Info.Name+" made no plan and gave no reason", "")
	}
	if system := p.Resolved.OS(); made.OS != "" && made.OS != system {
		return diag.New(diag.PlanInvalid, fmt.Sprintf("%s made a plan for %s, and this is %s", c.Info.Name, diag.Quote(made.OS), system), "")
	}
	if err := made.Validate(); err != nil {
		return fmt.Errorf("%s: %w", c.Info.Name, err)
	}
	if beyond := made.Claims.Within(c.Report.Offers); len(beyond) > 0 {
		return diag.New(diag.PlanInvalid, fmt.Sprintf("%s claims %s and does not offer it on this host", c.Info.Name, beyond[0]), "")
	}
	if port := unjoined(made, p.Resolved); port != 0 {
		return diag.New(diag.ModeUnsupported, fmt.Sprintf("%s does not join port %d of the sandbox's loopback to the host's, which the policy grants", c.Info.Name, port),
			"remove network.loopback and network.publish, or choose another backend")
	}
	p.Plan, p.Backend = made, c.Info
	p.Notes = append(p.Notes, made.Notes...)
	return nil
}

// unjoined returns a port that a policy grants and a plan for Linux leaves out,
// or 0. With the host's network there is nothing to join.
func unjoined(made *plan.Plan, r *policy.Resolved) int {
	n := r.Network()
	if r.OS() != "linux" || n.Mode == policy.Online {
		return 0
	}
	var joined plan.Egress
	for _, step := range made.Steps {
		if e, ok := step.(plan.Egress); ok {
			joined = e
		}
	}
	for _, ports := range [][2][]int{{n.Loopback, joined.Loopback}, {n.Publish, joined.Publish}} {
		for _, port := range ports[0] {
			if !slices.Contains(ports[1], port) {
				return port
			}
		}
	}
	return 0
}

// Weakened returns the guarantees that the policy needs and the plan does not
// uphold, and whose loss was accepted by name, in contract order.
func (p *Prepared) Weakened() []guarantee.ID {
	if p.Plan == nil {
		return nil
	}
	return slices.DeleteFunc(p.Plan.Claims.Missing(p.Resolved.Require()), func(id guarantee.ID) bool {
		return !slices.Contains(p.Resolved.AllowWeaker(), id)
	})
}
