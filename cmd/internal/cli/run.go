// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/egress"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// job is one invocation of run or shell.
type job struct {
	*program
	flags   flags
	chdir   string
	fds     []int
	result  string
	reason  string
	wanted  policy.Policy                   // of the flags and files, once it is read
	parent  bool                            // it ends with the process that started caisson
	session string                          // the session to run it in; empty for a sandbox of its own
	shell   bool                            // the command is an interactive shell
	ended   func(sandbox.Result) error      // what to do with the result; nil: say what was denied
	failed  atomic.Pointer[egress.Decision] // the last host that was allowed and out of reach
	// environ is what the command inherits from; nil means this process's.
	environ []string
}

func (p *program) runCommand() *cobra.Command {
	j := &job{program: p}
	c := &cobra.Command{
		Use:   "run [flags] [--] COMMAND [ARGUMENT...]",
		Short: "Run a command in a sandbox",
		Long: `Run a command that reads broadly, writes only in the workspace, and is offline.

The exit status is the command's own; 128+N when signal N killed it; 124 when
the time is over; 125 when caisson refused or failed before the command was
started; 126 when it cannot be executed; 127 when it was not found.`,
		Example: "  caisson run -- make test\n  caisson run -w ~/src/app --write ~/.cache/ccache -- make",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return j.refuse(usageError(c, "no command to run is named"))
			}
			if c.Flags().Changed("session") {
				return j.runInSession(c, args)
			}
			return j.run(c.Context(), args)
		},
	}
	c.Flags().SetInterspersed(false) // what follows the command belongs to it
	j.add(c)
	c.Flags().StringVar(&j.session, "session", "", "run it in the session `NAME`, whose policy is fixed")
	return c
}

func (p *program) shellCommand() *cobra.Command {
	j := &job{program: p, shell: true}
	c := &cobra.Command{
		Use:   "shell [flags]",
		Short: "Start an interactive shell in a sandbox",
		Long:  "Start $SHELL, or /bin/sh where that is no absolute path, as an interactive shell in a sandbox.",
		RunE: func(c *cobra.Command, args []string) error {
			if err := noArgs(c, args); err != nil {
				return j.refuse(err)
			}
			shell := os.Getenv("SHELL")
			if !filepath.IsAbs(shell) {
				shell = "/bin/sh"
			}
			return j.run(c.Context(), []string{shell, "-i"})
		},
	}
	j.add(c)
	return c
}

func (j *job) add(c *cobra.Command) {
	j.flags.add(c)
	j.misused(c)
	s := c.Flags()
	s.StringVarP(&j.chdir, "chdir", "C", "", "start the command in `DIR`; the workspace stays what it is")
	s.IntSliceVar(&j.fds, "fd", nil, "pass the descriptor `N` on (repeatable)")
	s.StringVar(&j.result, "result", "", "write the result as JSON to `FILE`, or to the descriptor N with fd:N")
	s.StringVar(&j.reason, "reason", "", "note `TEXT` in the result")
	s.BoolVar(&j.parent, "with-parent", false, "end it with the process that started caisson")
}

// refuse writes the result of an invocation that comes to nothing for err.
func (j *job) refuse(err error) error {
	out, failed := j.openResult(nil)
	if failed != nil {
		return err // it stands in the way too, and the first error is the one to read
	}
	return j.finish(out, nil, sandbox.Result{}, err)
}

// finish writes the result, if one is wanted, and passes err on.
func (j *job) finish(out *resultFile, p *sandbox.Prepared, r sandbox.Result, err error) error {
	if out == nil {
		return err
	}
	if failed := out.write(j.report(p, r, err)); err == nil && failed != nil {
		return failed
	}
	return err
}

// run runs the command and turns its end into an exit status.
func (j *job) run(ctx context.Context, args []string) error {
	if j.parent {
		owned, stop, err := withParent(ctx)
		if err != nil {
			return j.refuse(err)
		}
		defer stop()
		ctx = owned
	}
	prepared, err := j.prepare(ctx, args)
	if prepared == nil {
		return j.refuse(err)
	}
	out, failed := j.openResult(prepared.Resolved)
	if failed != nil && err == nil {
		return j.noted(args, failed)
	} else if failed != nil {
		return failed // that nothing is started is noted
	}
	if err != nil {
		return j.finish(out, prepared, sandbox.Result{Diagnostics: prepared.Notes}, err)
	}
	signals := catchSignals()
	defer signals.stop()
	sb, err := prepared.Open(ctx)
	j.endPlugins()
	if err != nil {
		return j.finish(out, prepared, sandbox.Result{Diagnostics: prepared.Notes}, err)
	}
	result, err := j.command(ctx, sb, signals, args)
	if closed := sb.Close(); err == nil {
		err = closed
	}
	result.Diagnostics = sb.Diagnostics()
	if err == nil {
		result.Diagnostics = append(result.Diagnostics, j.hint(prepared, result)...)
		if j.ended == nil {
			j.tellDenials(j.report(prepared, result, nil))
		} else {
			err = j.ended(result)
		}
	}
	if err := j.finish(out, prepared, result, err); err != nil {
		return err
	}
	if said := limitReached(prepared.Resolved.Limits(), result.Limit); said != "" && !j.flags.quiet {
		j.say(said)
	}
	if code := outcome.Status(result); code != 0 {
		return status(code)
	}
	return nil
}

