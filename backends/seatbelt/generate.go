// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"path"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/backends/seatbelt/internal/sbpl"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// The laws that the generated profile keeps, so that it means the same whether
// libsandbox takes the last rule of the file that matches or looks an operation
// up by itself before its wildcard parents (both were reported):
//
//   - an operation that is allowed for everything is named once, at the top,
//     by its widest name, and only narrowed afterwards;
//   - all allowances stand before all denials;
//   - nothing is allowed again inside what is denied: a denial leaves that out
//     itself, by require-not;
//   - a denial names every operation that was allowed on its objects.

// Names of parameters, see plan.Seatbelt.
const (
	paramTmp   = "TMP"
	paramTTY   = "TTY"
	paramProxy = "PROXY"
)

// dataVolume is where the volume of the user's files is mounted. Its
// directories appear under "/" by firm links, and the kernel calls a file by
// the short path; some releases did not always.
const dataVolume = "/System/Volumes/Data"

// generator makes the profile of one policy.
type generator struct {
	policy  *policy.Resolved
	regions []*region
	tmpDir  string   // parent of the private temporary directory; empty: the caller's own is used
	temp    []string // the host's directories for temporary files
	proxy   bool     // what the policy lists is reached through caisson's proxy
}

func (g *generator) profile() *sbpl.Profile {
	return &sbpl.Profile{Sections: slices.Concat(
		allowances(),
		[]sbpl.Section{g.writable(), g.sockets(), g.network(), g.services()},
		[]sbpl.Section{g.devices(), g.volume(), g.metadata(), g.roots(), g.protected(), g.hidden(), g.others()},
	)}
}

func literal(name string) sbpl.Expr { return sbpl.Literal(sbpl.String(name)) }
func subpath(name string) sbpl.Expr { return sbpl.Subpath(sbpl.String(name)) }
func tmpPath() sbpl.Expr            { return sbpl.Param(paramTmp) }

func allow(ops ...string) sbpl.Rule { return sbpl.Rule{Allow: true, Ops: ops} }
func deny(ops ...string) sbpl.Rule  { return sbpl.Rule{Ops: ops} }

// about completes a rule with what it is about; no filters, no rule.
func about(r sbpl.Rule, filters ...sbpl.Expr) []sbpl.Rule {
	if len(filters) == 0 {
		return nil
	}
	r.Filters = filters
	return []sbpl.Rule{r}
}

// writable allows the outermost writable regions. What is writable inside one
// is allowed with it, and left out of the denials.
func (g *generator) writable() sbpl.Section {
	var filters []sbpl.Expr
	for _, r := range g.regions {
		if r.access() == policy.Write && !r.inside(policy.Write) {
			filters = append(filters, subpath(r.rule.Path))
		}
	}
	if in := g.around(g.tmpDir); g.tmpDir != "" && in.access() != policy.Write {
		filters = append(filters, sbpl.Subpath(tmpPath()))
	}
	return sbpl.Section{
		Comment: "What the policy lets be written. file-link is about the file that gets a\nsecond name.",
		Rules:   about(allow("file-write*", "file-link"), filters...),
	}
}

// everywhere reports whether the whole file system is a writable root.
func (g *generator) everywhere() bool {
	return slices.ContainsFunc(g.regions, func(r *region) bool { return r.access() == policy.Write && r.rule.Path == "/" })
}

// volume keeps the other name of the data volume from being a way around what
// is protected by the usual one.
func (g *generator) volume() sbpl.Section {
	s := sbpl.Section{Comment: "Nothing is written under the second name of the data volume."}
	if g.everywhere() {
		s.Rules = about(deny("file-write*", "file-link"), subpath(dataVolume))
	}
	return s
}

// metadata keeps programs from becoming somebody else: a set-user-id program
// of the caller would run as the caller for every user of the machine.
func (*generator) metadata() sbpl.Section {
	return sbpl.Section{
		Comment: "No set-user-id or set-group-id bits.",
		Rules:   about(deny("file-write-setugid"), subpath("/")),
	}
}

// roots keeps each writable root, and each directory between a root and
// something that is restricted inside it, in its place: whoever moved one away
// and made it anew would leave the restriction behind.
func (g *generator) roots() sbpl.Section {
	var pins []string
	pin := func(name string) {
		if !slices.Contains(pins, name) {
			pins = append(pins, name)
		}
	}
	way := func(in *region, name string) {
		for in.outer.access() == policy.Write {
			in = in.outer
		}
		for _, dir := range between(in.rule.Path, name) {
			pin(dir)
		}
	}
	for _, r := range g.regions {
		switch {
		case r.access() == policy.Write && r.outer.access() != policy.Write:
			if r.rule.Path != "/" {
				pin(r.rule.Path)
			}
		case r.access() != policy.Write && r.outer.access() == policy.Write:
			way(r.outer, r.rule.Path)
		}
	}
	if in := g.around(g.tmpDir); g.tmpDir != "" && in.access() == policy.Write {
		way(in, g.tmpDir)
	}
	var filters []sbpl.Expr
	for _, name := range pins {
		filters = append(filters, literal(name))
	}
	if g.tmpDir != "" {
		filters = append(filters, sbpl.Literal(tmpPath()))
	}
	return sbpl.Section{
		Comment: "Writable roots, and the directories between them and what is restricted in\nthem, stay where they are.",
		Rules:   about(deny("file-write-create", "file-write-unlink"), filters...),
	}
}

