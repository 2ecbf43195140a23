// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"strings"

	"github.com/caisson-sandbox/caisson/core/internal/strict"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// The reasons that several keys share.
const (
	whyUnknown   = "caisson does not know this key"
	whyOther     = "not about what commands may do"
	whyProxy     = "caisson's proxy is inside the sandbox and chooses its port"
	whyWeaker    = "nothing is weakened unasked: accept the loss of a guarantee by its name, with allow-weaker"
	whyNeverAsk  = "caisson never asks: a command is denied, and allowed by a person before the next run"
	whyProxied   = "caisson's proxy decides by host and port, and looks into no request"
	whyManaged   = "the system's policy pins settings with final"
	whyMach      = "services of macOS are not named in a policy"
	whySecrets   = "variables that look like secrets are dropped, others are passed"
	whyTemporary = "commands have a private temporary directory in any case"
	whyCommand   = "a command's words decide nothing: what it may touch does"
)

// srt reads the settings of the sandbox runtime, as its README has them.
func (r *reader) srt(top *strict.Node) error {
	known := r.sandboxed()
	known["$schema"] = r.lost(whyOther)
	return members(top, known, r.lost(whyUnknown))
}

// sandboxed are the keys that srt and the sandbox of Claude Code share.
func (r *reader) sandboxed() map[string]func(*strict.Node) error {
	list := func(f func(*strict.Node)) func(*strict.Node) error {
		return func(n *strict.Node) error { return each(n, f) }
	}
	network := map[string]func(*strict.Node) error{
		"allowedDomains": list(r.host("network.allow")), "deniedDomains": list(r.host("network.deny")),
		"deniedResolvedAddresses": list(r.host("network.deny")),
		"deniedDomainReasons":     r.lost(whyOther),
		"strictAllowlist":         r.lost(whyNeverAsk),
		"allowUnixSockets":        list(r.path("network.unix")),
		"allowAllUnixSockets":     r.weakened("name each socket in network.unix"),
		"allowLocalBinding": r.weakened("servers inside have a loopback of their own; network.publish shows one port outside, " +
			"network.loopback the other way"),
		"allowMachLookup": r.lost(whyMach),
		"httpProxyPort":   r.lost(whyProxy), "socksProxyPort": r.lost(whyProxy),
		"parentProxy":             r.lost("the proxy that the environment names is used, as HTTPS_PROXY and NO_PROXY"),
		"allowManagedDomainsOnly": r.lost(whyManaged),
	}
	for _, key := range []string{"mitmProxy", "filterRequest", "allowPlaintextHeaderSet", "stripResponseHeaders", "refuseOpaqueTunnels",
		"requireHostMatch", "ambiguousRequestTarget", "tlsTerminate"} {
		network[key] = r.lost(whyProxied)
	}
	files := map[string]func(*strict.Node) error{
		"denyRead": r.paths("files.hide"), "allowRead": r.paths("files.show"),
		"allowWrite": r.paths("files.write"), "denyWrite": r.paths("files.protect"),
		"allowGitConfig": boolean(func(n *strict.Node, on bool) {
			if on {
				r.set(n, "files.unprotect", ".git/config")
			}
		}),
		"disabled":                  r.weakened(whyWeaker),
		"allowManagedReadPathsOnly": r.lost(whyManaged),
	}
	known := map[string]func(*strict.Node) error{
		"network":                      func(n *strict.Node) error { return members(n, network, r.lost(whyUnknown)) },
		"filesystem":                   func(n *strict.Node) error { return members(n, files, r.lost(whyUnknown)) },
		"credentials":                  r.credentials,
		"ignoreViolations":             r.lost("denials are reported as they are"),
		"enableWeakerNestedSandbox":    r.weakened(whyWeaker),
		"enableWeakerNetworkIsolation": r.weakened(whyWeaker),
		"allowNestedUserNamespaces":    r.weakened(whyWeaker),
		"allowAppleEvents":             r.weakened(whyMach),
		"allowPty":                     r.lost("commands have a terminal in any case"),
		"mandatoryDenySearchDepth":     r.lost("protected names are found by the policy's named sets"),
	}
	for _, key := range []string{"ripgrep", "seccomp", "bwrapPath", "socatPath", "javaAgentJarPath", "windows", "git"} {
		known[key] = r.lost(whyOther)
	}
	return known
}

