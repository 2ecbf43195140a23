// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/conformance/report"
	"github.com/caisson-sandbox/caisson/conformance/wraps"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

func (p *program) conformanceCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "conformance list|run|explain|merge",
		Short: "Judge a sandbox by a table of cases",
		Long: "Judge a sandbox: a backend of caisson, or any command that runs another command. Every case lays bait, has a\n" +
			"helper commit one act inside, and looks at the bait from outside; first it does the same without a sandbox.\n" +
			"See docs/authoring-a-backend.md.",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				remedy := "see " + c.CommandPath() + " --help"
				if near := nearest(c, args[0]); near != "" {
					remedy = near
				}
				return diag.New(diag.UsageInvalid, "unknown command "+diag.Quote("conformance "+args[0]), remedy)
			}
			return usageError(c, "say what to do: list, run, explain or merge")
		},
	}
	c.AddCommand(p.conformanceList(), p.conformanceRun(), p.conformanceExplain(), p.conformanceMerge())
	for _, sub := range c.Commands() {
		sub.DisableFlagsInUseLine = true
	}
	return c
}

// listedCase is a case as list and explain print it.
type listedCase struct {
	ID          string             `json:"id"`
	Title       string             `json:"title"`
	Guarantee   string             `json:"guarantee"`
	Requirement string             `json:"requirement"`
	Clause      string             `json:"clause"`
	Needs       []conformance.Need `json:"needs"`
	Meaning     string             `json:"meaning"`
	Seen        string             `json:"seen"`
}

func listedOf(c conformance.Case) listedCase {
	needs := c.Needs
	if needs == nil {
		needs = []conformance.Need{}
	}
	return listedCase{c.ID, c.Title, string(c.Guarantee), string(c.Requirement), c.Clause, needs, c.Meaning, c.Seen}
}

