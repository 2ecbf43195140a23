// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

func (p *program) explainCommand() *cobra.Command {
	f := &flags{}
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain [flags] PATH|net:HOST:PORT|unix:PATH",
		Short: "Say whether a path may be read or written, or a host reached, and why",
		Long: `Say whether a path may be read or written, or a host or unix socket reached,
which rule says so and where it is written, and the grant that changes it.
The exit status is 0 whatever the answer is.`,
		Args: exactly(1, "one PATH, net:HOST:PORT or unix:PATH"),
		RunE: func(c *cobra.Command, args []string) error {
			wanted, _, err := f.policy(p.policyInput())
			if err != nil {
				return err
			}
			// A host that cannot uphold the policy does not change what it says.
			prepared, err := p.prepare(c.Context(), f, wanted, sandbox.Options{})
			if _, ok := errors.AsType[*sandbox.Refusal](err); err != nil && !ok {
				return err
			}
			e, err := prepared.Explain(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, e)
			}
			p.printExplanation(e)
			return nil
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return c
}

func (p *program) printExplanation(e sandbox.Explanation) {
	line := func(format string, args ...any) { fmt.Fprintln(p.stdout, diag.Escape(fmt.Sprintf(format, args...))) }
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	line("%s", diag.Quote(e.Target))
	if e.Reach != nil {
		line("  reach:  %s", yes(*e.Reach))
	} else {
		line("  read:   %s", yes(*e.Read))
		line("  write:  %s", yes(*e.Write))
	}
	rule := e.Rule.Access
	if e.Rule.Path != "" {
		rule += " " + diag.Quote(e.Rule.Path)
	}
	line("  rule:   %s, from %s", rule, e.Rule.Origin)
	if e.Remedy != "" {
		line("  remedy: %s", e.Remedy)
	}
	if e.Grant != nil {
		line("  grant:  %s", e.Grant.Flags())
	}
}
