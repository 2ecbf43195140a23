// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/conformance/report"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
)

// examination is what doctor finds.
type examination struct {
	Met        bool              `json:"met"` // the standard contract, and no case broke a claim
	Date       time.Time         `json:"date"`
	Caisson    string            `json:"caisson"`
	Binary     string            `json:"binary"` // SHA-256 of this executable
	Host       report.Host       `json:"host"`
	Guarantees []standing        `json:"guarantees"`
	OutOfReach []outOfReach      `json:"out_of_reach"` // the backends that this host cannot have
	Notes      []diag.Diagnostic `json:"notes"`
	Cases      *report.Report    `json:"cases"` // null: none were run
}

func (p *program) doctorCommand() *cobra.Command {
	var asJSON, factsOnly bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host can promise, guarantee by guarantee",
		Long: `Say of each guarantee whether this host can uphold it, by what, and if not, why
and what helps. Then run the quick Must cases of the conformance suite against
the backend, which takes some seconds. The exit status is 1 where the standard
contract is not met, or a case breaks a claim.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			defer p.endPlugins()
			backends, candidates, err := p.available(c.Context())
			if err != nil {
				return err
			}
			e := examination{Date: time.Now().UTC().Truncate(time.Second), Caisson: outcome.Version(), Host: report.ThisHost(),
				Guarantees: stand(candidates), OutOfReach: unusable(candidates), Notes: hostNotes(c.Context()), Met: true}
			if exe, err := os.Executable(); err == nil {
				e.Binary, _ = report.Hash(exe)
			}
			for _, s := range e.Guarantees {
				e.Met = e.Met && (s.Held || !s.Standard)
			}
			if i := slices.IndexFunc(e.Guarantees, func(s standing) bool { return s.Backend != "" }); i >= 0 && !factsOnly {
				e.Cases = p.examine(c.Context(), backends, e.Guarantees[i].Backend)
				e.Met = e.Met && e.Cases != nil && sound(e.Cases)
			}
			if asJSON {
				if err := printJSON(p.stdout, e); err != nil {
					return err
				}
			} else {
				p.printExamination(e)
			}
			if !e.Met {
				return status(statusNo)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&factsOnly, "facts-only", false, "look at the host, and run no cases")
	return c
}

// examine runs the quick Must cases against a backend; nil where that failed.
func (p *program) examine(ctx context.Context, backends []backend.Backend, name string) *report.Report {
	i := slices.IndexFunc(backends, func(b backend.Backend) bool { return b.Info().Name == name })
	config := conformance.Config{Target: conformance.Backend(backends[i]), Requirement: conformance.Must, Quick: true, Timeout: time.Minute}
	config.Result = p.progress(config)
	ctx, cancel := interruptible(ctx)
	defer cancel()
	rep, err := conformance.Run(ctx, config)
	if err != nil {
		p.complain(err)
		return nil
	}
	return rep
}

// sound reports whether no case broke a claim. What a busy machine left no time
// for is counted in the report and says nothing either way.
func sound(r *report.Report) bool {
	return !slices.ContainsFunc(r.Results, func(one report.Result) bool {
		return one.Verdict == report.Fail || one.Verdict == report.Error
	})
}

func (p *program) printExamination(e examination) {
	contract := true
	for _, s := range e.Guarantees {
		contract = contract && (s.Held || !s.Standard)
	}
	p.printStandings(e.Guarantees, contract)
	for _, o := range e.OutOfReach {
		fmt.Fprintln(p.stdout, diag.Escape(o.Backend+" is out of reach: "+o.Reason))
		if o.Remedy != "" {
			fmt.Fprintln(p.stdout, "      remedy: "+diag.Escape(o.Remedy))
		}
	}
	for _, d := range e.Notes {
		fmt.Fprintln(p.stdout, "note: "+diag.Escape(d.String()))
	}
	if e.Cases == nil {
		return
	}
	n := len(e.Cases.Results) - e.Cases.Counts[report.NotRun]
	if sound(e.Cases) {
		fmt.Fprintf(p.stdout, "%d cases of the conformance suite broke none of it in %.1f s; the whole suite: caisson conformance run\n", n, float64(e.Cases.Elapsed)/1000)
		return
	}
	p.printReport(e.Cases)
}
