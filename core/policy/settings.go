// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
	"slices"
	"strconv"
)

// setting is one key of the policy file that has values of its own.
type setting struct {
	name    string // "files.write"
	shape   shape
	paths   bool // values are paths
	sets    bool // or names of sets
	project projectRule
}

// shape is how many values a setting has.
type shape uint8

const (
	one   shape = iota // the highest layer that sets it wins
	many               // the layers add up
	pairs              // the layers add up, by name
)

// projectRule is what a project file may do with a setting.
type projectRule uint8

const (
	tightens projectRule = iota // every value makes the policy stricter
	loosens                     // only where the file is trusted
	compared                    // depends on the value that is in force
	never                       // not even where the file is trusted
)

// settings lists every setting, in the order of the documentation.
func settings() []setting {
	return []setting{
		{"extends", one, false, false, compared},
		{"workspace", many, true, false, loosens},
		{"require", many, false, false, tightens},
		{"allow-weaker", many, false, false, never},
		{"files.write", many, true, false, loosens},
		{"files.protect", many, true, true, tightens},
		{"files.hide", many, true, true, tightens},
		{"files.show", many, true, true, loosens},
		{"files.unprotect", many, true, true, never},
		{"network.mode", one, false, false, compared},
		{"network.allow", many, false, false, loosens},
		{"network.deny", many, false, false, tightens},
		{"network.loopback", many, false, false, never},
		{"network.publish", many, false, false, never},
		{"network.unix", many, true, false, never},
		{"env.inherit", one, false, false, compared},
		{"env.pass", many, false, false, loosens},
		{"env.set", pairs, false, false, loosens},
		{"caches.mode", one, false, false, compared},
		{"limits.time", one, false, false, compared},
		{"limits.memory", one, false, false, compared},
		{"limits.processes", one, false, false, compared},
		{"final", many, false, false, never},
	}
}

func settingNamed(name string) (setting, bool) {
	for _, s := range settings() {
		if s.name == name {
			return s, true
		}
	}
	return setting{}, false
}

// standardValue is the value of a setting that no layer sets, or "".
func standardValue(setting string) string {
	switch setting {
	case "extends":
		return "standard"
	case "network.mode":
		return string(Offline)
	case "env.inherit":
		return "clean"
	case "caches.mode":
		return "private"
	}
	return ""
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
	case "final":
		return p.Final
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

// Setting is one value in force and where it came from.
type Setting struct {
	Name   string `json:"name"`  // "files.write"
	Value  string `json:"value"` // as text; NAME=VALUE for env.set
	Origin Origin `json:"origin"`
	Layer  string `json:"layer"` // LayerKind.String
}

// Settings lists every value in force with its origin, in the order of the
// documentation; a value that several layers name is there once for each.
func (p Policy) Settings() []Setting {
	var list []Setting
	for _, s := range settings() {
		entries := p.entries(s.name)
		if s.shape == one {
			if len(entries) == 0 {
				if v := standardValue(s.name); v != "" {
					entries = []entry{{Value: v, Origin: Origin{File: originStandard}}}
				}
			} else {
				entries = entries[len(entries)-1:]
			}
		}
		for _, e := range entries {
			list = append(list, Setting{s.name, e.Value, e.Origin, e.Layer.String()})
		}
	}
	return list
}
