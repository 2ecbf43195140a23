// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
	"github.com/caisson-sandbox/caisson/core/selector"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// standing is what doctor says of one guarantee.
type standing struct {
	ID       guarantee.ID `json:"id"`
	Promise  string       `json:"promise"`
	Standard bool         `json:"standard"` // needed by every policy
	Held     bool         `json:"held"`
	By       guarantee.By `json:"by,omitempty"`
	Backend  string       `json:"backend,omitempty"`
	Note     string       `json:"note,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	Remedy   string       `json:"remedy,omitempty"`
}

// available are the built-in backends with what they report or, where none of
// them upholds the standard contract, these and the trusted plugins. Plugins
// run until endPlugins.
func (p *program) available(ctx context.Context) ([]backend.Backend, []selector.Candidate, error) {
	backends := sandbox.BackendsAnew()
	candidates := sandbox.Probe(ctx, backends)
	lost := slices.ContainsFunc(stand(candidates), func(s standing) bool { return s.Standard && !s.Held })
	if !lost || !registry.Default().Any() || p.hosting == nil && !p.canHandOver() {
		return backends, candidates, nil
	}
	plugins, err := p.startAll(ctx, false)
	if err != nil || len(plugins) == 0 {
		return backends, candidates, err
	}
	return append(backends, plugins...), append(candidates, sandbox.Probe(ctx, plugins)...), nil
}

// outOfReach is a backend that cannot be had here.
type outOfReach struct {
	Backend string `json:"backend"`
	Reason  string `json:"reason"`
	Remedy  string `json:"remedy,omitempty"`
}

// unusable says of each backend that cannot be had why not, and what helps.
func unusable(candidates []selector.Candidate) []outOfReach {
	list := []outOfReach{}
	for _, c := range candidates {
		switch {
		case c.Err != nil:
			list = append(list, outOfReach{c.Info.Name, c.Err.Error(), ""})
		case !c.Report.Usable && len(c.Report.Unmet) > 0:
			u := c.Report.Unmet[0] // the one reason for all
			list = append(list, outOfReach{c.Info.Name, u.Reason, u.Remedy})
		}
	}
	return list
}

// hostNotes returns what is to be said of this host beside the guarantees, such
// as file systems that are on the network: the notes of the plan that a
// standard policy gets. Where none is made there are none.
func hostNotes(ctx context.Context) []diag.Diagnostic {
	notes := []diag.Diagnostic{}
	dir, err := os.MkdirTemp("", "caisson-doctor-")
	if err != nil {
		return notes
	}
	defer os.RemoveAll(dir)
	prepared, err := sandbox.Prepare(ctx, policy.Standard(dir), nil)
	if err != nil || prepared.Plan == nil {
		return notes
	}
	return append(notes, prepared.Plan.Notes...)
}

// stand gives the standing of every guarantee under the backend that a
// standard policy would get, or the one that comes nearest to it.
func stand(candidates []selector.Candidate) []standing {
	var best *selector.Candidate
	for i, c := range candidates {
		if c.Err == nil && (best == nil || offered(c) > offered(*best)) {
			best = &candidates[i]
		}
	}
	var list []standing
	for _, info := range guarantee.All() {
		s := standing{ID: info.ID, Promise: info.Promise, Standard: info.Standard, Reason: "no backend of this version offers it"}
		if best != nil {
			s.judge(*best)
		}
		list = append(list, s)
	}
	return list
}

func offered(c selector.Candidate) int {
	if !c.Report.Usable {
		return -1
	}
	return len(c.Report.Offers)
}

func (s *standing) judge(c selector.Candidate) {
	if claim, ok := c.Report.Offers[s.ID]; ok && c.Report.Usable {
		s.Held, s.By, s.Note, s.Backend, s.Reason = true, claim.By, claim.Note, c.Info.Name, ""
		return
	}
	for _, u := range c.Report.Unmet {
		if u.ID == s.ID {
			s.Reason, s.Remedy = u.Reason, u.Remedy
		}
	}
}

func (p *program) printStandings(list []standing, met bool) {
	for _, s := range list {
		word := "held"
		if !s.Held {
			word = "open"
			if s.Standard {
				word = "LOST"
			}
		}
		line := fmt.Sprintf("%-4s  %-25s ", word, s.ID)
		if s.Held {
			line += "by " + string(s.By)
			if s.Note != "" {
				line += " (" + s.Note + ")"
			}
		} else {
			line += s.Reason
		}
		fmt.Fprintln(p.stdout, diag.Escape(line))
		if s.Remedy != "" {
			fmt.Fprintln(p.stdout, "      remedy: "+diag.Escape(s.Remedy))
		}
	}
	if met {
		fmt.Fprintln(p.stdout, "the standard contract holds on this host")
	} else {
		fmt.Fprintln(p.stdout, "the standard contract does not hold on this host: caisson run refuses until the lost ones are held or given up by name")
	}
}
