// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/caisson-sandbox/caisson/core/audit"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/launch"
)

// ErrWaitDelay is returned by [Cmd.Wait] when the command ended well but
// something kept its output open for longer than WaitDelay.
var ErrWaitDelay = errors.New("the command ended and its output stayed open for longer than WaitDelay")

// Cmd is one command of a sandbox. It is shaped like the Cmd of os/exec: the
// fields are set before Start or Run and are not changed afterwards, and a Cmd
// is used once. Methods may not be called concurrently, except for Signal.
type Cmd struct {
	// Path is the command. With a slash it is executed as it is; otherwise it
	// is searched for inside the sandbox, in the PATH of its environment.
	Path string
	// Args is the argument list, the name of the command first. Empty means
	// Path alone.
	Args []string
	// Env is the environment. Nil means the caller's, without what the policy
	// keeps out. A list that is given is taken as it is. What the plan sets
	// (the temporary directory, CAISSON=1) is added to both.
	Env []string
	// Dir is the working directory. Empty means the caller's where it can be
	// seen inside, otherwise the first directory of the workspace.
	Dir string

	// Stdin, Stdout and Stderr are the standard streams; nil is the null
	// device. An *os.File is passed on as it is; anything else is copied
	// through a pipe, and Wait waits until all is copied.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// ExtraFiles become descriptors 3 and following. A nil entry is closed.
	ExtraFiles []*os.File
	// Descriptors are more files, by the descriptor that each becomes.
	Descriptors map[int]*os.File

	// Foreground says that the terminal at Stdin is there for this command:
	// where it cannot share the caller's process group, it gets the terminal.
	Foreground bool
	// OwnGroup gives the command a process group of its own in any case, as an
	// interactive shell needs.
	OwnGroup bool
	// NewSession makes the command the leader of a session of its own whose
	// terminal is the first of the standard streams that is one. It is not the
	// caller's, but such as the end of a pair that the caller made. Windows has none.
	NewSession bool

	// ReadOnly, Protect and Hide take away from this command, and from what it
	// starts, what the sandbox lets others do: to write anywhere but in temporary
	// directories and caches; to change what exists at a path and below it; to read
	// or list it. Relative paths are taken from the command's directory. See
	// docs/contract.md for what this holds; the backend linux/namespaces alone has
	// it, others refuse to start the command.
	ReadOnly      bool
	Protect, Hide []string

	// Cancel is called when the context of the command is done before the
	// command is. Nil means to kill the command and its descendants.
	Cancel func() error
	// WaitDelay bounds how long Wait waits for the output after the command
	// ended, and how long a command that Cancel did not end may go on. Zero
	// means no bound.
	WaitDelay time.Duration

	sandbox *Sandbox
	ctx     context.Context
	process *launch.Process
	streams streams
	denied  *denials
	noted   audit.Record // of its start
	began   time.Time
	before  launch.Reached
	after   launch.Reached
	watched chan watched  // receives once when the context is no longer watched
	ended   chan struct{} // closed when the command was reaped; after and the next three are set then
	status  launch.Status
	elapsed time.Duration
	waitErr error
	waited  bool
	result  Result
}

// watched is how the watch over a context ended. Its timer, if any, runs out
// WaitDelay after the context was done.
type watched struct {
	err   error
	timer *time.Timer
}

// Run starts the command and waits for its end. The error is an [*ExitError]
// if the command ran and did not succeed, and a [*diag.Diagnostic] if it was
// not started.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Start starts the command and does not wait for it. After it succeeded, Wait
// must be called. The error is a [*diag.Diagnostic], or the context's.
func (c *Cmd) Start() error {
	if c.process != nil || !c.began.IsZero() {
		return errors.New("the command was started already")
	}
	c.began = time.Now()
	err := c.start()
	if err != nil {
		c.streams.abandon()
		if c.noted.Run == "" {
			if failed := c.sandbox.auditor.refused(c.args(), err); failed != nil {
				err = fmt.Errorf("%w; it is not noted: %w", err, failed)
			}
		}
		c.result = c.sandbox.refused(err)
	}
	return err
}

