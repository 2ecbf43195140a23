// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"fmt"
	"path"
	"slices"

	"github.com/caisson-sandbox/caisson/backends/seatbelt/internal/sbpl"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// compile makes the plan of a policy on a host of these facts. Where proxy, who
// executes it serves caisson's proxy for a policy that lists hosts. It is pure.
func compile(f Facts, r *policy.Resolved, proxy bool) (*plan.Plan, error) {
	if r.OS() != "darwin" {
		return nil, diag.New(diag.ModeUnsupported, fmt.Sprintf("%s cannot uphold a policy for %s", Name, diag.Quote(r.OS())), "")
	}
	dirs := []string{"/private/tmp", "/private/var/tmp", f.Temp}
	rules, temp := withTemp(r.Rules(), dirs)
	g := &generator{policy: r, regions: regions(rules), temp: dirs, proxy: proxy && r.Network().Mode == policy.Allowlist}
	for _, in := range g.regions {
		in.temp = temp[in.rule.Path]
	}
	if r.Tmp() == "" {
		g.tmpDir = path.Join(f.Temp, "caisson")
	}
	if err := g.refuse(); err != nil {
		return nil, err
	}
	text, err := sbpl.Print(g.profile())
	if err != nil {
		return nil, diag.New(diag.ModeUnsupported, "the policy cannot be said in a profile of macOS: "+err.Error(), "")
	}
	p := &plan.Plan{Format: plan.Format, Backend: Name, OS: "darwin", Arch: f.Arch}
	if g.tmpDir != "" {
		p.Steps = append(p.Steps, plan.TempDir{Parent: g.tmpDir})
	}
	watch := plan.Watch{Git: r.GitDirs()}
	for _, rule := range r.Rules() {
		switch rule.Hold {
		case policy.HoldQuarantine:
			watch.Quarantine = append(watch.Quarantine, rule.Path)
		case policy.HoldReport:
			watch.Report = append(watch.Report, rule.Path)
		}
	}
	if len(watch.Quarantine)+len(watch.Report)+len(watch.Git) > 0 {
		p.Steps = append(p.Steps, watch)
	}
	p.Steps = append(p.Steps, plan.Limits{Milliseconds: r.Limits().Time.Milliseconds()}, plan.ProcessGroup{Own: true}, g.summary(text))
	p.Env = backend.Environment(g.policy, g.policy.Tmp(), backend.Proxy{}) // who executes it adds those of a directory and of a proxy that it makes
	p.Notes = notes(r)
	p.Claims, p.Unmet = claims(f, g)
	return p, nil
}

// refuse refuses what a policy may say and this backend cannot uphold.
func (g *generator) refuse() error {
	for _, r := range g.regions {
		if r.access() == policy.Write && within(dataVolume, r.rule.Path) {
			short := path.Join("/", r.rule.Path[len(dataVolume):])
			return diag.New(diag.RootUnwritable, diag.Quote(r.rule.Path)+" is not the name by which macOS knows this directory",
				"name it "+diag.Quote(short))
		}
	}
	if g.tmpDir == "" {
		return nil
	}
	in := g.around(g.tmpDir)
	if in != nil && in.temp {
		in = in.outer
	}
	if in != nil && in.access() != policy.Write {
		return diag.New(diag.ModeUnsupported, fmt.Sprintf("the directory for temporary files, %s, lies in %s, which the policy shuts", diag.Quote(g.tmpDir), diag.Quote(in.rule.Path)),
			"name a directory with --tmp DIR, or set TMPDIR")
	}
	for _, r := range g.regions {
		if within(g.tmpDir, r.rule.Path) {
			return diag.New(diag.ModeUnsupported, fmt.Sprintf("%s lies among the temporary directories of sandboxes", diag.Quote(r.rule.Path)), "name another directory")
		}
	}
	return nil
}

// summary is the step of a profile, with what it means for people.
func (g *generator) summary(text string) plan.Seatbelt {
	s := plan.Seatbelt{Profile: text, Network: "none"}
	n := g.policy.Network()
	if n.Mode != policy.Online {
		s.Ports = slices.Concat(n.Loopback, n.Publish)
		slices.Sort(s.Ports)
		s.Ports = slices.Compact(s.Ports)
	}
	switch {
	case n.Mode == policy.Online:
		s.Network = "host"
	case g.proxy:
		s.Network = "proxy"
	case len(s.Ports) > 0:
		s.Network = "ports"
	}
	for _, r := range g.regions {
		outer, name := r.outer.access(), r.rule.Path
		switch {
		case r.temp:
			s.Private = append(s.Private, name)
		case r.access() == policy.Write && outer != policy.Write:
			s.Write = append(s.Write, name)
		case r.access() == policy.Hidden && outer != policy.Hidden:
			s.Hide = append(s.Hide, name)
		case r.access() == policy.Read && outer == policy.Hidden:
			s.Show = append(s.Show, name)
		case r.access() == policy.Read && outer == policy.Write && r.rule.Kind == policy.KindAbsent:
			s.Absent = append(s.Absent, name)
		case r.access() == policy.Read && outer == policy.Write:
			s.Protect = append(s.Protect, name)
		}
	}
	return s
}

func notes(r *policy.Resolved) []diag.Diagnostic {
	list := []diag.Diagnostic{{Code: diag.NeverRun,
		Message: "the sandbox of macOS is MODELLED and CROSS-COMPILED, and was NEVER RUN by those who wrote it",
		Remedy:  "see docs/macos.md for what a Mac has to show"}}
	switch n := r.Network(); {
	case n.Mode == policy.Online:
		list = append(list, diag.Diagnostic{Code: diag.NetworkOpen,
			Message: "the network is the host's as it is: what listens on the host's loopback and on the local network can be reached"})
	case len(n.Loopback)+len(n.Publish) > 0:
		list = append(list, diag.Diagnostic{Code: diag.NetworkOpen,
			Message: "macOS has no loopback for a sandbox alone: the ports that the policy names are those of the host, and it may count addresses of the host's own interfaces as its loopback"})
	}
	return list
}
