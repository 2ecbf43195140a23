// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/core/caches"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/launch"
	"github.com/caisson-sandbox/caisson/core/policy"
)

func (p *program) gcCommand() *cobra.Command {
	var clear bool
	c := &cobra.Command{
		Use:   "gc",
		Short: "Remove what killed runs left",
		Long: "Remove what runs left that were killed before they could do so, and caches of build tools that nobody used for a\n" +
			"month, or that are too many. Sandboxes that live are not disturbed; a run that was killed just now is waited for, for a\n" +
			"second, and what is still held then is told.",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			state := policy.OSHost().OwnDirs().State
			if err := policy.CheckState(state); err != nil {
				return err
			}
			found := 0
			err := launch.Collect(state, func(d diag.Diagnostic) {
				found++
				fmt.Fprintln(p.stdout, diag.Escape(d.String()))
			})
			if err != nil {
				return fmt.Errorf("remove what is left: %w", err)
			}
			removed, err := caches.Trim(context.Background(), filepath.Join(state, "caches"), caches.Bound())
			for _, store := range removed {
				found++
				fmt.Fprintln(p.stdout, "removed the caches "+diag.Quote(store)+", which were used longest ago")
			}
			if err != nil {
				return fmt.Errorf("remove old caches: %w", err)
			}
			if clear {
				if err := caches.Remove(filepath.Join(state, "caches")); err != nil {
					return fmt.Errorf("remove the caches: %w", err)
				}
				fmt.Fprintln(p.stdout, "the caches of all workspaces were removed")
			} else if found == 0 {
				fmt.Fprintln(p.stdout, "nothing was left")
			}
			return nil
		},
	}
	c.Flags().BoolVar(&clear, "caches", false, "remove the private caches of build tools too")
	return c
}

func (p *program) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return printJSON(p.stdout, map[string]string{
					"version": outcome.Version(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
				})
			}
			_, err := fmt.Fprintf(p.stdout, "caisson %s %s/%s %s\n", outcome.Version(), runtime.GOOS, runtime.GOARCH, runtime.Version())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p *program) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Print the completion script of a shell",
		Example:   "  source <(caisson completion bash)",
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      exactly(1, "the name of a shell: bash, zsh, fish or powershell"),
		RunE: func(c *cobra.Command, args []string) error {
			root := p.root(commands()...)
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(p.stdout, true)
			case "zsh":
				return root.GenZshCompletion(p.stdout)
			case "fish":
				return root.GenFishCompletion(p.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(p.stdout)
			}
			return usageError(c, "there is no completion for %s", diag.Quote(args[0]))
		},
	}
}
