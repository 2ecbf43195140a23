// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy/foreign"
)

// maxForeign bounds a settings file, in bytes; what reads it allows less.
const maxForeign = 4 << 20

func (p *program) policyImport() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "import [flags] srt|claude|codex FILE",
		Short: "Print the policy that the settings of another tool come to",
		Long: `Print the policy that the settings of another tool come to: of srt (the sandbox
runtime), of Claude Code (settings.json) or of Codex (config.toml). What has no
equivalent stands in comments, with the reason. Nothing is applied.`,
		Example: "  caisson policy import claude ~/.claude/settings.json > policy.toml",
		Args:    exactly(2, "the name of a tool, srt, claude or codex, and one FILE"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return foreign.Tools(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if !slices.Contains(foreign.Tools(), args[0]) {
				_, err := foreign.Read(args[0], args[1], nil)
				return err
			}
			text, err := readForeign(args[1])
			if err != nil {
				return diag.New(diag.UsageInvalid, diag.Quote(args[1])+": "+cause(err).Error(), "")
			}
			got, err := foreign.Read(args[0], args[1], text)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, got)
			}
			_, err = fmt.Fprint(p.stdout, got.TOML())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the values and what was lost as JSON")
	return c
}

func readForeign(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("it is no regular file"))
	}
	return io.ReadAll(io.LimitReader(file, maxForeign))
}