func (c *Cmd) start() error {
	if c.Path == "" {
		return diag.New(diag.CommandNotFound, "no command is named", "")
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if err := c.sandbox.over(); err != nil {
		return err
	}
	dir, err := c.sandbox.dirOf(c.Dir)
	if err != nil {
		return err
	}
	files, err := c.files()
	if err != nil {
		return err
	}
	args := c.args()
	if err := c.sandbox.admit(); err != nil {
		return err
	}
	c.denied = newDenials(c.sandbox.prepared.options.Denied)
	c.before = c.sandbox.box.Reached()
	less := c.less(dir)
	held := lessOf(less)
	if c.noted, err = c.sandbox.auditor.start(args, held.noted()); err != nil {
		c.sandbox.leave()
		return err
	}
	c.sandbox.denied.begin()
	process, err := c.sandbox.box.Start(c.ctx, launch.Command{
		Path: c.Path, Args: args, Env: c.environ(dir), Dir: dir, Files: files, Foreground: c.Foreground, OwnGroup: c.OwnGroup, NewSession: c.NewSession,
		Less: less, Attempted: c.sandbox.attempted(c.denied),
	})
	c.streams.started()
	if err != nil {
		c.sandbox.leave()
		c.sandbox.denied.end()
		_ = c.sandbox.auditor.end(c.noted, Result{Code: -1}) // why it was not started comes first
		return err
	}
	c.process = process
	c.result.Started, c.result.Less = true, held
	c.ended = make(chan struct{})
	c.watched = make(chan watched, 1)
	go c.reap()
	if c.ctx.Done() != nil {
		go c.watch()
	} else {
		c.watched <- watched{}
	}
	return nil
}

// args is the argument list, nil where no command is named.
func (c *Cmd) args() []string {
	if len(c.Args) == 0 && c.Path != "" {
		return []string{c.Path}
	}
	return c.Args
}

// reap waits for the command whether Wait is called or not, so that Close never
// waits for a caller.
func (c *Cmd) reap() {
	c.status, c.waitErr = c.process.Wait()
	c.elapsed = max(time.Since(c.began), 1)
	c.after = c.sandbox.box.Reached()
	close(c.ended)
}

// watch ends the command when its context is done.
func (c *Cmd) watch() {
	select {
	case <-c.ended:
		c.watched <- watched{}
		return
	case <-c.ctx.Done():
	}
	cancel := c.Cancel
	if cancel == nil {
		cancel = c.process.Kill
	}
	w := watched{err: c.ctx.Err()}
	if err := cancel(); errors.Is(err, os.ErrProcessDone) {
		w.err = nil
	} else if err != nil {
		w.err = err
	}
	if c.WaitDelay <= 0 {
		c.watched <- w
		return
	}
	w.timer = time.NewTimer(c.WaitDelay)
	select {
	case <-c.ended:
	case <-w.timer.C:
		_ = c.process.Kill() // it is gone already, or the kernel has the signal
		w.timer.Reset(0)
	}
	c.watched <- w
}

// Signal sends a signal to the command, not to its descendants. It returns
// [os.ErrProcessDone] when the command has ended.
func (c *Cmd) Signal(sig syscall.Signal) error {
	if c.process == nil {
		return errors.New("the command was not started")
	}
	return c.process.Signal(sig)
}

// Pid returns the process id of the command, as seen outside; 0 before Start.
func (c *Cmd) Pid() int {
	if c.process == nil {
		return 0
	}
	return c.process.Pid()
}

// Wait waits for the end of the command and of the copying of its streams. It
// returns nil if the command exited with status 0, and an [*ExitError] if it
// did otherwise.
func (c *Cmd) Wait() error {
	if c.process == nil {
		return errors.New("the command was not started")
	}
	if c.waited {
		return errors.New("the command was waited for already")
	}
	c.waited = true
	defer c.sandbox.denied.end()
	<-c.ended
	w := <-c.watched
	c.result.Elapsed = c.elapsed
	err := c.waitErr
	if err == nil {
		c.result.limited(c.before, c.after, c.status.Wait.Exited() && c.status.Wait.ExitStatus() == 0)
		c.sandbox.fill(&c.result, c.status, errors.Is(w.err, context.DeadlineExceeded))
		c.sandbox.setDenials(&c.result, c.denied)
		err = c.result.err()
	}
	if failed := c.sandbox.auditor.end(c.noted, c.result); failed != nil {
		err = failed
	}
	if err == nil && w.err != nil {
		err = w.err
	}
	if copied := c.streams.wait(w.timer, c.WaitDelay); err == nil {
		err = copied
	}
	return err
}

// Result tells how the command ended. It is complete when Wait or Run has
// returned, and after a Start that failed.
func (c *Cmd) Result() Result { return c.result }

// String gives the command line, quoted so that it can be typed at a prompt
// and cannot drive a terminal.
func (c *Cmd) String() string {
	words := []string{diag.Quote(c.Path)}
	if len(c.Args) > 1 {
		for _, a := range c.Args[1:] {
			words = append(words, diag.Quote(a))
		}
	}
	return strings.Join(words, " ")
}

// Environ returns the environment that the command will have, so that a
// caller can set Env to it with changes.
func (c *Cmd) Environ() []string {
	dir, err := c.sandbox.dirOf(c.Dir)
	if err != nil {
		dir = ""
	}
	return c.environ(dir)
}

func (c *Cmd) environ(dir string) []string {
	if c.Env != nil {
		return c.sandbox.edited(c.Env)
	}
	return c.sandbox.environ(dir)
}