func (p *program) conformanceList() *cobra.Command {
	var asJSON bool
	var guarantees []string
	var match string
	c := &cobra.Command{
		Use:     "list [flags]",
		Short:   "List the cases",
		Example: "  caisson conformance list --guarantee net.offline",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			cases, err := conformance.Select(conformance.Config{Guarantees: guarantees, Match: match})
			if err != nil {
				return diag.New(diag.UsageInvalid, err.Error(), "caisson conformance list prints all ids")
			}
			if asJSON {
				all := []listedCase{}
				for _, one := range cases {
					all = append(all, listedOf(one))
				}
				return printJSON(p.stdout, all)
			}
			for _, one := range cases {
				group := string(one.Guarantee)
				if one.Duty() {
					group = "duty"
				}
				fmt.Fprintf(p.stdout, "%-14s %-6s %-24s %s\n", one.ID, one.Requirement, group, one.Title)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	selectFlags(c, &guarantees, &match)
	return c
}

func selectFlags(c *cobra.Command, guarantees *[]string, match *string) {
	c.Flags().StringArrayVar(guarantees, "guarantee", nil, "only cases of this guarantee, or \"duty\" (repeatable)")
	c.Flags().StringVar(match, "match", "", "only cases whose id matches this regular expression")
}

func (p *program) conformanceExplain() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "explain CASE…",
		Short:   "Say what a case tries, and what its failure means",
		Example: "  caisson conformance explain write-16",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var all []listedCase
			for _, id := range args {
				cases := conformance.Cases()
				i := slices.IndexFunc(cases, func(one conformance.Case) bool { return one.ID == id })
				if i < 0 {
					return usageError(c, "no case is called %s; caisson conformance list prints them", diag.Quote(id))
				}
				all = append(all, listedOf(cases[i]))
			}
			if asJSON {
				return printJSON(p.stdout, all)
			}
			for i, one := range all {
				if i > 0 {
					fmt.Fprintln(p.stdout)
				}
				what := "a duty"
				if one.Guarantee != "" {
					what = "breaks " + one.Guarantee
				}
				fmt.Fprintf(p.stdout, "%s: %s\n%s, %s; see docs/contract.md#%s\n", one.ID, one.Title, what, one.Requirement, one.Clause)
				if len(one.Needs) > 0 {
					fmt.Fprintf(p.stdout, "needs: %s\n", joinedNeeds(one.Needs))
				}
				fmt.Fprintf(p.stdout, "a failure means: %s\n", one.Meaning)
				if one.Seen != "" {
					fmt.Fprintf(p.stdout, "seen: %s\n", one.Seen)
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func joinedNeeds(needs []conformance.Need) string {
	var words []string
	for _, n := range needs {
		words = append(words, string(n))
	}
	return strings.Join(words, ", ")
}

func (p *program) conformanceRun() *cobra.Command {
	var o struct {
		backend, plugin, wrap, format, out, requirement string
		quiet                                           bool
		config                                          conformance.Config
	}
	c := &cobra.Command{
		Use:   "run [flags]",
		Short: "Run the cases against a backend or a command",
		Long: "Run the cases against a backend (--backend, by default the best of this host; --plugin, a program that is one) or\n" +
			"against a command that runs commands (--wrap). The status is 0 if nothing stands against it: no Must failed, nothing could not be judged,\n" +
			"and nothing that applies was left out.\n\n" +
			"--wrap takes a command line, split as a shell would split it, to which the command inside is added; or the name\n" +
			"of a wrap that comes with caisson (" + strings.Join(wraps.Names(), ", ") + "); or a .toml file. Words may hold {workspace},\n" +
			"{write}, {hide}, {protect}, {timeout}, {memory}, {processes}: such a word is repeated for each value, and dropped\n" +
			"where there is none. Without a file the tool is taken to promise every guarantee but net.allowlist and\n" +
			"events.denials.",
		Example: "  caisson conformance run\n" +
			"  caisson conformance run --guarantee net.offline --guarantee duty\n" +
			"  caisson conformance run --wrap 'bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --bind {workspace} {workspace} --unshare-all --' --format md\n" +
			"  caisson conformance run --wrap bubblewrap --out report/",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			defer p.endPlugins()
			target, err := p.target(c, o.backend, o.plugin, o.wrap)
			if err != nil {
				return err
			}
			if o.format == "text" {
				o.format = ""
			}
			if o.format != "" && !slices.Contains(report.Formats(), o.format) {
				return usageError(c, "no format is called %s; there are %s", diag.Quote(o.format), strings.Join(report.Formats(), ", "))
			}
			config := o.config
			config.Target, config.Requirement = target, conformance.Requirement(o.requirement)
			if _, err := conformance.Select(config); err != nil {
				return usageError(c, "%s", strings.TrimPrefix(err.Error(), "conformance: "))
			}
			if o.out != "" {
				if err := os.MkdirAll(o.out, 0o755); err != nil {
					return diag.New(diag.UsageInvalid, "--out: "+err.Error(), "name a directory that can be made")
				}
			}
			if !o.quiet {
				config.Result = p.progress(config)
			}
			// What the cases made is removed, and the report says what was not run.
			ctx, cancel := interruptible(c.Context())
			defer cancel()
			rep, err := conformance.Run(ctx, config)
			if err != nil {
				return err
			}
			if rep.Complete && !c.Flags().Changed("wrap") {
				p.keepVerdict(rep)
			}
			return p.deliver(rep, o.format, o.out)
		},
	}
	f := c.Flags()
	f.StringVar(&o.backend, "backend", "", "judge this backend of caisson")
	f.StringVar(&o.plugin, "plugin", "", "judge the backend whose program is `PATH`; it must be trusted")
	f.StringVar(&o.wrap, "wrap", "", "judge the command `'TOOL ARGS … --'`, a named wrap, or a wrap file")
	selectFlags(c, &o.config.Guarantees, &o.config.Match)
	f.StringVar(&o.requirement, "requirement", "", "only cases that weigh at least so much: must, should or may")
	f.StringVar(&o.format, "format", "", "print the report as `FORMAT`: text (the default), "+strings.Join(report.Formats(), ", "))
	f.StringVar(&o.out, "out", "", "write the report in every format into this `DIR`")
	f.IntVar(&o.config.Parallel, "parallel", 0, "how many cases run at once (default: twice the processors)")
	f.DurationVar(&o.config.CaseTimeout, "case-timeout", 15*time.Second, "bounds each run of a case")
	f.DurationVar(&o.config.Timeout, "timeout", 240*time.Second, "bounds the whole run; what is left then is counted as not run")
	f.Uint64Var(&o.config.Seed, "seed", 0, "start the random cases with this number of an earlier report")
	f.StringVar(&o.config.Work, "work", "", "make workspaces and bait below this `DIR`, which must be readable inside")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress")
	return c
}

// interruptible returns a context that ends with an interrupt.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// target is what is to be judged.
func (p *program) target(c *cobra.Command, backendName, plugin, wrap string) (conformance.Target, error) {
	if (backendName != "" || plugin != "") && c.Flags().Changed("wrap") {
		return nil, usageError(c, "--backend or --plugin and --wrap exclude each other")
	}
	if c.Flags().Changed("wrap") {
		w, err := readWrap(wrap)
		if err != nil {
			return nil, usageError(c, "--wrap: %s", err)
		}
		return w, nil
	}
	ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
	defer cancel()
	named, err := p.named(c.Context(), &flags{backend: backendName, plugin: plugin})
	if err != nil {
		return nil, err
	}
	if len(named.Backends) == 1 {
		return conformance.Backend(named.Backends[0]), nil
	}
	backends := sandbox.Backends()
	var names []string
	for _, b := range backends {
		names = append(names, b.Info().Name)
		if backendName == b.Info().Name {
			return conformance.Backend(b), nil
		}
	}
	if backendName != "" && backendName != "auto" {
		return nil, diag.New(diag.BackendUnknown, "no backend is called "+diag.Quote(backendName), "there are "+strings.Join(names, ", "))
	}
	for _, candidate := range sandbox.Probe(ctx, backends) {
		if candidate.Report.Usable {
			i := slices.Index(names, candidate.Info.Name)
			return conformance.Backend(backends[i]), nil
		}
	}
	return nil, diag.New(diag.GuaranteeUnmet, "no backend can be used on this host", "caisson doctor says why; --wrap judges another tool")
}

// readWrap reads the value of --wrap.
func readWrap(value string) (conformance.Wrap, error) {
	if slices.Contains(wraps.Names(), value) {
		return wraps.Named(value)
	}
	if strings.HasSuffix(value, ".toml") && !strings.ContainsAny(value, " \t\n") {
		data, err := os.ReadFile(value)
		if err != nil {
			return conformance.Wrap{}, err
		}
		return wraps.Decode(value, data)
	}
	return conformance.ParseWrap(value)
}

func (p *program) conformanceMerge() *cobra.Command {
	var format, out string
	c := &cobra.Command{
		Use:     "merge [flags] REPORT.json…",
		Short:   "Lay reports side by side: targets and hosts across, cases down",
		Example: "  caisson conformance merge --format md ubuntu.json debian.json > matrix.md",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(report.MatrixFormats(), format) {
				return usageError(c, "no format is called %s; there are %s", diag.Quote(format), strings.Join(report.MatrixFormats(), ", "))
			}
			var reports []report.Report
			for _, name := range args {
				data, err := os.ReadFile(name)
				if err != nil {
					return diag.New(diag.UsageInvalid, err.Error(), "name reports that caisson conformance run wrote with --format json")
				}
				r, err := report.Decode(name, data)
				if err != nil {
					return diag.New(diag.UsageInvalid, err.Error(), "name reports that caisson conformance run wrote with --format json")
				}
				reports = append(reports, *r)
			}
			matrix := report.Merge(reports)
			if out != "" {
				return writeReport(out, format, matrix.Write)
			}
			return matrix.Write(p.stdout, format)
		},
	}
	c.Flags().StringVar(&format, "format", "md", "print the matrix as `FORMAT`: "+strings.Join(report.MatrixFormats(), ", "))
	c.Flags().StringVar(&out, "out", "", "write to this `FILE` instead of the standard output")
	return c
}
