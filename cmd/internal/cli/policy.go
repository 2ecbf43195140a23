// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

func (p *program) policyCommand() *cobra.Command {
	return group("policy", "Make, check, print and trust policy files",
		p.policyInit(), p.policyCheck(), p.policyPrint(), p.policySchema(), p.policyImport(), p.policyTrust(), p.policyUntrust())
}

// policyTemplate is what `caisson policy init` writes: the standard policy,
// with what is often added as comments.
const policyTemplate = `# Policy of caisson for this project. It may tighten what holds anyway; what
# widens it counts once a person has read it and said: caisson policy trust FILE
# See caisson help policy.
version = 1

[files]
# protect = ["vendor"]       # readable, not writable
# hide    = ["testdata/key"] # neither read nor listed
# write   = ["~/.cache/tool"] # writable too

[network]
mode = "offline"

[limits]
# time = "10m"
`

func (p *program) policyInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a policy file to begin with, .caisson.toml by default",
		Long:  "Write a policy file to begin with, .caisson.toml by default. A file that exists is never changed.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := ".caisson.toml"
			if len(args) == 1 {
				name = args[0]
			}
			file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				p.say(diag.Quote(name) + " exists and was not changed")
				return status(statusNo)
			}
			if err != nil {
				return fmt.Errorf("write a policy: %w", err)
			}
			_, err = file.WriteString(policyTemplate)
			if closed := file.Close(); err == nil {
				err = closed
			}
			if err != nil {
				return fmt.Errorf("write a policy: %w", err)
			}
			fmt.Fprintln(p.stdout, diag.Quote(name)+" was written")
			return nil
		},
	}
}

func (p *program) policyCheck() *cobra.Command {
	var layer string
	c := &cobra.Command{
		Use:   "check [flags] FILE...",
		Short: "Say what is wrong with policy files",
		Long: `Say what is wrong with policy files, by file and line. The exit status is 1 if
anything is. What a file may set depends on its layer: one called .caisson.toml is
a project's, the one in its place the system's, any other the user's. Notes say
what a run may refuse all the same, since it depends on trust, flags or other files.`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError(c, "no file to check is named")
			}
			kinds := []policy.LayerKind{policy.LayerUser, policy.LayerProject, policy.LayerSystem}
			i := slices.IndexFunc(kinds, func(k policy.LayerKind) bool { return k.String() == layer })
			if layer != "" && i < 0 {
				return usageError(c, "unknown layer %s: write user, project or system", diag.Quote(layer))
			}
			bad := false
			for _, name := range args {
				kind := policy.LayerOf(name)
				if layer != "" {
					kind = kinds[i]
				}
				if err := p.checkFile(name, kind); err != nil {
					p.complain(err)
					bad = true
				}
			}
			if bad {
				return status(statusNo)
			}
			return nil
		},
	}
	c.Flags().StringVar(&layer, "layer", "", "check as the file of `LAYER`: user, project or system")
	return c
}

func (p *program) policyPrint() *cobra.Command {
	f := &flags{}
	var origins, asJSON bool
	c := &cobra.Command{
		Use:   "print [flags]",
		Short: "Print the policy that the files and flags add up to",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			wanted, _, err := f.policy(p.stdin)
			if err != nil {
				return err
			}
			switch {
			case asJSON && origins:
				return printJSON(p.stdout, wanted.Settings())
			case asJSON:
				return printJSON(p.stdout, wanted)
			}
			_, err = fmt.Fprint(p.stdout, policyText(wanted, origins))
			return err
		},
	}
	f.add(c)
	c.Flags().BoolVar(&origins, "origins", false, "say where each value was set")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// policyText gives one line for each value in force.
func policyText(wanted policy.Policy, origins bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version = %d\n", policy.Version)
	for _, s := range wanted.Settings() {
		line := s.Name + " = " + diag.Quote(s.Value)
		if origins {
			line = fmt.Sprintf("%-48s # %s", line, s.Origin)
		}
		b.WriteString(diag.Escape(line) + "\n")
	}
	return b.String()
}

func (p *program) policySchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of policy files",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := policy.Schema()
			if err == nil {
				_, err = p.stdout.Write(text)
			}
			return err
		},
	}
}
