// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"strings"

	"github.com/caisson-sandbox/caisson/core/internal/strict"
	"github.com/caisson-sandbox/caisson/core/policy"
)

const whyProfile = "only the profile that default_permissions names is read"

// codexBuiltin takes a profile that Codex itself has. It reports whether it is one.
func (r *reader) codexBuiltin(n *strict.Node) bool {
	switch n.Text {
	case ":workspace":
	case ":read-only":
		r.set(n, "extends", "read-only")
	case ":danger-full-access":
		r.lose(n, "nothing runs unconfined")
	default:
		return false
	}
	return true
}

// codexProfiles reads of several profiles the one that is the default.
func (r *reader) codexProfiles(chosen string) func(*strict.Node) error {
	return func(n *strict.Node) error {
		if n.Kind != strict.Map {
			return n.Refuse("must be a table, not "+n.Kind.String(), "")
		}
		for _, m := range n.Members {
			if m.Key != chosen {
				r.lose(m.Value, whyProfile)
			} else if err := r.codexProfile(m.Value); err != nil {
				return err
			}
		}
		return nil
	}
}

func (r *reader) codexProfile(n *strict.Node) error {
	return members(n, map[string]func(*strict.Node) error{
		"description": r.lost(whyOther),
		"extends": func(n *strict.Node) error {
			if n.Kind != strict.String {
				return n.Refuse("must be a string, not "+n.Kind.String(), "")
			}
			if !r.codexBuiltin(n) {
				r.loseItem(n, whyProfile)
			}
			return nil
		},
		"filesystem": r.codexFiles,
		"network":    r.codexNetwork,
		"workspace_roots": func(n *strict.Node) error {
			return entries(n, func(path string, n *strict.Node) error {
				if n.Kind == strict.Bool && n.Bool {
					r.setPath(n, "files.write", path)
				} else {
					r.lose(n, "a workspace is not taken away")
				}
				return nil
			})
		},
	}, r.lost(whyUnknown))
}

// entries calls f with the keys of a table, which are names of others', and their
// values.
func entries(n *strict.Node, f func(key string, n *strict.Node) error) error {
	if n.Kind != strict.Map {
		return n.Refuse("must be a table, not "+n.Kind.String(), "")
	}
	for _, m := range n.Members {
		if err := f(m.Key, m.Value); err != nil {
			return err
		}
	}
	return nil
}

// codexFiles reads paths and what may be done there. Of the names with a colon,
// that of the workspaces has a table of paths below them.
func (r *reader) codexFiles(n *strict.Node) error {
	return entries(n, func(path string, n *strict.Node) error {
		switch {
		case path == "glob_scan_max_depth":
			r.lose(n, "a policy has no patterns")
		case path == ":workspace_roots" && n.Kind == strict.Map:
			return entries(n, func(path string, n *strict.Node) error { return r.codexAccess(n, path, true) })
		case n.Kind == strict.Map && !strings.HasPrefix(path, ":"):
			return entries(n, func(below string, n *strict.Node) error {
				return r.codexAccess(n, strings.TrimSuffix(path+"/"+below, "/."), false)
			})
		case path == ":tmpdir":
			r.lose(n, whyTemporary)
		case strings.HasPrefix(path, ":"):
			r.lose(n, "what is not hidden can be read, and what is written is named by its path")
		default:
			return r.codexAccess(n, path, false)
		}
		return nil
	})
}

// codexAccess takes what may be done with a path, in the workspace or elsewhere.
func (r *reader) codexAccess(n *strict.Node, path string, workspace bool) error {
	if n.Kind != strict.String {
		return n.Refuse("must be a string, not "+n.Kind.String(), "")
	}
	switch n.Text {
	case "write":
		if !workspace {
			r.setPath(n, "files.write", path)
		}
	case "read":
		switch {
		case workspace && path == ".":
			r.set(n, "extends", "read-only")
		case workspace:
			r.setPath(n, "files.protect", path)
		} // else it can be read in any case
	case "deny", "none":
		r.setPath(n, "files.hide", path)
	default:
		return n.Refuse("is no access of Codex", "known are read, write and deny")
	}
	return nil
}

func (r *reader) codexNetwork(n *strict.Node) error {
	domains, on := false, false
	if n.Kind == strict.Map {
		enabled := n.Member("enabled")
		domains, on = n.Member("domains") != nil, enabled != nil && enabled.Bool
	}
	return members(n, map[string]func(*strict.Node) error{
		"enabled": boolean(func(n *strict.Node, on bool) {
			if on && !domains {
				r.set(n, "network.mode", string(policy.Online))
			}
		}),
		"domains": func(n *strict.Node) error {
			return entries(n, func(host string, n *strict.Node) error {
				return r.codexRule(n, host, on, "network.allow", "network.deny")
			})
		},
		"unix_sockets": func(n *strict.Node) error {
			return entries(n, func(path string, n *strict.Node) error {
				return r.codexRule(n, path, on, "network.unix", "")
			})
		},
		"allow_local_binding": r.weakened("servers inside have a loopback of their own; network.publish shows one port outside"),
	}, r.lost(whyProxied))
}

// codexRule takes what is allowed, where the network is on at all, or denied; what
// no setting denies is denied.
func (r *reader) codexRule(n *strict.Node, what string, on bool, allow, deny string) error {
	setting := allow
	switch {
	case n.Kind == strict.String && n.Text == "allow" && !on:
		r.lose(n, "the network is not enabled")
		return nil
	case n.Kind == strict.String && n.Text == "allow":
	case n.Kind == strict.String && (n.Text == "deny" || n.Text == "none"):
		setting = deny
	default:
		return n.Refuse("must be allow or deny", "")
	}
	if setting == "" {
		return nil
	}
	if setting == "network.unix" {
		r.setPath(n, setting, what)
	} else {
		r.setHost(n, setting, what)
	}
	return nil
}
