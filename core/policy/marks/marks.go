// SPDX-License-Identifier: Apache-2.0

// Package marks says of grants what a person gives away with them. It is pure,
// and a mark decides nothing.
package marks

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/hostrule"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// Of says what is given away with a grant that undoes a protection or opens
// much, "" for nothing.
func Of(g diag.Grant) string {
	switch {
	case g.Kind == diag.GrantShow:
		return "HIDDEN: this lets commands read what is hidden from them, such as keys and passwords"
	case g.Kind == diag.GrantUnprotect:
		return "PROTECTED: what commands write there may run as you, outside the sandbox"
	case g.Kind == diag.GrantUnix:
		return "SOCKET: whoever answers there acts for the commands, outside the sandbox"
	case g.Kind == diag.GrantWrite && runsOutside(g.Value):
		return "STARTED OUTSIDE: programs, settings or start-up files lie there, which run as you or as the system, outside the sandbox"
	case g.Kind == diag.GrantHost && (g.Value == "*" || strings.HasPrefix(g.Value, "*:")):
		return "EVERY HOST: what commands can read they can send to anybody"
	case g.Kind == diag.GrantHost && !public(g.Value):
		return "NOT PUBLIC: a machine near this one, the host itself, or a service that hands out the machine's credentials"
	}
	return ""
}

// runsOutside reports whether a path looks like one that programs, settings or
// what starts by itself lie in, on any system: there is no list of all of them,
// and a mark too many costs a look.
func runsOutside(path string) bool {
	parts := strings.FieldsFunc(strings.ToLower(path), func(r rune) bool { return r == '/' || r == '\\' })
	if len(parts) > 0 && strings.HasSuffix(parts[0], ":") {
		parts = parts[1:]
	}
	if len(parts) == 0 || home(parts) || slices.Contains([]string{
		"applications", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "nix", "opt", "private", "program files",
		"program files (x86)", "programdata", "run", "snap", "system", "usr", "var", "windows",
	}, parts[0]) {
		return true
	}
	controls := startedNames()
	return slices.ContainsFunc(parts, func(part string) bool {
		return slices.Contains(controls, part) || part[0] == '.' && (strings.HasSuffix(part, "rc") || strings.Contains(part, "profile"))
	})
}

// home reports whether the parts of a path look like a home directory, anybody's,
// or like the directory that holds all of them.
func home(parts []string) bool {
	switch parts[0] {
	case "~", "root":
		return len(parts) == 1
	case "home", "users":
		return len(parts) <= 2
	}
	return false
}

// startedNames are names of directories and files that hold such things
// wherever they lie: those that a writable root protects, and of homes.
func startedNames() []string {
	names := []string{
		"bin", "sbin", "library", "appdata", ".config", ".local", ".ssh", ".gnupg", ".git", ".gitconfig", ".cargo", ".rustup",
		".vim", ".emacs", ".emacs.d", ".tmux.conf", ".pam_environment", ".xsession", ".docker", ".kube", ".npm", ".nvm", ".pyenv",
	}
	for _, set := range policy.Sets() {
		for _, m := range set.Members {
			if !strings.ContainsAny(m.Path, "/*$~") && !m.Computed {
				names = append(names, m.Path)
			}
		}
	}
	return names
}

// public reports whether a rule for a host leads to the public network alone.
// The address of a name is looked at when it is asked for.
func public(rule string) bool {
	rule = strings.TrimPrefix(rule, "*.")
	h, _, err := hostrule.ParseTarget(rule)
	if err != nil {
		h, err = hostrule.ParseHost(rule)
	}
	if err != nil || h.Local() || h.Metadata() {
		return false
	}
	addr, literal := h.Addr()
	return !literal || hostrule.Public(addr)
}
