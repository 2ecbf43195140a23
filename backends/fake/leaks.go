// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// Leak is one way to get a sandbox wrong.
type Leak struct {
	Name string
	// Guarantee is the one that it breaks; "" is a positive duty.
	Guarantee guarantee.ID
	What      string // half a sentence
}

// leak is a Leak and the violations that it keeps a monitor from seeing. Where
// blind is nil the leak is no matter of a decision: Leaky tells of it.
type leak struct {
	Leak
	blind func(*Monitor, Act, violation) bool
}

// Leaks returns all there are, in the order of the contract, duties last. Names
// are never reused.
func Leaks() []Leak {
	var all []Leak
	for _, l := range leaks() {
		all = append(all, l.Leak)
	}
	return all
}

func leaks() []leak {
	return slices.Concat(writeLeaks(), protectLeaks(), hideLeaks(), placeLeaks(), netLeaks(), processLeaks(), kernelLeaks(), launchLeaks(), dutyLeaks())
}

// during is blind for every violation of some acts.
func during(ops ...Op) func(*Monitor, Act, violation) bool {
	return func(_ *Monitor, a Act, _ violation) bool { return slices.Contains(ops, a.Op) }
}

// where is blind for violations of which f holds.
func where(f func(a Act, v violation) bool) func(*Monitor, Act, violation) bool {
	return func(_ *Monitor, a Act, v violation) bool { return f(a, v) }
}

func children(_ *Monitor, a Act, _ violation) bool { return a.Child }

// lastLink is the path that a monitor sees which does not follow the last name.
func lastLink(_ *Monitor, a Act, v violation) bool {
	if v.raw == "" || len(v.place.links) == 0 {
		return false
	}
	return v.place.links[len(v.place.links)-1] == filepath.Clean(v.raw)
}

// deepLink looks at the last name alone: directories on the way are believed.
func deepLink(_ *Monitor, a Act, v violation) bool {
	return slices.ContainsFunc(v.place.links, func(l string) bool {
		return !strings.HasPrefix(l, "/proc/") && strings.HasPrefix(filepath.Clean(v.raw), l+string(filepath.Separator))
	})
}

// alias does not know that a path in /proc is another one.
func alias(prefix string) func(*Monitor, Act, violation) bool {
	return where(func(_ Act, v violation) bool { return strings.HasPrefix(v.raw, prefix) })
}

// another is blind for what is reached by way of another process.
func another(_ *Monitor, _ Act, v violation) bool { return v.place.process > 0 }

// dots compares the text of a path that still holds two dots.
func dots(m *Monitor, _ Act, v violation) bool {
	return strings.Contains(v.raw, "..") && slices.ContainsFunc(m.Policy.Workspace(), func(w string) bool { return strings.HasPrefix(v.raw, w) })
}

func writeLeaks() []leak {
	l := func(name, what string, blind func(*Monitor, Act, violation) bool) leak {
		return leak{Leak{"write." + name, guarantee.WriteConfined, what}, blind}
	}
	return []leak{
		l("prefix", "compares prefixes without a separator: /ws-beside is taken for a part of /ws", func(m *Monitor, _ Act, v violation) bool {
			return slices.ContainsFunc(m.Policy.Rules(), func(r policy.Rule) bool { return r.Root && strings.HasPrefix(v.target, r.Path) })
		}),
		l("home", "leaves the home directory writable", func(m *Monitor, _ Act, v violation) bool {
			return filepath.Dir(v.target) == m.Policy.Home()
		}),
		l("system", "leaves the system's directories to the rights of the user", where(func(_ Act, v violation) bool {
			return below(v.target, "/etc") || below(v.target, "/usr")
		})),
		l("last-link", "does not follow the last name of a path", lastLink),
		l("deep-link", "follows the last name and believes the directories before it", deepLink),
		l("later-link", "follows links before the act and not again when it happens", where(func(a Act, _ violation) bool { return a.Swap != "" })),
		l("dots", "compares a path that still holds two dots", dots),
		l("relative", "does not look at paths that are relative to a descriptor or a changed directory", where(func(a Act, _ violation) bool { return a.Relative })),
		l("proc-root", "does not know that /proc/self/root is the root", alias("/proc/self/root")),
		l("proc-cwd", "does not know that /proc/self/cwd is the working directory", alias("/proc/self/cwd")),
		l("proc-other", "lets the root of another process be gone through", another),
		l("reopen", "lets a descriptor without rights be opened anew", during(Reopen)),
		l("create", "looks at writes and not at new files", during(Create)),
		l("change", "looks at the opening for a new file and not for an old one", during(Change)),
		l("truncate", "forgets truncate", during(Truncate)),
		l("allocate", "forgets fallocate", during(Allocate)),
		l("map", "does not look at shared mappings", during(Map)),
		l("remove", "does not look at removals", during(Remove, RemoveTree)),
		l("rename-from", "looks at where a rename leads, and not where it takes from", where(func(a Act, v violation) bool {
			return a.Op == Rename && v.raw == a.Path
		})),
		l("rename-to", "looks at where a rename takes from, and not where it leads", where(func(a Act, v violation) bool {
			return a.Op == Rename && v.raw == a.To
		})),
		l("exchange", "does not know that two names can be swapped", during(Exchange)),
		l("link-from", "lets a file from outside have a second name inside", where(func(a Act, v violation) bool { return a.Op == Link && v.raw == a.Path })),
		l("link-to", "lets links be made outside", where(func(a Act, v violation) bool {
			return (a.Op == Link || a.Op == Symlink) && v.raw == a.To
		})),
		l("nodes", "looks at files and not at directories, fifos and sockets", during(Directory, Fifo, Listen)),
		l("metadata", "forgets modes, times and owners", during(Mode, Times, Owner)),
		l("attributes", "forgets extended and file attributes", during(Attribute, Flags)),
		l("streams", "lends the file that is the standard input", during(Descriptor)),
		l("children", "confines the command and not its children", children),
	}
}

