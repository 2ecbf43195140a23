// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// topic is a page of help that is about no single command.
type topic struct {
	name, short string
	text        func() string
}

func topics() []topic {
	return []topic{
		{"contract", "what is promised, and what is not", contractText},
		{"policy", "policy files, their layers and their form", func() string { return policyHelp }},
		{"exit-codes", "what each exit status means", func() string { return exitHelp }},
		{"grants", "how to widen what a command may do", func() string { return grantHelp }},
	}
}

func (p *program) helpCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "help [COMMAND|TOPIC]",
		Short: "Print help on a command or a topic",
		RunE: func(c *cobra.Command, args []string) error {
			root := p.root(commands()...)
			if len(args) == 0 {
				p.printOverview(root)
				return nil
			}
			for _, t := range topics() {
				if t.name == args[0] {
					fmt.Fprint(p.stdout, t.text())
					return nil
				}
			}
			about, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 || about == root {
				remedy := "see caisson help"
				if near := nearest(root, args[0]); near != "" {
					remedy = near
				}
				return diag.New(diag.UsageInvalid, "there is no help on "+diag.Quote(strings.Join(args, " ")), remedy)
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
	for _, t := range topics() {
		c.ValidArgs = append(c.ValidArgs, cobra.CompletionWithDesc(t.name, t.short))
	}
	for _, other := range commands() {
		c.ValidArgs = append(c.ValidArgs, other.name)
	}
	return c
}

func (p *program) printOverview(root *cobra.Command) {
	fmt.Fprintf(p.stdout, "%s.\n\nusage: caisson run [flags] [--] COMMAND [ARGUMENT...]\n\ncommands:\n", root.Short)
	for _, listed := range commands() {
		if c, _, err := root.Find([]string{listed.name}); err == nil {
			fmt.Fprintf(p.stdout, "  %-11s %s\n", listed.name, c.Short)
		}
	}
	fmt.Fprint(p.stdout, "\ntopics of caisson help:\n")
	for _, t := range topics() {
		fmt.Fprintf(p.stdout, "  %-11s %s\n", t.name, t.short)
	}
}

func contractText() string {
	var b strings.Builder
	b.WriteString(`Read broadly, write only in the workspace, offline by default, enforced by the
operating system. Commands run unchanged: with their terminal, signals and exit
codes, on a loopback of their own.

Not protected: what is in the workspace and is run outside later by a person:
nested repositories (sub/.git/hooks), Makefiles, package scripts, virtual
environments, CI files. Look at them before you run them.

Every policy needs these guarantees; a run is refused where the host cannot
uphold one, until it is given up by name with --allow-weaker ID:

`)
	var asked []guarantee.Info
	for _, i := range guarantee.All() {
		if !i.Standard {
			asked = append(asked, i)
			continue
		}
		writePromise(&b, i)
	}
	b.WriteString("\nThese are needed where the policy asks for them (--require ID):\n\n")
	for _, i := range asked {
		writePromise(&b, i)
	}
	return b.String()
}

// writePromise writes a guarantee in at most 80 columns.
func writePromise(b *strings.Builder, i guarantee.Info) {
	const indent, width = 28, 80
	line := fmt.Sprintf("  %-*s", indent-2, i.ID)
	for word := range strings.FieldsSeq(i.Promise) {
		if len(line)+1+len(word) > width {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", indent)
		}
		if !strings.HasSuffix(line, " ") {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
}

const policyHelp = `A policy says what a sandbox may do. It comes in layers, each over the one
before: the built-in standard policy, the system's file
(/etc/caisson/policy.toml), the user's file ($XDG_CONFIG_HOME/caisson/policy.toml),
.caisson.toml files of the project, flags. A project's file may only tighten,
until a person has read it and trusts it: caisson policy trust FILE.
--policy FILE replaces the user's and the project's files.

  version = 1
  extends = "standard"          # or "read-only"
  workspace = ["."]             # what may be written
  require = []                  # further guarantees, see caisson help contract
  allow-weaker = []             # guarantees given up (system and user files)
  audit = []                    # files that each command is noted in
  final = []                    # settings that no later layer may change (system file)

  [files]
  write     = ["~/.cache/ccache"] # writable too
  protect   = ["vendor"]        # readable, not writable, inside what is writable
  hide      = ["~/work/other"]  # neither read nor listed
  show      = []                # readable although hidden
  unprotect = []                # writable although protected (system and user files)

  [network]
  mode = "offline"              # or "allowlist", or "online": the host's network as it is
  allow = ["example.org:443"]   # of the mode "allowlist": NAME, *.NAME, ADDRESS, ADDRESS/BITS or *
  deny = ["*.ads.example"]      # beats allow
  loopback = []                 # ports of the host's loopback (system and user files)
  publish = []                  # ports inside that the host can reach (likewise)
  unix = []                     # unix sockets of the host (likewise)

  [env]
  inherit = "clean"             # or "all"
  pass = ["AWS_PROFILE"]
  set  = { CI = "1" }

  [caches]
  mode = "private"              # or "off"

  [limits]
  time = "10m"
  memory = "4GiB"
  processes = 512

The most specific path wins; at one path the strictest rule wins (hide before
read before write). show and unprotect lift what is at a path and below it. A path
that widens is refused where it leads through a symbolic link that a command could
have made: name the target itself.
caisson policy print --origins says where each value was set; caisson explain
PATH says what holds for a path.
`

const exitHelp = `caisson run and caisson shell exit with

  N      the status of the command itself
  128+N  signal N killed the command
  124    the time of --timeout or limits.time was over
  125    caisson refused or failed before the command was started, or was misused
  126    the command was found and cannot be executed
  127    the command was not found

caisson plan exits with 125 where it refuses, misuse included. Other commands
exit with 0 for yes, 1 for no and 2 where they were misused or cannot answer.
--result FILE tells all of this apart for programs.
`

const grantHelp = `A grant widens what commands may do. Every refusal and every answer of caisson
explain names the narrowest one that helps, as flags to run with again:

  --write PATH        let PATH be written
  --unprotect PATH    lift the protection of PATH inside the workspace
  --show PATH         let PATH be read although it is hidden
  --allow-host HOST[:PORT]  let HOST be reached, and nothing else but what is listed
  --allow-loopback PORT     let a server on the host's loopback be reached
  --publish PORT            let the host's loopback reach a server inside
  --allow-unix PATH         let a unix socket be reached, with all that it allows
  --env NAME[=VALUE]  pass a variable on, or set it
  --fd N              pass a descriptor on
  --net online        use the host's network as it is, its loopback included
  --allow-weaker ID   go on without a guarantee that the host cannot uphold

caisson never asks: the terminal belongs to the command, which could fake the
question. Decide, and run again. Programs find the same grants in the JSON of
--result and of caisson explain --json, under "grant".
`
