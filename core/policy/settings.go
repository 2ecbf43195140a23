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
	kind    valueKind
	project projectRule
	about   string // one sentence for the schema
}

// shape is how many values a setting has.
type shape uint8

const (
	one   shape = iota // the highest layer that sets it wins
	many               // the layers add up
	pairs              // the layers add up, by name
)

// valueKind is what the values of a setting name.
type valueKind uint8

const (
	plain valueKind = iota
	path
	pathOrSet
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
		{"extends", one, plain, compared,
			"What is built upon: standard, or read-only, in which the workspace cannot be written."},
		{"workspace", many, path, loosens,
			"The directories to work in, which can be written. The default is the current directory."},
		{"require", many, plain, tightens,
			"Guarantees that are needed beyond the standard contract."},
		{"allow-weaker", many, plain, never,
			"Guarantees whose loss is accepted. User and system files only."},
		{"files.write", many, path, loosens,
			"Further directories or files that can be written."},
		{"files.protect", many, pathOrSet, tightens,
			"Paths inside a writable root that can be read but not written."},
		{"files.hide", many, pathOrSet, tightens,
			"Paths that can be neither read nor listed."},
		{"files.show", many, pathOrSet, loosens,
			"Paths that can be read again inside something hidden."},
		{"files.unprotect", many, pathOrSet, never,
			"Paths that can be written again inside something protected. User and system files only."},
		{"network.mode", one, plain, compared,
			"offline: no network; allowlist: only the hosts of allow; online: the network of the host as it is."},
		{"network.allow", many, plain, loosens,
			"Hosts that can be reached in the mode allowlist, with an optional port; * is every public address. None means that nothing can be reached."},
		{"network.deny", many, plain, tightens,
			"Hosts that cannot be reached, whatever allow says."},
		{"network.loopback", many, plain, never,
			"Ports of the host's loopback that can be reached. User and system files only."},
		{"network.publish", many, plain, never,
			"Ports inside that the host can reach. User and system files only."},
		{"network.unix", many, path, never,
			"Unix sockets of the host that can be reached. User and system files only."},
		{"env.inherit", one, plain, compared,
			"clean: variables that look like secrets or change what programs run are dropped; all: none is dropped."},
		{"env.pass", many, plain, loosens,
			"Variables that are passed on whatever they look like."},
		{"env.set", pairs, plain, loosens,
			"Variables and their values."},
		{"caches.mode", one, plain, compared,
			"private: caches of build tools go to a store of this workspace; off: they stay where they are and cannot be written."},
		{"limits.time", one, plain, compared,
			"How long the sandbox may live, like 10m."},
		{"limits.memory", one, plain, compared,
			"How much memory the sandbox may use, in bytes or like 4GiB."},
		{"limits.processes", one, plain, compared,
			"How many processes and threads the sandbox may have at once."},
		{"audit", many, path, never,
			"Files that every command is noted in; nothing runs while one cannot be written. User and system files only."},
		{"final", many, plain, never,
			"Settings that no later layer may change. System file only."},
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

// words lists what a setting can be, where that is one of a few words; the
// first is the standard value.
func words(setting string) []string {
	switch setting {
	case "extends":
		return []string{"standard", "read-only"}
	case "network.mode":
		return []string{string(Offline), string(Allowlist), string(Online)}
	case "env.inherit":
		return []string{"clean", "all"}
	case "caches.mode":
		return []string{"private", "off"}
	}
	return nil
}

// standardValue is the value of a setting that no layer sets, or "".
func standardValue(setting string) string {
	if known := words(setting); known != nil {
		return known[0]
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
	case "audit":
		return p.Audit
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
