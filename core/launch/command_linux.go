// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Start makes a command in the sandbox. An error is or wraps a
// *diag.Diagnostic; nothing was executed then. The end of ctx ends the start: a
// command that is already inside may hinder the process that makes this one.
func (s *Sandbox) Start(ctx context.Context, c Command) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, diag.New(diag.LaunchFailed, "the sandbox is closed", "")
	}
	if s.killed.Load() {
		s.mu.Unlock()
		return nil, diag.New(diag.LaunchFailed, "the sandbox was killed, because a protected or hidden path was replaced from outside", "")
	}
	if !c.Less.none() && (s.fence != nil || s.wrapped != nil) {
		s.mu.Unlock()
		return nil, lessUnsupported()
	}
	s.running.begin()
	s.mu.Unlock()
	p, err := s.startFiles(ctx, c)
	if err != nil {
		s.running.end()
		return nil, err
	}
	return p, nil
}

// startFiles starts the command; files that cannot be opened again inside are
// relayed in a second try.
func (s *Sandbox) startFiles(ctx context.Context, c Command) (*Process, error) {
	relayed := map[int]bool{}
	for {
		in, err := classify(c.Files, s.options.Terminal, relayed)
		if err != nil {
			in.drop()
			return nil, err
		}
		p := &Process{sandbox: s, done: make(chan struct{}), ownGroup: s.ownGroup || c.OwnGroup}
		p.saveFiles(c, in)
		s.kin.expect()
		switch {
		case s.fence != nil:
			err = s.startFenced(ctx, p, c, in)
		case s.wrapped != nil:
			s.thread.do(func() { err = s.startWrapped(ctx, p, c, in) })
		default:
			err = s.start(ctx, p, c, in)
		}
		if err == nil {
			s.kin.know(p.pid)
			s.kin.gone()
			in.started()
			go p.reap()
			return p, nil
		}
		s.kin.gone()
		in.drop()
		p.restoreFiles()
		if n := in.notReopened(err); n >= 0 && !relayed[n] && len(relayed) < len(c.Files) {
			relayed[n] = true
			continue
		}
		return nil, startError(c, err)
	}
}

// notReopened is the descriptor whose second opening failed, -1 if none did.
func (in *inherited) notReopened(err error) int {
	var step *StepError
	if errors.As(err, &step) {
		for _, r := range in.reopen {
			if r.offset >= 0 && (strings.HasSuffix(step.Entry, " "+r.path) || strings.HasPrefix(step.Entry, r.path+" ")) {
				return r.fd
			}
		}
	}
	return -1
}

// startError says what a failed start means to the user.
func startError(c Command, err error) error {
	var step *StepError
	if !errors.As(err, &step) {
		var d *diag.Diagnostic
		if errors.As(err, &d) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return diag.New(diag.LaunchFailed, fmt.Sprintf("the command could not be started: %v", err), "")
	}
	name := diag.Quote(c.Path)
	switch {
	case strings.HasPrefix(step.Entry, "go to "):
		return diag.New(diag.LaunchFailed, fmt.Sprintf("the directory %s cannot be entered inside: %v", diag.Quote(c.Dir), step.Errno), "choose a directory that the policy shows with -C DIR")
	case step.Entry == forkEntry && step.Errno == unix.ENOMEM:
		return diag.New(diag.LaunchFailed, "the command could not be started: the memory that the sandbox may use is full", "remove files in its temporary directories, end a command, or raise limits.memory")
	case step.Entry == forkEntry && step.Errno == unix.EAGAIN:
		return diag.New(diag.LaunchFailed, "the command could not be started: the sandbox has as many processes as it may have", "end a command, or raise limits.processes")
	case !strings.HasPrefix(step.Entry, "execute "):
		return diag.New(diag.LaunchFailed, fmt.Sprintf("the command could not be started: %v", step), "")
	case step.Errno == unix.ENOENT || step.Errno == unix.ENOTDIR:
		if !strings.Contains(c.Path, "/") {
			return diag.New(diag.CommandNotFound, fmt.Sprintf("%s was not found in PATH inside the sandbox", name), "")
		}
		if _, statErr := os.Stat(c.Path); statErr == nil {
			return diag.New(diag.CommandNotFound, fmt.Sprintf("%s, or the interpreter that it names, does not exist inside the sandbox", name), "")
		}
		return diag.New(diag.CommandNotFound, fmt.Sprintf("%s was not found", name), "")
	case step.Errno == unix.ENOEXEC:
		return diag.New(diag.CommandNotExec, fmt.Sprintf("%s is not in a format that can be executed", name), "a script needs a first line such as #!/bin/sh")
	default:
		return diag.New(diag.CommandNotExec, fmt.Sprintf("%s cannot be executed: %v", name, step.Errno), "")
	}
}

// sessionTerminal is the descriptor of the terminal that a session of its own
// gets, or -1.
func (c Command) sessionTerminal() int {
	if !c.NewSession {
		return -1
	}
	for n, f := range c.Files {
		if f == nil || n > 2 {
			continue
		}
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			return n
		}
	}
	return 0 // which the launch will refuse
}

