// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/cmd/internal/session"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// defaultIdle is how long a session may be unused, where --idle says nothing.
const defaultIdle = time.Hour

func (p *program) sessionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "session start|run|list|end",
		Short: "Keep a sandbox open under a name, for many commands",
		Long: `Keep a sandbox open under a name, held by a process in the background. Its
commands share one policy, which is fixed when it starts, one temporary directory,
one loopback and one tree of processes. It ends by session end, when it was unused
for the time of --idle, with its owner, or when the time of --timeout is over.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError(c, "session start, run, list or end is meant")
			}
			remedy := "see caisson session --help"
			if near := nearest(c, args[0]); near != "" {
				remedy = near
			}
			return diag.New(diag.UsageInvalid, "unknown command session "+diag.Quote(args[0]), remedy)
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	c.AddCommand(p.sessionStart(), p.sessionHold(), p.sessionRun(), p.sessionList(), p.sessionEnd())
	return c
}

// stateDir is where caisson keeps what belongs to it.
func stateDir() string { return policy.OSHost().OwnDirs().State }

// startFlags are those of session start.
type startFlags struct {
	flags
	name   string
	idle   time.Duration
	owner  int
	reason string
}

func (f *startFlags) add(c *cobra.Command) {
	f.flags.add(c)
	s := c.Flags()
	s.StringVar(&f.name, "name", "", "call it `NAME`; by default a name is made up")
	s.DurationVar(&f.idle, "idle", defaultIdle, "end it when it was unused for `TIME`; 0 is never")
	s.IntVar(&f.owner, "owner", 0, "end it with the process `PID`")
	s.StringVar(&f.reason, "reason", "", "note `TEXT` in the results")
}

func (f *startFlags) check(c *cobra.Command) error {
	switch {
	case f.idle < 0:
		return usageError(c, "--idle: a time is not negative")
	case c.Flags().Changed("owner") && f.owner < 2:
		return usageError(c, "--owner: %d is no process that could own it", f.owner)
	case f.name != "" || c.Flags().Changed("name"):
		return session.CheckName(f.name)
	}
	return nil
}

func (p *program) sessionStart() *cobra.Command {
	f := &startFlags{}
	c := &cobra.Command{
		Use:     "start [flags]",
		Short:   "Open a sandbox, and print its name",
		Long:    "Open a sandbox that stays open in the background, and print its name.",
		Example: "  caisson session start --name app -w ~/src/app --owner $$",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(c); err != nil {
				return err
			}
			return p.startHolder(f)
		},
	}
	f.add(c)
	return c
}

// sessionHold is the process in the background that session start makes.
func (p *program) sessionHold() *cobra.Command {
	f := &startFlags{}
	c := &cobra.Command{
		Use:    "hold [flags]",
		Short:  "Hold the sandbox of a session",
		Long:   "Hold the sandbox of a session: what session start runs in the background.",
		Hidden: true,
		Args:   noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(c); err != nil {
				return err
			}
			return p.hold(c.Context(), f)
		},
	}
	f.add(c)
	return c
}

func (p *program) sessionRun() *cobra.Command {
	j := &job{program: p}
	c := &cobra.Command{
		Use:   "run [flags] NAME [--] COMMAND [ARGUMENT...]",
		Short: "Run a command in a session",
		Long: `Run a command in a session. Streams, terminal, signals and the exit status are as
in caisson run. The policy of a session is fixed: what a command needs beyond it
needs another session. It can be given less.`,
		Example: "  caisson session run app -- make\n  caisson session run --read-only --hide .env app -- npm test",
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) > 1 && args[1] == "--":
				args = append(args[:1:1], args[2:]...)
			case len(args) > 1 && strings.HasPrefix(args[1], "-"):
				return j.refuse(usageError(c, "%s: flags come before the name of the session, and a command that begins with - after --", diag.Quote(args[1])))
			}
			if len(args) < 2 {
				return j.refuse(usageError(c, "a session and a command to run in it are meant"))
			}
			j.session = args[0]
			return j.runInSession(c, args[1:])
		},
	}
	c.Flags().SetInterspersed(false)
	c.ValidArgsFunction = completeSession
	j.flags.changed = c.Flags().Changed
	j.misused(c)
	j.addSession(c)
	return c
}

// addSession defines the flags of a command in a session.
func (j *job) addSession(c *cobra.Command) {
	s := c.Flags()
	s.StringVarP(&j.chdir, "chdir", "C", "", "start the command in `DIR`")
	s.BoolVar(&j.flags.readOnly, "read-only", false, "let it write nothing but temporary directories and caches")
	s.StringArrayVar(&j.flags.protect, "protect", nil, "let it not change what is at `PATH` (repeatable)")
	s.StringArrayVar(&j.flags.hide, "hide", nil, "let it neither read nor list what is at `PATH` (repeatable)")
	s.StringVar(&j.flags.timeout, "timeout", "", "end the command after `TIME`, such as 90s or 10m")
	s.StringVar(&j.result, "result", "", "write the result as JSON to `FILE`, or to the descriptor N with fd:N")
	s.StringVar(&j.reason, "reason", "", "note `TEXT` in the result")
	s.BoolVarP(&j.flags.quiet, "quiet", "q", false, "print errors only")
}

func (p *program) sessionList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the sessions",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			list, err := session.List(stateDir())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, list)
			}
			w := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
			for _, s := range list {
				var dirs []string
				for _, dir := range s.Workspace {
					dirs = append(dirs, diag.Quote(dir))
				}
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", s.Name, s.Pid, s.Started.Format(time.RFC3339), strings.Join(dirs, " "))
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p *program) sessionEnd() *cobra.Command {
	return &cobra.Command{
		Use:   "end NAME",
		Short: "End a session and everything in it",
		Args:  exactly(1, "the name of a session"),
		RunE:  func(_ *cobra.Command, args []string) error { return session.End(stateDir(), args[0]) },

		ValidArgsFunction: completeSession,
	}
}

// completeSession completes the first argument as the name of a session.
func completeSession(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	list, err := session.List(stateDir())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
