// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/launch/sandboxexec"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// On macOS a plan is executed by core/launch/sandboxexec; this file and
// processes_darwin.go say what is special about the system. They were
// CROSS-COMPILED and NEVER RUN.

// program is never looked up: whoever could put another one before it in PATH
// would be the sandbox.
const program = "/usr/bin/sandbox-exec"

// patience is how long the sandbox may take to prove that it is in force. It
// takes about 10 ms; a machine under load takes longer.
const patience = 10 * time.Second

// Sandbox is a running sandbox.
type Sandbox struct{ box *sandboxexec.Box }

// Process is a command that was started. Its methods may be called from
// several goroutines at once.
type Process struct{ process *sandboxexec.Process }

// Stage is the inner stage of a start, which runs in the sandbox: where the
// process was started as one, it does not return. It belongs at the start of
// main of every program that opens sandboxes.
func Stage() { sandboxexec.Stage(os.Args) }

// Open makes a sandbox as the plan says. An error is or wraps a
// *diag.Diagnostic; nothing is left then.
func Open(ctx context.Context, p *plan.Plan, o Options) (*Sandbox, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.OS != "darwin" {
		return nil, diag.New(diag.PlanInvalid, "the plan is for "+p.OS, "")
	}
	if err := Collect(o.StateDir, o.Report); err != nil {
		return nil, diag.New(diag.LaunchFailed, fmt.Sprintf("what a killed caisson left cannot be removed: %v", err), "remove it by hand")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, diag.New(diag.LaunchFailed, fmt.Sprintf("this program cannot be found: %v", err), "")
	}
	box, err := sandboxexec.Open(p, sandboxexec.Options{
		Program: program, Stage: self, StateDir: o.StateDir, Proxy: o.Proxy, Terminal: o.Terminal, Patience: patience, System: processes{}, Report: o.Report,
	})
	if err != nil {
		return nil, err
	}
	return &Sandbox{box}, nil
}

// Try makes the sandbox of a plan, runs nothing in it and removes it.
func Try(p *plan.Plan) error {
	state, err := os.MkdirTemp("", "caisson-try-")
	if err != nil {
		return fmt.Errorf("make a directory for the trial: %w", err)
	}
	s, err := Open(context.Background(), p, Options{StateDir: state})
	if err == nil {
		err = s.Close()
	}
	return errors.Join(err, os.RemoveAll(state))
}

// Syscalls refuses: macOS has no list of system calls.
func Syscalls(*plan.Plan) (string, error) {
	return "", diag.New(diag.ModeUnsupported, "this system makes sandboxes by a profile, not by a list of system calls", "write --show profile")
}

// Collect removes what killed owners left.
func Collect(stateDir string, report func(diag.Diagnostic)) error {
	return sandboxexec.Collect(stateDir, processes{}, report)
}

// Start starts a command in the sandbox. An error is or wraps a
// *diag.Diagnostic; nothing was executed then.
func (s *Sandbox) Start(ctx context.Context, c Command) (*Process, error) {
	if !c.Less.none() {
		return nil, lessUnsupported()
	}
	p, err := s.box.Start(ctx, sandboxexec.Command{
		Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir, Files: c.Files, Foreground: c.Foreground, NewSession: c.NewSession,
	})
	if err != nil {
		return nil, err
	}
	return &Process{p}, nil
}

// Close kills everything in the sandbox, as far as it can be found, and removes
// what belongs to it.
func (s *Sandbox) Close() error { return s.box.Close() }

// Pid is the process id of the command.
func (p *Process) Pid() int { return p.process.Pid() }

// Wait waits for the command to end.
func (p *Process) Wait() (Status, error) {
	status, usage, err := p.process.Wait()
	return Status{Wait: status, Usage: usage}, err
}

// Signal sends a signal to the command.
func (p *Process) Signal(sig syscall.Signal) error { return p.process.Signal(sig) }

// Kill kills the command and what it started.
func (p *Process) Kill() error { return p.process.Kill() }

// Reached is zero: nothing is counted on this system.
func (s *Sandbox) Reached() Reached { return Reached{} }