// limitReached says which limit ended a command, in words; "" is none.
func limitReached(l policy.Limits, limit string) string {
	switch limit {
	case "time":
		return fmt.Sprintf("the time limit of %s is over", l.Time)
	case "memory":
		return fmt.Sprintf("the memory limit of %d bytes was reached", l.Memory)
	case "processes":
		return fmt.Sprintf("the limit of %d processes was reached", l.Processes)
	}
	return ""
}

// prepare resolves the policy of the flags and files, and chooses a backend, for a
// sandbox that is to be opened for a command: a refusal is noted in audit files.
func (j *job) prepare(ctx context.Context, args []string) (*sandbox.Prepared, error) {
	p, notes, err := j.flags.policy(j.policyInput())
	j.wanted = p
	if err != nil {
		j.wanted, _ = j.flags.said() // with the system's, it is all that is known
		return nil, j.noted(args, err)
	}
	for _, d := range notes {
		j.found(d)
	}
	prepared, err := j.program.prepare(ctx, &j.flags, p, sandbox.Options{Report: j.found, Denied: j.denied, Egress: j.decided, Environ: j.environ, Reason: j.reason, For: args})
	return prepared, j.noted(args, err)
}

// noted notes in the audit files that nothing is started for err.
func (j *job) noted(args []string, err error) error {
	return sandbox.NoteRefusal(j.wanted, &sandbox.Options{Reason: j.reason, For: args}, err)
}

// command runs one command. The error is nil once it was started.
func (j *job) command(ctx context.Context, sb *sandbox.Sandbox, signals *signals, args []string) (sandbox.Result, error) {
	cmd := sb.Command(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = j.stdin, j.stdout, j.stderr
	cmd.Foreground, cmd.OwnGroup = true, j.shell
	if j.chdir != "" {
		dir, err := filepath.Abs(j.chdir)
		if err != nil {
			return sandbox.Result{}, j.noted(args, fmt.Errorf("the directory of --chdir: %w", err))
		}
		cmd.Dir = dir
	}
	var err error
	if cmd.Descriptors, err = inherited(j.fds); err != nil {
		return sandbox.Result{}, j.noted(args, err)
	}
	if err := cmd.Start(); err != nil {
		return cmd.Result(), err
	}
	signals.passTo(cmd)
	err = cmd.Wait()
	if _, ok := errors.AsType[*sandbox.ExitError](err); ok {
		err = nil
	}
	return cmd.Result(), err
}

// inherited checks that descriptors were given to this process by its caller:
// those that it opened itself are closed on exec.
func inherited(fds []int) (map[int]*os.File, error) {
	if len(fds) == 0 {
		return nil, nil
	}
	files := map[int]*os.File{}
	for _, n := range fds {
		if n < 3 {
			return nil, diag.New(diag.UsageInvalid, fmt.Sprintf("--fd %d: the standard streams are passed on anyway", n), "name a descriptor from 3 on")
		}
		if !isInherited(n) {
			return nil, notInherited(n)
		}
		files[n] = os.NewFile(uintptr(n), fmt.Sprintf("descriptor %d", n))
	}
	return files, nil
}

// found prints a finding of the sandbox where it is wanted: what was changed
// on the host, and what was to be hidden and is not there, always, how the policy was read on a terminal, the rest with -v.
func (j *job) found(d diag.Diagnostic) {
	switch {
	case j.flags.quiet:
		return
	case j.flags.verbose:
	case d.Code == diag.Quarantined, d.Code == diag.CheckedOut, d.Code == diag.ProtectedChanged, d.Code == diag.HiddenChanged, d.Code == diag.RepositoryMade, d.Code == diag.HideAbsent, d.Code == diag.SocketGranted:
	case d.Code == diag.EnvDropped, d.Code == diag.LeftoverRemoved, d.Code == diag.NetworkFS, d.Code == diag.ProjectIgnored:
		return
	case !isTerminal(j.stderr):
		return
	}
	j.note(d)
}

// hint says of a command that failed what may have been in its way, as nothing
// observed what was denied.
func (j *job) hint(p *sandbox.Prepared, r sandbox.Result) []diag.Diagnostic {
	if r.Code <= 0 || r.Denials != nil || r.TimedOut || j.shell {
		return nil
	}
	d := diag.Diagnostic{
		Code:    diag.WriteHint,
		Message: "writes outside " + diag.Quote(p.Resolved.Workspace()[0]) + " are refused",
		Remedy:  "see caisson explain PATH; --trace-denials names what was denied",
	}
	config := filepath.Join(p.Resolved.Workspace()[0], ".git", "config")
	if access, rule := p.Resolved.AccessTo(config); access == policy.Read && rule.Path == config {
		d.Message = "writes outside " + diag.Quote(p.Resolved.Workspace()[0]) + " and to protected paths in it are refused"
		d.Remedy += "; what changes git's configuration needs --unprotect .git/config, what adds a submodule --unprotect .git/modules too"
	}
	j.found(d)
	return []diag.Diagnostic{d}
}
