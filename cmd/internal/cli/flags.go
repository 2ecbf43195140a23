// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"
)

// flags are those that run, shell, plan and explain share.
type flags struct {
	workspace []string
	anyway    bool
	readOnly  bool
	tmp       string
	write     []string
	protect   []string
	unprotect []string
	hide      []string
	show      []string

	net       string
	allowHost []string
	loopback  []string
	publish   []string
	unix      []string

	env        []string
	envInherit string

	policyFile string
	noProject  bool
	backend    string
	plugin     string
	require    []string
	weaker     []string

	timeout   string
	memory    string
	processes string

	audit          []string
	trace          bool // what is denied is observed
	quiet, verbose bool
	changed        func(name string) bool // reports whether a flag was given
}

// add defines the flags on a command.
func (f *flags) add(c *cobra.Command) {
	s := c.Flags()
	f.changed = s.Changed
	s.SortFlags = false
	s.StringArrayVarP(&f.workspace, "workspace", "w", nil, "let the directory `DIR` be written, the current one by default (repeatable)")
	s.BoolVar(&f.anyway, "workspace-anyway", false, "let the workspace be / or a home directory")
	s.BoolVar(&f.readOnly, "read-only", false, "let nothing be written but the temporary directory and caches")
	s.StringVar(&f.tmp, "tmp", "", "use and keep this temporary directory `DIR` instead of a private one")
	s.StringArrayVar(&f.write, "write", nil, "let `PATH` be written too (repeatable)")
	s.StringArrayVar(&f.protect, "protect", nil, "let `PATH` inside a writable directory be read only (repeatable)")
	s.StringArrayVar(&f.unprotect, "unprotect", nil, "lift the protection of `PATH` and what is below it (repeatable)")
	s.StringArrayVar(&f.hide, "hide", nil, "let `PATH` be neither read nor listed (repeatable)")
	s.StringArrayVar(&f.show, "show", nil, "let `PATH` be read although it is hidden (repeatable)")
	s.StringVar(&f.net, "net", "", "network `MODE`: offline (default), allowlist or online")
	s.StringArrayVar(&f.allowHost, "allow-host", nil, "let `HOST[:PORT]` be reached (repeatable)")
	s.StringArrayVar(&f.loopback, "allow-loopback", nil, "let a server at `PORT` of the host's loopback be reached (repeatable)")
	s.StringArrayVar(&f.publish, "publish", nil, "let the host's loopback reach a server at `PORT` inside (repeatable)")
	s.StringArrayVar(&f.unix, "allow-unix", nil, "let the unix socket `PATH` be reached, with all that it lets its users do (repeatable)")
	s.StringArrayVar(&f.env, "env", nil, "pass `NAME` on, or set NAME=VALUE (repeatable)")
	s.StringVar(&f.envInherit, "env-inherit", "", "which variables are passed on, `MODE`: clean (default) or all")
	s.StringVar(&f.policyFile, "policy", "", "read the policy from `FILE`, or - for the standard input, instead of the user's and the project's")
	s.BoolVar(&f.noProject, "no-project-policy", false, "do not read .caisson.toml files")
	s.StringVar(&f.backend, "backend", "auto", "use the backend `NAME`")
	s.StringVar(&f.plugin, "plugin", "", "use the backend whose program is `PATH`; it must be trusted")
	s.StringArrayVar(&f.require, "require", nil, "refuse to run unless the guarantee `ID` is upheld (repeatable)")
	s.StringArrayVar(&f.weaker, "allow-weaker", nil, "go on where the guarantee `ID` cannot be upheld (repeatable)")
	s.StringVar(&f.timeout, "timeout", "", "end everything after `TIME`, such as 90s or 10m")
	s.StringVar(&f.memory, "memory", "", "most memory of all processes together, `SIZE` such as 4GiB")
	s.StringVar(&f.processes, "processes", "", "most processes at once, `N`")
	s.StringArrayVar(&f.audit, "audit", nil, "note each command in `FILE`, as lines of JSON that hold together (repeatable)")
	s.BoolVar(&f.trace, "trace-denials", false, "report every file, socket and program that is denied; as --require events.denials")
	s.BoolVarP(&f.quiet, "quiet", "q", false, "print errors only")
	s.BoolVarP(&f.verbose, "verbose", "v", false, "print every note")
}
