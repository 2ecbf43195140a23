// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
	"slices"
	"strconv"
)

// LayerKind says which layer of a policy a setting comes from. The order is
// the order of the layers: a later one is merged over an earlier one.
type LayerKind uint8

// The layers, lowest first.
const (
	LayerStandard LayerKind = iota // built in
	LayerSystem                    // the administrator's file
	LayerUser                      // the user's file, or the file of --policy
	LayerProject                   // a .caisson.toml of the workspace
	LayerFlag                      // a flag, or a program's own settings
)

// String returns "standard", "system", "user", "project" or "flag".
func (k LayerKind) String() string {
	switch k {
	case LayerStandard:
		return "standard"
	case LayerSystem:
		return "system"
	case LayerUser:
		return "user"
	case LayerProject:
		return "project"
	case LayerFlag:
		return "flag"
	}
	return "invalid"
}

// The values of Origin.File that are no file.
const (
	originStandard = "standard"
	originProgram  = "program" // set in Go, by the caller of the library
)

// hereDir is the entry.Dir of paths that are relative to the current
// directory of the process that resolves the policy.
const hereDir = "."

// layer is the record that one source of settings leaves in a merged Policy:
// what it said, and where. The values in force are the exported fields of the
// Policy; a layer only explains them.
type layer struct {
	kind LayerKind
	file string // a path, or "" where every mark names a flag of its own
	dir  string // as entry.Dir
	said []mark
}

// mark is one value of one setting, where it was written.
type mark struct {
	setting string // as in Settings, such as "files.write"
	value   string // as in Policy.values
	flag    string // the flag that said it, for layers that are no file
	line    int
	column  int
}

func (l layer) origin(m mark) Origin {
	if l.file == "" {
		return Origin{File: m.flag}
	}
	return Origin{File: l.file, Line: m.line, Column: m.column}
}

// entry is one value of a setting with all that resolution needs to read it.
type entry struct {
	Value  string // a path as written, or the name of a set such as "@secrets"
	Origin Origin
	Layer  LayerKind
	// Dir is what a relative Value is relative to: an absolute directory, "."
	// for the current directory when the policy is resolved, or "" for every
	// workspace root in turn.
	Dir string
}

// standardEntries are what the built-in policy says of files. They stand below
// every policy, whatever its fields hold, so that no program loses them by
// assigning to a field.
func standardEntries(setting string) []entry {
	var sets []string
	switch setting {
	case "files.hide":
		sets = []string{"@secrets"}
	case "files.protect":
		sets = []string{"@repo-control", "@editor-control", "@agent-control"}
	}
	entries := make([]entry, 0, len(sets)+2)
	for _, s := range sets {
		entries = append(entries, entry{Value: s, Origin: Origin{File: originStandard}, Layer: LayerStandard})
	}
	return entries
}

// entries returns the values of a setting, the built-in ones first. A value
// that several layers name is there once for each, because their relative
// paths differ; one that no layer names was set by a program.
func (p Policy) entries(setting string) []entry {
	entries := standardEntries(setting)
	for _, v := range p.values(setting) {
		found := false
		for _, l := range p.layers {
			for _, m := range l.said {
				if m.setting == setting && m.value == v {
					entries = append(entries, entry{Value: v, Origin: l.origin(m), Layer: l.kind, Dir: l.dir})
					found = true
				}
			}
		}
		if !found {
			entries = append(entries, entry{Value: v, Origin: Origin{File: originProgram}, Layer: LayerFlag, Dir: hereDir})
		}
	}
	return entries
}

// values returns what the policy holds for a setting, as text: no value where
// it is not set, one for a setting that is no list. Map entries are written
// NAME=VALUE and sorted.
func (p *Policy) values(setting string) []string {
	switch setting {
	case "extends":
		return nonEmpty(p.Extends)
	case "workspace":
		return p.Workspace
	case "require":
		return texts(p.Require)
	case "allow-weaker":
		return texts(p.AllowWeaker)
	case "files.write":
		return p.Files.Write
	case "files.protect":
		return p.Files.Protect
	case "files.hide":
		return p.Files.Hide
	case "files.show":
		return p.Files.Show
	case "files.unprotect":
		return p.Files.Unprotect
	case "network.mode":
		return nonEmpty(string(p.Network.Mode))
	case "network.allow":
		return p.Network.Allow
	case "network.deny":
		return p.Network.Deny
	case "network.loopback":
		return numbers(p.Network.Loopback)
	case "network.publish":
		return numbers(p.Network.Publish)
	case "network.unix":
		return p.Network.Unix
	case "env.inherit":
		return nonEmpty(p.Env.Inherit)
	case "env.pass":
		return p.Env.Pass
	case "env.set":
		pairs := make([]string, 0, len(p.Env.Set))
		for _, name := range slices.Sorted(maps.Keys(p.Env.Set)) {
			pairs = append(pairs, name+"="+p.Env.Set[name])
		}
		return pairs
	case "caches.mode":
		return nonEmpty(p.Caches.Mode)
	case "limits.time":
		if p.Limits.Time != 0 {
			return []string{p.Limits.Time.String()}
		}
	case "limits.memory":
		return nonZero(p.Limits.Memory)
	case "limits.processes":
		return nonZero(int64(p.Limits.Processes))
	}
	return nil
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func nonZero(n int64) []string {
	if n == 0 {
		return nil
	}
	return []string{strconv.FormatInt(n, 10)}
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

func numbers(list []int) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = strconv.Itoa(n)
	}
	return out
}