// credentials are files, which are hidden, and variables.
func (r *reader) credentials(n *strict.Node) error {
	return members(n, map[string]func(*strict.Node) error{
		"files": func(n *strict.Node) error {
			return items(n, func(n *strict.Node) error {
				path, err := member(n, "path")
				if err != nil {
					return err
				}
				mode, err := member(n, "mode")
				if err != nil {
					return err
				}
				if mode.Text != "deny" {
					r.lose(mode, "the file is hidden as a whole")
				}
				r.setPath(path, "files.hide", path.Text)
				return nil
			})
		},
		"envVars": r.lost(whySecrets),
	}, r.lost(whyProxied))
}

// claude reads settings.json of Claude Code.
func (r *reader) claude(top *strict.Node) error {
	return members(top, map[string]func(*strict.Node) error{
		"sandbox": func(n *strict.Node) error {
			known := r.sandboxed()
			known["enabled"] = boolean(func(n *strict.Node, on bool) {
				if !on {
					r.lose(n, "a policy is always in force")
				}
			})
			known["autoAllowBashIfSandboxed"] = r.lost(whyNeverAsk)
			known["allowUnsandboxedCommands"] = r.lost("nothing runs unconfined")
			known["failIfUnavailable"] = r.lost("caisson always refuses where it cannot confine")
			known["excludedCommands"] = r.lost("nothing runs unconfined")
			return members(n, known, r.lost(whyUnknown))
		},
		"permissions": r.claudePermissions,
		"env":         r.lost("variables of the agent, with values that may be secret; env.pass and env.set have those of commands"),
	}, r.lost(whyOther))
}

func (r *reader) claudePermissions(n *strict.Node) error {
	rules := func(take func(n *strict.Node, tool, what string)) func(*strict.Node) error {
		return func(n *strict.Node) error {
			return each(n, func(n *strict.Node) {
				tool, what, _ := strings.Cut(strings.TrimSuffix(n.Text, ")"), "(")
				take(n, tool, what)
			})
		}
	}
	host := func(n *strict.Node, setting, what string) {
		if domain, ok := strings.CutPrefix(what, "domain:"); ok {
			r.setHost(n, setting, domain)
		} else {
			r.loseItem(n, "no host is named")
		}
	}
	return members(n, map[string]func(*strict.Node) error{
		"allow": rules(func(n *strict.Node, tool, what string) {
			switch tool {
			case "Edit", "Write":
				r.rulePath(n, "files.write", what)
			case "WebFetch":
				host(n, "network.allow", what)
			case "Read":
				r.loseItem(n, "what is not hidden can be read; files.show opens what is")
			default:
				r.loseItem(n, whyCommand)
			}
		}),
		"deny": rules(func(n *strict.Node, tool, what string) {
			switch tool {
			case "Read":
				r.rulePath(n, "files.hide", what)
			case "Edit", "Write":
				r.rulePath(n, "files.protect", what)
			case "WebFetch":
				host(n, "network.deny", what)
			default:
				r.loseItem(n, whyCommand)
			}
		}),
		"ask":                          r.lost(whyNeverAsk),
		"defaultMode":                  r.lost(whyNeverAsk),
		"disableBypassPermissionsMode": r.lost(whyOther),
		"additionalDirectories":        func(n *strict.Node) error { return each(n, r.path("files.write")) },
	}, r.lost(whyUnknown))
}

