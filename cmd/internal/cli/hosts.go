// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
	"github.com/caisson-sandbox/caisson/core/selector"
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
		fmt.Fprintln(p.stdout, printable(line))
		if s.Remedy != "" {
			fmt.Fprintln(p.stdout, "      remedy: "+printable(s.Remedy))
		}
	}
	if met {
		fmt.Fprintln(p.stdout, "the standard contract holds on this host")
	} else {
		fmt.Fprintln(p.stdout, "the standard contract does not hold on this host: caisson run refuses until the lost ones are held or given up by name")
	}
}

// listed is what backends says of one backend.
type listed struct {
	Info   backend.Info   `json:"info"`
	Report backend.Report `json:"report"`
	Error  string         `json:"error,omitempty"`
	Chosen bool           `json:"chosen"` // by auto, for the standard contract
}

func (p *program) backendsCommand() *cobra.Command {
	var explain, asJSON bool
	c := &cobra.Command{
		Use:   "backends",
		Short: "List the backends, and which one a standard policy gets",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			candidates := sandbox.Probe(c.Context(), sandbox.Backends())
			choice, err := selector.Choose(guarantee.Standard(), nil, "auto", candidates)
			list := []listed{}
			for _, c := range candidates {
				l := listed{Info: c.Info, Report: c.Report, Chosen: err == nil && c.Info.Name == choice.Info.Name}
				if c.Err != nil {
					l.Error = c.Err.Error()
				}
				list = append(list, l)
			}
			if asJSON {
				return printJSON(p.stdout, list)
			}
			p.printBackends(list, explain)
			if explain && err != nil {
				p.say("none is chosen: " + err.Error())
			}
			return nil
		},
	}
	c.Flags().BoolVar(&explain, "explain", false, "say why one is chosen and others are not")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the facts of the host")
	return c
}

func (p *program) printBackends(list []listed, explain bool) {
	if len(list) == 0 {
		fmt.Fprintln(p.stdout, "there is no backend for this system in this version")
	}
	for _, l := range list {
		word := "usable"
		switch {
		case l.Chosen:
			word = "chosen"
		case l.Error != "" || !l.Report.Usable:
			word = "unusable"
		}
		fmt.Fprintln(p.stdout, printable(fmt.Sprintf("%-9s %s %s", word, l.Info.Name, l.Info.Version)))
		if !explain {
			continue
		}
		if l.Error != "" {
			fmt.Fprintln(p.stdout, "          "+printable(l.Error))
		}
		missing := l.Report.Offers.Missing(guarantee.Standard())
		fmt.Fprintf(p.stdout, "          upholds %d guarantees, rank %d\n", len(l.Report.Offers), l.Info.Rank)
		if len(missing) > 0 {
			fmt.Fprintln(p.stdout, "          lacks "+joined(missing))
		}
		for _, u := range l.Report.Unmet {
			note := diag.Diagnostic{Message: fmt.Sprintf("%s: %s", u.ID, u.Reason), Remedy: u.Remedy}
			fmt.Fprintln(p.stdout, "          "+printable(note.String()))
		}
	}
}
