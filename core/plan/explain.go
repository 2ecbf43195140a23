// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// explain says how the sandbox's network is joined to the host's.
func (st Egress) explain() string {
	text := ""
	if st.Proxy != 0 {
		text += fmt.Sprintf(", with a proxy at port %d for what the policy lists", st.Proxy)
	}
	if len(st.Loopback) > 0 {
		text += fmt.Sprintf("; port %s of the host's loopback can be reached", Ports(st.Loopback))
	}
	if len(st.Publish) > 0 {
		text += fmt.Sprintf("; port %s can be reached from the host's loopback", Ports(st.Publish))
	}
	return text
}

// Ports lists ports for a sentence.
func Ports(ports []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(ports)), ", "), "[]")
}

// Explain writes the plan for people: what commands may do, and who upholds
// each guarantee. Control characters of paths are escaped.
func (p *Plan) Explain(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(out, "backend %s for %s/%s\n", p.Backend, p.OS, p.Arch)
	var groups [6][]string
	titles := [...]string{"writable", "protected", "shown", "kept from being created", "hidden", "moved away when it appears"}
	network := "the host's"
	for _, s := range p.Steps {
		switch st := s.(type) {
		case Namespaces:
			for _, k := range st.Kinds {
				if k == "net" {
					network = "none but a loopback of its own"
				}
			}
		case Bind:
			switch st.Role {
			case "root", "write":
				groups[0] = append(groups[0], st.Path)
			case "protect":
				groups[1] = append(groups[1], st.Path)
			case "show":
				groups[2] = append(groups[2], st.Path)
			}
		case Private:
			if !st.ReadOnly {
				groups[0] = append(groups[0], st.Path+" (private)")
			}
		case Hold:
			groups[3] = append(groups[3], st.Path)
		case Cover:
			groups[4] = append(groups[4], st.Path)
		case Egress:
			network += st.explain()
		case TempDir:
			groups[0] = append(groups[0], st.Parent+"/* (private)")
		case Landlock:
			if p.Fenced() {
				fenceGroups(st, &groups)
			}
		case Seccomp:
			if p.Fenced() && st.refuses("socket", afInet) {
				network = "none, a loopback neither"
			}
		case Seatbelt:
			network = seatbeltNetwork(st)
			for i, list := range [][]string{st.Write, st.Protect, st.Show, st.Absent, append(slices.Clone(st.Hide), st.Private...)} {
				groups[i] = append(groups[i], list...)
			}
		case Watch:
			groups[5] = append(groups[5], st.Quarantine...)
		case Wrap:
			network = "as the wrappers make it, see below"
		}
	}
	if p.Windows != nil {
		network = p.Windows.explain(&groups)
	}
	fmt.Fprintf(out, "network: %s\n", network)
	for i, paths := range groups {
		if len(paths) == 0 {
			continue
		}
		fmt.Fprintf(out, "%s:\n", titles[i])
		for _, name := range paths {
			name, private := strings.CutSuffix(name, " (private)")
			fmt.Fprintf(out, "  %s", diag.Quote(name))
			if private {
				fmt.Fprint(out, " (private, gone afterwards)")
			}
			fmt.Fprintln(out)
		}
	}
	wrap, wrapped := p.Wrapped()
	if wrapped {
		wrap.explain(out)
	}
	if len(groups[0]) == 0 && !wrapped {
		fmt.Fprintln(out, "writable: nothing")
	}
	fmt.Fprintln(out, "guarantees:")
	for _, i := range guarantee.All() {
		if c, ok := p.Claims[i.ID]; ok {
			fmt.Fprintf(out, "  %s\theld by %s\t%s\n", i.ID, c.By, c.Note)
		}
	}
	for _, u := range p.Unmet {
		fmt.Fprintf(out, "  %s\tNOT HELD\t%s", u.ID, u.Reason)
		if u.Remedy != "" {
			fmt.Fprintf(out, "; %s", u.Remedy)
		}
		fmt.Fprintln(out)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(out, "note: %s\n", n)
	}
	return out.Flush()
}
