// SPDX-License-Identifier: Apache-2.0

package policy

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
	setting string // as in settings, such as "files.write"
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
	values := p.values(setting)
	if len(values) == 0 {
		return entries
	}
	said := map[string][]entry{}
	for _, l := range p.layers {
		for _, m := range l.said {
			if m.setting == setting {
				said[m.value] = append(said[m.value], entry{Value: m.value, Origin: l.origin(m), Layer: l.kind, Dir: l.dir})
			}
		}
	}
	for _, v := range values {
		if len(said[v]) == 0 {
			entries = append(entries, entry{Value: v, Origin: Origin{File: originProgram}, Layer: LayerFlag, Dir: hereDir})
		}
		entries = append(entries, said[v]...)
	}
	return entries
}