func protectLeaks() []leak {
	l := func(name, what string, blind func(*Monitor, Act, violation) bool) leak {
		return leak{Leak{"protect." + name, guarantee.WriteProtected, what}, blind}
	}
	// within is a protected place itself, above is what holds one.
	within := func(a Act, v violation) bool { return v.target == v.place.path }
	return []leak{
		l("nothing", "takes all of the workspace for writable", where(func(_ Act, v violation) bool { return v.guarantee == guarantee.WriteProtected })),
		l("ancestor", "lets what holds a protected path be moved away", where(func(a Act, v violation) bool { return a.Op == Rename && !within(a, v) })),
		l("moves", "does not look at renames", during(Rename, Exchange)),
		l("absent", "protects only what exists", where(func(_ Act, v violation) bool { return v.guarantee == guarantee.WriteProtected && !v.place.exists() })),
		l("children", "protects from the command and not from its children", children),
		l("links", "does not follow links", func(m *Monitor, a Act, v violation) bool { return lastLink(m, a, v) || deepLink(m, a, v) }),
		l("hard-links", "lets a protected file have a second name", during(Link)),
		l("proc-root", "does not know that /proc/self/root is the root", alias("/proc/self/root")),
		l("relative", "does not look at paths that are relative to a descriptor", where(func(a Act, _ violation) bool { return a.Relative })),
		l("metadata", "forgets modes", during(Mode)),
		l("truncate", "forgets truncate", during(Truncate)),
		l("remove", "does not look at removals", during(Remove, RemoveTree)),
		l("git", "does not know what git runs", where(func(_ Act, v violation) bool { return strings.Contains(filepath.ToSlash(v.target), "/.git/") })),
		l("tools", "does not know which files of a project are run by tools", where(func(_ Act, v violation) bool {
			return slices.Contains([]string{".mcp.json", ".caisson.toml"}, filepath.Base(v.target))
		})),
	}
}

func hideLeaks() []leak {
	l := func(name, what string, blind func(*Monitor, Act, violation) bool) leak {
		return leak{Leak{"hide." + name, guarantee.ReadHidden, what}, blind}
	}
	return []leak{
		l("nothing", "lets everything be read", during(Read)),
		l("listing", "hides the content and not the names", during(List, Walk)),
		l("walk", "does not look at what lies below", during(Walk)),
		l("links", "does not follow links", func(m *Monitor, a Act, v violation) bool { return lastLink(m, a, v) || deepLink(m, a, v) }),
		l("second-name", "does not look at the names that a file gets", where(func(a Act, _ violation) bool { return a.Op == Rename || a.Op == Link })),
		l("proc-root", "does not know that /proc/self/root is the root", alias("/proc/self/root")),
		l("proc-cwd", "does not know that /proc/self/cwd is the working directory", alias("/proc/self/cwd")),
		l("proc-other", "lets the root of another process be gone through", another),
		l("dots", "compares a path that still holds two dots", dots),
		l("children", "hides from the command and not from its children", children),
		l("workspace", "hides nothing inside the workspace", func(m *Monitor, _ Act, v violation) bool {
			return slices.ContainsFunc(m.Policy.Workspace(), func(w string) bool { return below(v.target, w) })
		}),
		l("files", "hides directories and no single file", func(m *Monitor, _ Act, v violation) bool {
			_, rule := m.Policy.AccessTo(v.target)
			return rule.Path == v.target && v.place.exists() && v.place.info.Mode().IsRegular()
		}),
		l("writes", "hides from reading and not from writing", during(Write, Create)),
	}
}
