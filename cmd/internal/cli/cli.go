// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line of caisson: one file for each command, and
// what they share.
//
// Main builds only the command that is named, because `caisson run` is on the
// path of every command that an agent runs. Data goes to the standard output;
// errors and notes go to the standard error, as lines that begin with
// "caisson: " and hold no control characters, whatever a path or a file says.
package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// The exit statuses of caisson itself that say yes, no or that it was misused.
// Those of run and shell are in package outcome.
const (
	statusNo     = 1 // the answer is no
	statusMisuse = 2 // misuse, for commands that run nothing
)

// program is one invocation.
type program struct {
	stdin, stdout, stderr *os.File
	args                  []string     // without the name of the program
	consumed              bytes.Buffer // what was read from stdin as a policy
	hosting               Hosting      // nil in the lean program
	running               []Running    // plugins that were started
	serving               bool         // in the middle of a conversation: it cannot be handed over
}

// status is the error of an invocation that has said what there is to say.
type status int

func (s status) Error() string { return fmt.Sprintf("status %d", int(s)) }

// command is an entry of the table of commands. Failure is the status of
// errors that have none of their own.
type command struct {
	name    string
	failure int
	build   func(*program) *cobra.Command
}

func commands() []command {
	return []command{
		{"run", outcome.Refused, (*program).runCommand},
		{"shell", outcome.Refused, (*program).shellCommand},
		{"learn", outcome.Refused, (*program).learnCommand},
		{"sh", outcome.Refused, (*program).shCommand},
		{"serve", statusMisuse, (*program).serveCommand},
		{"session", outcome.Refused, (*program).sessionCommand},
		{"plan", outcome.Refused, (*program).planCommand},
		{"explain", statusMisuse, (*program).explainCommand},
		{"policy", statusMisuse, (*program).policyCommand},
		{"hook", statusMisuse, (*program).hookCommand},
		{"audit", statusMisuse, (*program).auditCommand},
		{"doctor", statusMisuse, (*program).doctorCommand},
		{"backends", statusMisuse, (*program).backendsCommand},
		{"plugin", statusMisuse, (*program).pluginCommand},
		{"conformance", statusMisuse, (*program).conformanceCommand},
		{"gc", statusMisuse, (*program).gcCommand},
		{"setup", statusMisuse, (*program).setupCommand},
		{"version", statusMisuse, (*program).versionCommand},
		{"completion", statusMisuse, (*program).completionCommand},
		{"help", statusMisuse, (*program).helpCommand},
	}
}

// Main runs the command line without the name of the program and returns the
// exit status. Where a command needs a backend plugin, caisson-full does it. A
// program that is called caisson-sh is the command sh.
func Main(args []string) int { return MainHosting(args, nil) }

// MainHosting is Main for a program that hosts plugins itself.
func MainHosting(args []string, hosting Hosting) int {
	sandbox.Stage()
	args = personality(os.Args[0], args)
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, args: args, hosting: hosting}
	if hosting != nil {
		_ = os.Unsetenv(handedOver) // it is for this program, not for commands
	}
	defer p.endPlugins()
	if len(args) == 0 {
		p.complain(diag.New(diag.UsageInvalid, "no command is named", "see caisson help"))
		return statusMisuse
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return p.execute(args, c.failure, c)
		}
	}
	switch args[0] {
	case "--version":
		args = []string{"version"}
	case "-h", "--help":
		args = []string{"help"}
	case cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
	default:
		return p.unknown(args[0])
	}
	return p.execute(args, statusMisuse, commands()...)
}

// execute builds the listed commands and runs the one that args names.
func (p *program) execute(args []string, failure int, list ...command) int {
	root := p.root(list...)
	root.SetArgs(args)
	var err error
	if strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		err = completeFlags(root)
	}
	if err == nil {
		err = root.ExecuteContext(context.Background())
	}
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[status](err); ok {
		return int(code)
	}
	p.complain(err)
	return failureStatus(err, failure)
}

// failureStatus maps an error to a status: only run and shell tell a command
// that is missing from other failures.
func failureStatus(err error, failure int) int {
	if failure == outcome.Refused {
		return outcome.Failure(err)
	}
	return failure
}

func (p *program) root(list ...command) *cobra.Command {
	root := &cobra.Command{
		Use:               "caisson",
		Short:             "Run commands that read broadly, write only in the workspace, and are offline",
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(flagError)
	for _, c := range list {
		sub := c.build(p)
		sub.DisableFlagsInUseLine = true
		if c.name == "help" {
			root.SetHelpCommand(sub)
		}
		root.AddCommand(sub)
	}
	if len(list) == 1 && list[0].name != "help" {
		root.SetHelpCommand(&cobra.Command{Hidden: true, Use: "no-help"})
	}
	return root
}

// group makes a command that only has others below it.
func group(name, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:   name,
		Short: short,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError(c, "no command of %s is named", c.CommandPath())
			}
			remedy := "see " + c.CommandPath() + " --help"
			if near := nearest(c, args[0]); near != "" {
				remedy = near
			}
			return diag.New(diag.UsageInvalid, "unknown command "+c.CommandPath()+" "+diag.Quote(args[0]), remedy)
		},
	}
	for _, sub := range subs {
		sub.DisableFlagsInUseLine = true
		c.AddCommand(sub)
	}
	return c
}

// unknown complains about a command that does not exist. The status is the one
// of run where the first word may be meant as a command to be run.
func (p *program) unknown(name string) int {
	remedy := "see caisson help"
	if near := nearest(p.root(commands()...), name); near != "" {
		remedy = near
	} else if !strings.HasPrefix(name, "-") {
		remedy = "to run it, write caisson run -- " + diag.Quote(name)
	}
	what := "command"
	if strings.HasPrefix(name, "-") {
		what = "flag"
	}
	p.complain(diag.New(diag.UsageInvalid, fmt.Sprintf("unknown %s %s", what, diag.Quote(name)), remedy))
	return statusMisuse
}

// nearest asks whether a command of a similar name is meant; it gives "" where
// there is none.
func nearest(parent *cobra.Command, name string) string {
	parent.SuggestionsMinimumDistance = min((len(name)+1)/2, 2)
	near := parent.SuggestionsFor(name)
	if len(near) == 0 {
		return ""
	}
	return "did you mean " + strings.Join(near, " or ") + "?"
}

// flagError reports a flag that cannot be read.
func flagError(c *cobra.Command, err error) error {
	return diag.New(diag.UsageInvalid, err.Error(), "see "+c.CommandPath()+" --help")
}

// usageError reports a misuse that cobra does not find by itself.
func usageError(c *cobra.Command, format string, args ...any) error {
	return diag.New(diag.UsageInvalid, fmt.Sprintf(format, args...), "see "+c.CommandPath()+" --help")
}

// noArgs refuses arguments, naming the first one.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(c, "unexpected argument %s", diag.Quote(args[0]))
	}
	return nil
}

// exactly asks for a number of arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError(c, "%s takes %s", c.CommandPath(), what)
		}
		return nil
	}
}

// joined lists words in messages.
func joined[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = string(v)
	}
	return strings.Join(words, ", ")
}
