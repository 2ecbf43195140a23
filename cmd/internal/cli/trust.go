// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// checkFile reads a policy file as run would, and prints the notes.
func (p *program) checkFile(name string, kind policy.LayerKind) error {
	text, err := policy.ReadFile(name, p.stdin)
	if err != nil {
		return err
	}
	notes, err := policy.CheckFile(name, text, kind)
	for _, d := range notes {
		p.note(d)
	}
	return err
}

func (p *program) policyTrust() *cobra.Command {
	return &cobra.Command{
		Use:   "trust FILE",
		Short: "Let a project's policy file widen what holds, as it is now",
		Long: `Let a project's policy file widen what holds. Read it first. The trust ends when
the file changes.`,
		Args: exactly(1, "one FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			sources, err := policy.DefaultSources()
			if err != nil {
				return err
			}
			if err := policy.Trust(sources.TrustFile, args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.stdout, diag.Quote(args[0])+" is trusted as it is now")
			return err
		},
	}
}

func (p *program) policyUntrust() *cobra.Command {
	return &cobra.Command{
		Use:   "untrust FILE",
		Short: "Take the trust in a policy file back",
		Long:  "Take the trust in a policy file back. The exit status is 1 if it was not trusted.",
		Args:  exactly(1, "one FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			sources, err := policy.DefaultSources()
			if err != nil {
				return err
			}
			trusted, err := policy.Untrust(sources.TrustFile, args[0])
			if err != nil {
				return err
			}
			if !trusted {
				p.say(diag.Quote(args[0]) + " was not trusted")
				return status(statusNo)
			}
			_, err = fmt.Fprintln(p.stdout, diag.Quote(args[0])+" is not trusted any more")
			return err
		},
	}
}
