// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// learned is what learn prints with --json.
type learned struct {
	Schema int `json:"schema"`
	sandbox.Proposal
	Policy string `json:"policy"` // as TOML
}

func (p *program) learnCommand() *cobra.Command {
	j := &job{program: p}
	var asJSON bool
	c := &cobra.Command{
		Use:   "learn [flags] [--] COMMAND [ARGUMENT...]",
		Short: "Run a command, and propose a policy that allows what was denied",
		Long: `Run a command in a sandbox as run --trace-denials does, and print a policy that
allows what was denied to it. Nothing is applied: the command chose what it tried,
so a person should read each line. What would show hidden files or let protected
ones be written is marked and stands in comments.

The proposal goes to the standard output, all output of the command to the standard
error. The exit status is that of run.`,
		Example: "  caisson learn -- make install > proposal.toml",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return j.refuse(usageError(c, "no command to run is named"))
			}
			j.flags.trace = true
			out := p.stdout
			p.stdout = p.stderr
			j.ended = func(r sandbox.Result) error {
				proposal := sandbox.Propose(r.Denials, r.DenialsMore)
				if asJSON {
					return printJSON(out, learned{1, proposal, proposal.TOML()})
				}
				_, err := io.WriteString(out, proposal.TOML())
				return err
			}
			return j.run(c.Context(), args)
		},
	}
	c.Flags().SetInterspersed(false)
	j.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the proposal as JSON")
	return c
}