// rulePath adds the path of a rule: "//" begins an absolute one, "/" one of the
// project. A name alone means all files of that name, as in a .gitignore.
func (r *reader) rulePath(n *strict.Node, setting, path string) {
	if path != "" && !strings.ContainsAny(path, "/~*?[]{}") {
		r.loseItem(n, "this names the one at the top of the project alone: name those further down")
	}
	switch {
	case path == "":
		r.loseItem(n, "no path is named")
	case strings.HasPrefix(path, "//"):
		r.setPath(n, setting, path[1:])
	default:
		r.setPath(n, setting, strings.TrimPrefix(strings.TrimPrefix(path, "/"), "./"))
	}
}

// codex reads config.toml of Codex.
func (r *reader) codex(top *strict.Node) error {
	chosen := ""
	if n := top.Member("default_permissions"); n != nil {
		if n.Kind != strict.String {
			return n.Refuse("must be a string, not "+n.Kind.String(), "")
		}
		chosen = n.Text
	}
	return members(top, map[string]func(*strict.Node) error{
		"sandbox_mode": func(n *strict.Node) error {
			switch {
			case n.Kind != strict.String:
				return n.Refuse("must be a string, not "+n.Kind.String(), "")
			case n.Text == "read-only":
				r.set(n, "extends", "read-only")
			case n.Text == "danger-full-access":
				r.lose(n, "nothing runs unconfined")
			case n.Text != "workspace-write":
				return n.Refuse("is no mode of Codex", "known are read-only, workspace-write and danger-full-access")
			}
			return nil
		},
		"sandbox_workspace_write": func(n *strict.Node) error {
			tmp := r.lost(whyTemporary)
			return members(n, map[string]func(*strict.Node) error{
				"writable_roots": func(n *strict.Node) error { return each(n, r.path("files.write")) },
				"network_access": boolean(func(n *strict.Node, on bool) {
					if on {
						r.set(n, "network.mode", string(policy.Online))
					}
				}),
				"exclude_tmpdir_env_var": tmp, "exclude_slash_tmp": tmp,
			}, r.lost(whyUnknown))
		},
		"shell_environment_policy": r.codexEnvironment,
		"approval_policy":          r.lost(whyNeverAsk),
		"permissions":              r.codexProfiles(chosen),
		"default_permissions": func(n *strict.Node) error {
			if !r.codexBuiltin(n) && (top.Member("permissions") == nil || top.Member("permissions").Member(chosen) == nil) {
				r.loseItem(n, "there is no such profile")
			}
			return nil
		},
		"profiles": r.lost("of several profiles none is chosen: write the one that you mean at the top"),
	}, r.lost(whyOther))
}

func (r *reader) codexEnvironment(n *strict.Node) error {
	patterns := r.lost("a policy has no patterns: env.pass names variables, and what looks like a secret is dropped")
	return members(n, map[string]func(*strict.Node) error{
		"inherit": func(n *strict.Node) error {
			if n.Kind != strict.String {
				return n.Refuse("must be a string, not "+n.Kind.String(), "")
			}
			if n.Text != "all" {
				r.lose(n, "variables are dropped for what they look like, not by a list")
			}
			return nil
		},
		"ignore_default_excludes": boolean(func(n *strict.Node, on bool) {
			if on {
				r.set(n, "env.inherit", "all")
			}
		}),
		"exclude": patterns, "include_only": patterns,
		"set": func(n *strict.Node) error {
			if n.Kind != strict.Map {
				return n.Refuse("must be a table, not "+n.Kind.String(), "")
			}
			for _, m := range n.Members {
				if m.Value.Kind != strict.String {
					return m.Value.Refuse("must be a string, not "+m.Value.Kind.String(), "")
				}
				if m.Key == "" || strings.Contains(m.Key, "=") {
					r.lose(m.Value, "no name of a variable")
					continue
				}
				r.set(m.Value, "env.set", m.Key+"="+m.Value.Text)
			}
			return nil
		},
	}, r.lost(whyUnknown))
}