// protected keeps what is restricted inside something writable from being
// changed, replaced and, where it is absent, made.
func (g *generator) protected() sbpl.Section {
	s := sbpl.Section{Comment: "What is not writable inside something that is, present or absent, in every\nspelling."}
	for _, r := range g.regions {
		if r.access() == policy.Write || r.outer.access() != policy.Write {
			continue
		}
		filter := spelledOut(r.rule.Path)
		if again := r.carved(func(a policy.Access) bool { return a == policy.Write }); len(again) > 0 {
			filter = []sbpl.Expr{sbpl.All(append([]sbpl.Expr{sbpl.Any(filter...)}, notBelow(again)...)...)}
		}
		s.Rules = append(s.Rules, about(deny("file-write*", "file-link"), filter...)...)
	}
	return s
}

// hidden keeps what is hidden, and the host's temporary files, from being read,
// run, copied or given another name. Directories on the way to what is shown inside may be looked at, not
// listed: programs ask for them to find the real path of what they opened.
func (g *generator) hidden() sbpl.Section {
	s := sbpl.Section{Comment: "What is hidden, in every spelling. Where something inside it is shown, the\ndirectories on the way have metadata and no content."}
	var home *region // that the private temporary directory is in
	if g.tmpDir != "" {
		home = g.around(g.tmpDir)
	}
	for _, r := range g.regions {
		if r.access() != policy.Hidden || r.outer != nil && r.outer.access() == policy.Hidden {
			continue
		}
		filter := spelledOut(r.rule.Path)
		if long := path.Join(dataVolume, r.rule.Path); !within(dataVolume, r.rule.Path) && !r.inside(policy.Hidden) {
			filter = append(filter, subpath(long))
		}
		shown := r.carved(func(a policy.Access) bool { return a != policy.Hidden })
		own := r == home
		if len(shown) == 0 && !r.temp {
			s.Rules = append(s.Rules, about(deny(readOps()...), filter...)...)
			continue
		}
		parts := append([]sbpl.Expr{sbpl.Any(filter...)}, notBelow(shown)...)
		if own {
			parts = append(parts, sbpl.Not(sbpl.Subpath(tmpPath())))
		}
		s.Rules = append(s.Rules, about(deny(append([]string{"file-read-data", "file-read-xattr"}, readOps()[1:]...)...), all(parts))...)
		ends := []string{r.rule.Path + "/*"}
		for _, in := range shown {
			ends = append(ends, in.rule.Path)
		}
		if own {
			ends = append(ends, g.tmpDir+"/*")
		}
		for _, dir := range wayTo(r.rule.Path, ends) {
			parts = append(parts, sbpl.Not(literal(dir)))
		}
		s.Rules = append(s.Rules, about(deny("file-read*"), sbpl.All(parts...))...)
	}
	return s
}

// wayTo lists the directories from top down to what is below it.
func wayTo(top string, ends []string) []string {
	var way []string
	for _, end := range ends {
		for _, dir := range append([]string{top}, between(top, end)...) {
			if !slices.Contains(way, dir) {
				way = append(way, dir)
			}
		}
	}
	return way
}

// all is the conjunction of filters; one stands alone.
func all(parts []sbpl.Expr) sbpl.Expr {
	if len(parts) == 1 {
		return parts[0]
	}
	return sbpl.All(parts...)
}

// others keeps the temporary directories of other sandboxes out of reach where
// the policy makes the directory that they are in writable. Elsewhere they are
// hidden with the rest of the host's. Their names may be seen.
func (g *generator) others() sbpl.Section {
	s := sbpl.Section{Comment: "The temporary directories of other sandboxes."}
	if g.tmpDir == "" || g.around(g.tmpDir).access() != policy.Write {
		return s
	}
	dirs, own, top := subpath(g.tmpDir), sbpl.Not(sbpl.Subpath(tmpPath())), sbpl.Not(literal(g.tmpDir))
	s.Rules = slices.Concat(about(deny(readOps()...), sbpl.All(dirs, own, top)), about(deny("file-write*", "file-link"), sbpl.All(dirs, own)))
	return s
}

// readOps are the operations that tell what is in a file, or run it.
func readOps() []string {
	return []string{"file-read*", "file-map-executable", "file-clone", "process-exec*"}
}

// around is the innermost region that a path lies in, nil for none.
func (g *generator) around(name string) *region {
	var in *region
	for _, r := range g.regions {
		if within(r.rule.Path, name) {
			in = r
		}
	}
	return in
}

// spelledOut is the filter of a path and what is below it, however its last
// name is spelled. The names before it exist, so the kernel knows how they are
// written.
func spelledOut(name string) []sbpl.Expr {
	dir, base := path.Split(name)
	if base == "" {
		return []sbpl.Expr{subpath(name)}
	}
	filters := []sbpl.Expr{subpath(name)}
	if pattern := spellings(base); pattern != quoted(base) || strings.Contains(base, `"`) {
		filters = append(filters, sbpl.Regex("^"+quoted(dir)+pattern+"(/|$)"))
	}
	return filters
}

// notBelow leaves regions out of a rule.
func notBelow(list []*region) []sbpl.Expr {
	var filters []sbpl.Expr
	for _, r := range list {
		filters = append(filters, sbpl.Not(subpath(r.rule.Path)))
	}
	return filters
}