// candidates are the files to try, in order, for a command's path.
func candidates(c Command) []string {
	if strings.Contains(c.Path, "/") || c.Path == "" {
		return []string{c.Path}
	}
	search := "/usr/local/bin:/usr/bin:/bin" // as execvp(3) does without PATH
	for _, kv := range c.Env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			search = v
		}
	}
	var found, missing []string
	for _, dir := range filepath.SplitList(search) {
		if !filepath.IsAbs(dir) {
			continue // a relative PATH would run what the directory at hand offers
		}
		name := filepath.Join(dir, c.Path)
		if st, err := os.Stat(name); err == nil && !st.IsDir() {
			found = append(found, name)
		} else {
			missing = append(missing, name)
		}
	}
	// What is not found out here may exist inside only, in a private /tmp.
	if list := append(found, missing...); len(list) > 0 {
		return list
	}
	return []string{"/nonexistent/" + c.Path} // no PATH at all: not found
}

// specOf is what a list of a command is made from.
func (p *Process) specOf(c Command, in *inherited) spec {
	sp := spec{
		paths: candidates(c), argv: c.Args, env: c.Env, dir: c.Dir, std: len(in.fds),
		reopen: in.reopen, terminal: -1, ownGroup: p.ownGroup, newSession: c.sessionTerminal(), callerPID: os.Getpid(),
	}
	if p.ownGroup {
		sp.terminal = p.ownTerminal(c)
	}
	return sp
}

// start makes a command in the sandbox's namespaces.
func (s *Sandbox) start(ctx context.Context, p *Process, c Command, in *inherited) error {
	sp := p.specOf(c, in)
	spaces := s.spaces
	if !c.Less.none() {
		less, err := s.lessen(c.Less)
		if err != nil {
			return err
		}
		defer less.close()
		sp.less, spaces = less, less.spaces
	}
	list, err := enterProgram(s.plan, len(s.spaces), s.filter, sp)
	if err != nil {
		return err
	}
	list.serve = func(listener int) error { return s.serve(listener, s.diag, c.Attempted) }
	s.thread.do(func() { err = s.startList(ctx, p, list, in, spaces) })
	return err
}

// startList executes the list of a command; it runs on the sandbox's thread.
func (s *Sandbox) startList(ctx context.Context, p *Process, list *entering, in *inherited, spaces []int) error {
	image, err := list.memfd()
	if err != nil {
		return err
	}
	defer unix.Close(image)
	ctl, err := newControl()
	if err != nil {
		return err
	}
	defer ctl.close()
	fds := append(append(append([]int{}, in.fds...), ctl.other), spaces...)
	first, err := s.cgroup.execImage(image, fds...)
	if err != nil {
		return err
	}
	ctl.handedOver()
	defer reap(first)
	if err := list.followUntil(ctx, ctl, p, s.plan); err != nil {
		p.learnPid(ctl)
		_ = unix.Kill(first, unix.SIGKILL)
		if p.pid != 0 {
			_ = unix.Kill(p.pid, unix.SIGKILL)
			reap(p.pid)
		}
		return err
	}
	return nil
}

// learnPid reads on after a failure until the id of the command is known or its
// makers have ended: the command's report may overtake that of its id, and one
// that is not reaped would hold up the end of process 1.
func (p *Process) learnPid(ctl *control) {
	for p.pid == 0 {
		m, err := ctl.receive()
		if err != nil || m == nil {
			return
		}
		for _, fd := range m.fds {
			unix.Close(fd)
		}
		if len(m.words) == 1 {
			p.pid = int(m.words[0])
		}
	}
}

// followUntil follows until the command executes or ctx ends.
func (e *entering) followUntil(ctx context.Context, ctl *control, p *Process, pl *plan.Plan) error {
	var n stops
	ctl.nudge = func() error {
		if p.pid == 0 {
			return nil
		}
		return n.goOn(p.pid)
	}
	err := ctl.until(ctx, func() error { return e.follow(ctl, p, pl) })
	ctl.nudge = nil
	return err
}

// follow reads the reports of the list until the command executes, which it does
// only when its id is known and what it attested was judged. Calls are answered
// from the moment that the listener arrives: the one that executes the command
// may be observed.
func (e *entering) follow(ctl *control, p *Process, pl *plan.Plan) error {
	served, attested, released := false, false, false
	for {
		if p.pid != 0 && attested && !released {
			if err := ctl.letGo(); err != nil {
				return err
			}
			released = true
		}
		m, err := ctl.receive()
		switch {
		case err != nil:
			return err
		case m == nil:
			if !released {
				return errors.New("the launch list ended early")
			}
			return nil
		case len(m.words) == 1 && p.pid == 0:
			p.pid = int(m.words[0])
		case len(m.words) == 2:
			return e.failureOf(m.words, pl.Steps)
		case len(m.words) > 2 && m.words[0] == msgListener && len(m.fds) == 1 && !served && e.serve != nil:
			served = true
			if err := e.serve(m.fds[0]); err != nil {
				return err
			}
		case len(m.words) > 2 && m.words[0] == msgReopened:
			p.reopened = append(p.reopened, m.fds...)
		case len(m.words) == len(pl.Steps)/64+2+attestWords && m.words[0] == msgAttest && !attested:
			attested = true
			if err := e.attest(m.words[1:], pl); err != nil {
				return diag.New(diag.AttestFailed, err.Error(), "")
			}
		default:
			return errors.New("unexpected message of a launch list")
		}
	}
}
