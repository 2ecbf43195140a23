// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/creack/pty"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// fakeProcess is one command, with what leaks do to its end and streams.
type fakeProcess struct {
	Process
	sandbox *fakeSandbox
	restore func()
	pumps   sync.WaitGroup
	held    []io.Closer // ends of pipes that are kept until the command ends
}

// Start starts a command with a guard in it.
func (s *fakeSandbox) Start(ctx context.Context, c Command) (Process, error) {
	env, scrub := s.environ()
	order, n, err := s.next(scrub)
	if err != nil {
		return nil, err
	}
	spec := Spec{Workspace: s.spec.Workspace, Environ: append(slices.Clone(env), fakeVariable+"="+order)}
	if s.leaky("duty.directory") {
		spec.Workspace = filepath.Dir(spec.Workspace)
	}
	if _, err := os.Stat(c.Args[0]); err != nil && s.leaky("duty.absent-command") {
		return endedProcess{}, nil
	}
	c.Args = s.arguments(c.Args, n)
	p := &fakeProcess{sandbox: s, restore: func() {}}
	if c.Terminal && !s.leaky("residue.terminal") {
		p.restore = keepTerminal(c.Stdin)
	}
	close, err := p.streams(&c)
	if err != nil {
		return nil, err
	}
	if s.target.owner == nil {
		c.Leak = nil
	}
	runs := commandSandbox{spec: spec, prefix: func(args []string) ([]string, error) {
		if s.target.owner != nil {
			args = append(append(slices.Clone(s.target.owner), fakeOwnRole), args...)
		}
		return args, nil
	}}
	p.Process, err = runs.Start(ctx, c)
	close()
	if err != nil {
		return nil, err
	}
	return p, nil
}

// arguments is what leaks make of a command line: the helper, its two markers,
// the role and its own arguments.
func (s *fakeSandbox) arguments(args []string, n int) []string {
	if len(args) < 4 || args[2] != act.Marker {
		return args
	}
	if n > 1 && s.leaky("duty.second-command") {
		return append(slices.Clone(args[:3]), "exit", "99")
	}
	head, rest := slices.Clone(args[:4]), slices.Clone(args[4:])
	switch {
	case s.leaky("duty.joined"):
		rest = strings.Fields(strings.Join(rest, " "))
	case s.leaky("duty.few-arguments"):
		rest = rest[:min(len(rest), 1000)]
	case s.leaky("duty.options"):
		rest = slices.DeleteFunc(rest, func(a string) bool { return strings.HasPrefix(a, "--") })
	}
	return append(head, rest...)
}

// streams puts in the way of a command's streams what leaks put there. The
// function closes what the command has then.
func (p *fakeProcess) streams(c *Command) (closeTheirs func(), err error) {
	s := p.sandbox
	var theirs []io.Closer
	closeTheirs = func() {
		for _, f := range theirs {
			f.Close()
		}
	}
	out := func(to **os.File, f func(w io.Writer, r io.Reader)) {
		r, w, e := os.Pipe()
		dup, e2 := again(*to)
		if e != nil || e2 != nil {
			err = e
			return
		}
		*to, theirs = w, append(theirs, w)
		p.pumps.Go(func() { f(dup, r); dup.Close(); r.Close() })
	}
	in := func(f func(w io.WriteCloser, r io.Reader)) {
		r, w, e := os.Pipe()
		dup, e2 := again(c.Stdin)
		if e != nil || e2 != nil {
			err = e
			return
		}
		c.Stdin, theirs = r, append(theirs, r)
		p.held = append(p.held, w)
		go func() { f(w, dup); dup.Close() }() // it may wait for ever for who sends
	}
	switch {
	case s.leaky("duty.truncated"):
		out(&c.Stdout, func(w io.Writer, r io.Reader) { io.CopyN(w, r, 900); io.Copy(io.Discard, r) })
	case s.leaky("duty.deaf-reader"):
		out(&c.Stdout, func(w io.Writer, r io.Reader) { io.Copy(w, r); io.Copy(io.Discard, r) })
	case s.leaky("duty.truncated-input"):
		in(func(w io.WriteCloser, r io.Reader) { io.CopyN(w, r, 4096); w.Close(); io.Copy(io.Discard, r) })
	case s.leaky("duty.held-input"):
		in(func(w io.WriteCloser, r io.Reader) { io.Copy(w, r) })
	case s.leaky("duty.merged"):
		c.Stderr = c.Stdout
	case s.leaky("duty.banner"):
		c.Stdout.WriteString("welcome to the sandbox\n")
	case s.leaky("duty.rewound"):
		c.Stdin.Seek(0, io.SeekStart)
	case s.leaky("duty.no-size") && c.Terminal:
		pty.Setsize(c.Stdin, &pty.Winsize{})
	case s.leaky("duty.no-terminal") && c.Terminal:
		in(func(w io.WriteCloser, r io.Reader) { io.Copy(w, r); w.Close() })
		out(&c.Stdout, func(w io.Writer, r io.Reader) { io.Copy(w, r) })
		c.Stderr, c.Terminal = c.Stdout, false
	}
	return closeTheirs, err
}

// Wait waits for the end of the command and tells of it as leaks do.
func (p *fakeProcess) Wait() (Exit, error) {
	s := p.sandbox
	exit, err := p.Process.Wait()
	p.pumps.Wait()
	for _, c := range p.held {
		c.Close()
	}
	p.restore()
	exit.Denied = s.denials()
	switch {
	case s.leaky("duty.status-lost"):
		exit.Code = 0
	case s.leaky("duty.status-one"):
		exit.Code = 1
	case s.leaky("duty.signal-status") && exit.Code > 128:
		exit.Code = 1
	}
	if s.leaky("duty.ends-all") {
		s.end()
	}
	return exit, err
}

// Signal passes a signal on.
func (p *fakeProcess) Signal(sig os.Signal) error {
	if p.sandbox.leaky("duty.no-forwarding") {
		return nil
	}
	return p.Process.Signal(sig)
}

// endedProcess is a command that never was, and ended well.
type endedProcess struct{}

func (endedProcess) Wait() (Exit, error)    { return Exit{}, nil }
func (endedProcess) Signal(os.Signal) error { return nil }
func (endedProcess) Kill() error            { return nil }
