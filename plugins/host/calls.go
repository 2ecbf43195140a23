// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/plugins/internal/backendpb"
	"github.com/caisson-sandbox/caisson/plugins/protocol"
)

// Probe asks what the host can do. See backend.Backend.
func (p *Plugin) Probe(ctx context.Context) (backend.Report, error) {
	if err := p.over(); err != nil {
		return backend.Report{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeouts.Probe)
	defer cancel()
	answer, err := p.calls.Probe(ctx, &backendpb.ProbeRequest{})
	if err != nil {
		return backend.Report{}, p.broken(ctx, "probe the host", err)
	}
	if refusal := answer.GetRefusal(); refusal != nil {
		return backend.Report{}, p.refusal("probes the host", refusal)
	}
	report, err := backend.DecodeReport(answer.GetReport())
	if err != nil {
		return backend.Report{}, p.misanswered("probes the host", err)
	}
	p.mu.Lock()
	if !slices.ContainsFunc(p.reports, func(r backend.Report) bool { return maps.Equal(r.Offers, report.Offers) }) {
		p.reports = append(p.reports, report)
	}
	p.mu.Unlock()
	return report, nil
}

// Prepare asks for the plan of a policy and judges it. See backend.Backend.
func (p *Plugin) Prepare(ctx context.Context, r backend.Request) (*plan.Plan, error) {
	if err := p.over(); err != nil {
		return nil, err
	}
	if writable(r.Policy, p.plugin.Path) {
		return nil, p.end(diag.New(diag.PluginUnsafe, "the backend plugin "+diag.Quote(p.plugin.Path)+" lies in a writable root", "install it where commands cannot write"))
	}
	text, err := r.Policy.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("write the policy for the backend plugin %s: %w", p.name(), err)
	}
	if size := len(text) + len(r.Facts); size > protocol.MaxMessage {
		return nil, diag.New(diag.PluginFailed, fmt.Sprintf("the policy and the facts are too large for a backend plugin: %d bytes of %d", size, protocol.MaxMessage),
			"use fewer rules, or a built-in backend")
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeouts.Prepare)
	defer cancel()
	answer, err := p.calls.Prepare(ctx, &backendpb.PrepareRequest{Policy: text, Facts: r.Facts})
	if err != nil {
		return nil, p.broken(ctx, "plan", err)
	}
	if refusal := answer.GetRefusal(); refusal != nil {
		return nil, p.refusal("plans", refusal)
	}
	made, err := plan.Decode(answer.GetPlan())
	if err == nil {
		err = p.judge(made, r.Policy)
	}
	if err != nil {
		return nil, p.misanswered("plans", err)
	}
	return made, nil
}

// refusal gives what the backend refuses as its own words.
func (p *Plugin) refusal(what string, text []byte) error {
	d, err := backend.DecodeRefusal(text)
	if err != nil {
		return p.misanswered(what, err)
	}
	return d
}

// broken ends the plugin for a call that did not come to an answer.
func (p *Plugin) broken(ctx context.Context, what string, err error) error {
	if was := ctx.Err(); errors.Is(was, context.Canceled) {
		return was
	}
	switch s := status.Convert(err); s.Code() {
	case codes.DeadlineExceeded:
		return p.failed("it did not " + what + " in time")
	case codes.ResourceExhausted:
		return p.failed(fmt.Sprintf("its answer is larger than %d bytes", protocol.MaxMessage))
	case codes.Unimplemented:
		return p.failed("it cannot " + what + ": " + s.Message())
	case codes.Unavailable, codes.Canceled:
		return p.failed("it ended instead of answering when it was to " + what + p.runner.status())
	default:
		return p.failed("it could not " + what + ": " + s.Message())
	}
}
