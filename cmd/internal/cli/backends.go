// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/conformance/report"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/selector"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// listed is what backends says of one backend.
type listed struct {
	Info    backend.Info      `json:"info"`
	Report  backend.Report    `json:"report"`
	Error   string            `json:"error,omitempty"`
	Chosen  bool              `json:"chosen"`  // by auto, for the standard contract
	Why     string            `json:"why"`     // it was chosen, or not
	Plugin  *registry.Plugin  `json:"plugin"`  // null for a built-in one
	Verdict *registry.Verdict `json:"verdict"` // of the last conformance run
}

func (p *program) backendsCommand() *cobra.Command {
	var explain, asJSON bool
	c := &cobra.Command{
		Use:   "backends",
		Short: "List the backends, and which one a standard policy gets",
		Long: `List the backends, those that are built in and those that are plugins, with
whether a plugin is trusted, how the last conformance run judged it, and which
one a standard policy gets. Trusted plugins are run to ask them.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			defer p.endPlugins()
			list, err := p.listBackends(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, list)
			}
			p.printBackends(list, explain)
			return nil
		},
	}
	c.Flags().BoolVar(&explain, "explain", false, "say why one is chosen and others are not")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the facts of the host")
	return c
}

// listBackends asks the built-in backends and the trusted plugins, and lists
// the other plugins after them.
func (p *program) listBackends(ctx context.Context) ([]listed, error) {
	places := registry.Default()
	plugins, err := places.List()
	if err != nil {
		return nil, err
	}
	asked := true
	if slices.ContainsFunc(plugins, func(f registry.Plugin) bool { return f.State == registry.Trusted }) {
		if asked = p.hosting != nil || p.canHandOver(); asked {
			if _, err := p.startAll(ctx, false); err != nil {
				return nil, err
			}
		}
	}
	verdicts, err := places.Verdicts()
	if err != nil {
		return nil, err
	}
	candidates := p.weigh(ctx)
	choice, none := selector.Choose(guarantee.Standard(), nil, "auto", candidates)
	list := []listed{}
	for i, c := range candidates {
		l := listed{Info: c.Info, Report: c.Report, Chosen: none == nil && c.Info.Name == choice.Info.Name}
		if c.Err != nil {
			l.Error = c.Err.Error()
		}
		if n := i - (len(candidates) - len(p.running)); n >= 0 {
			if f, ok := p.running[n].(interface{ Found() registry.Plugin }); ok {
				found := f.Found()
				l.Plugin, l.Verdict = &found, found.Verdict
			}
		} else if v, ok := verdicts[c.Info.Name]; ok && v.SHA256 == "" && v.Version == c.Info.Version {
			l.Verdict = &v
		}
		list = append(list, l)
	}
	for i := range list {
		list[i].Why = whyChosen(list, i)
	}
	for _, found := range plugins {
		if slices.ContainsFunc(list, func(l listed) bool { return l.Plugin != nil && l.Plugin.Path == found.Path }) {
			continue
		}
		l := listed{Info: backend.Info{Name: found.Name}, Plugin: &found, Verdict: found.Verdict, Error: "it was not asked", Why: "it could not be started"}
		if err := found.Usable(); err != nil {
			l.Error, l.Why = err.Error(), "it is "+string(found.State)
		} else if !asked {
			l.Why = "caisson-full, which hosts plugins, is not installed"
		}
		list = append(list, l)
	}
	return list, nil
}

// whyChosen says why auto takes a backend for the standard contract or not, in
// the order in which the selector weighs.
func whyChosen(list []listed, i int) string {
	l, need := list[i], guarantee.Standard()
	missing := l.Report.Offers.Missing(need)
	best := slices.IndexFunc(list, func(l listed) bool { return l.Chosen })
	switch {
	case l.Error != "":
		return "it cannot be asked"
	case !l.Report.Usable:
		return "it is not usable on this host"
	case len(missing) > 0:
		return "it does not uphold " + joined(missing)
	case l.Chosen:
		return "it upholds the standard contract, and none that does has a higher rank"
	case best >= 0 && list[best].Info.Rank > l.Info.Rank:
		return fmt.Sprintf("it upholds the standard contract; %s does too and has the higher rank", list[best].Info.Name)
	}
	return "it upholds the standard contract; its name comes later"
}

func (p *program) printBackends(list []listed, explain bool) {
	if len(list) == 0 {
		fmt.Fprintln(p.stdout, "there is no backend for this system in this version")
	}
	line := func(s string) { fmt.Fprintln(p.stdout, "          "+diag.Escape(s)) }
	for _, l := range list {
		word := "usable"
		switch {
		case l.Chosen:
			word = "chosen"
		case l.Plugin != nil && l.Plugin.State != registry.Trusted:
			word = string(l.Plugin.State)
		case l.Error != "" || !l.Report.Usable:
			word = "unusable"
		}
		what := "built in"
		if l.Plugin != nil {
			what = fmt.Sprintf("plugin, %s, %s", l.Plugin.State, diag.Quote(l.Plugin.Path))
		}
		fmt.Fprintln(p.stdout, diag.Escape(fmt.Sprintf("%-9s %s %s (%s)", word, l.Info.Name, l.Info.Version, what)))
		if l.Verdict != nil {
			line(verdictWords(*l.Verdict))
		}
		if !explain {
			continue
		}
		line(l.Why)
		if l.Error != "" {
			line(l.Error)
		}
		line(fmt.Sprintf("upholds %d guarantees, rank %d", len(l.Report.Offers), l.Info.Rank))
		if l.Info.OneCommand {
			line("a sandbox takes one command")
		}
		for _, u := range l.Report.Unmet {
			note := diag.Diagnostic{Message: fmt.Sprintf("%s: %s", u.ID, u.Reason), Remedy: u.Remedy}
			line(note.String())
		}
	}
	if explain && !slices.ContainsFunc(list, func(l listed) bool { return l.Chosen }) {
		p.say("none is chosen: none upholds the standard contract on this host")
	}
}

// keepVerdict keeps what a whole run of the conformance suite came to, for
// `caisson backends`. A state that cannot be written to is no reason to hold
// back the report.
func (p *program) keepVerdict(rep *report.Report) {
	name := rep.Target.Name
	v := registry.Verdict{
		Version: rep.Target.Version, Passed: rep.Conformant, Cases: len(rep.Results),
		Failed: rep.Counts[report.Fail] + rep.Counts[report.Error], Time: rep.Date,
	}
	for _, b := range p.running {
		if f, ok := b.(interface{ Found() registry.Plugin }); ok && b.Info().Name == name {
			name, v.SHA256 = f.Found().Name, f.Found().SHA256
		}
	}
	if err := registry.Default().Record(name, v); err != nil {
		p.say("the verdict is not kept for caisson backends: " + err.Error())
	}
}
