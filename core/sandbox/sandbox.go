// SPDX-License-Identifier: Apache-2.0

// Package sandbox is the front door of the library: it opens a sandbox for a
// policy and runs commands in it.
//
//	sb, err := sandbox.Open(ctx, policy.Standard(dir), nil)
//	if err != nil { … }
//	defer sb.Close()
//	cmd := sb.Command(ctx, "npm", "test")
//	cmd.Dir = dir
//	cmd.Stdout = os.Stdout
//	err = cmd.Run()
//
// A sandbox is one resolved policy, one temporary directory, one loopback and
// one tree of processes. It runs one command or many, side by side or in turn;
// one alone where the backend takes no more (backend.Info, OneCommand).
// It ends by Close, by the time limit of its policy, or with its owner.
//
// Open refuses with a [*Refusal] where this host cannot uphold what the policy
// needs; there is no way to run a command with less than was asked for, but to
// accept the loss of a guarantee by its name. Prepare does all that Open does
// but executing. This package is also the composition root: the one package of
// core that knows the built-in backends.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/caches"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/egress"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/launch"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// Options are the choices of a caller that are no part of a policy. The zero
// value, like nil, means the defaults.
type Options struct {
	// Backends are those to choose from; nil means the built-in ones.
	Backends []backend.Backend
	// Prefer is the name of the backend to use; "" or "auto" means the best
	// one that meets the policy.
	Prefer string
	// Host is the machine that the policy is resolved for; nil means this one.
	// With another one the plan can be looked at and no sandbox made, and this
	// machine's system policy does not apply.
	Host policy.Host
	// Environ is the environment that commands inherit from, as NAME=VALUE;
	// nil means that of this process.
	Environ []string
	// Report is called with every finding, notes of the policy included, from
	// any goroutine. They are also kept for Diagnostics.
	Report func(diag.Diagnostic)
	// Denied is called as it happens with what is denied, once for each thing
	// and command and for a bounded number of them, from any goroutine. The
	// command waits meanwhile.
	Denied func(Denial)
	// Egress is called with each decision about the network, from any
	// goroutine, as it falls. It must not block.
	Egress func(egress.Decision)
	// Terminal is the path of the caller's terminal; "" means the one that the
	// standard streams of this process are connected to, if any.
	Terminal string
	// Reason goes into the records of audit files, as whoever runs the commands
	// gives it.
	Reason string
	// For is the command that the sandbox is opened for, as the audit file names
	// the command of a refusal; nil is none that is known.
	For []string
}

// Sandbox is an open sandbox. Its methods may be called from any goroutine.
type Sandbox struct {
	prepared *Prepared
	box      *launch.Sandbox
	base     []string // what commands inherit, before the edits of the plan
	report   func(diag.Diagnostic)
	denied   *denials       // by the watch
	auditor  *auditor       // nil where no audit file is named
	limit    *time.Timer    // the time limit, nil without one
	caches   *caches.Keeper // of the private store, nil without one
	egress   *egress.Proxy  // nil where the plan has no way out
	closing  sync.Once
	closeErr error
	// outsideEnv tells commands of the proxy that serveOutside made, if it did.
	outsideEnv []plan.EnvEdit

	mu     sync.Mutex // guards what follows
	notes  []diag.Diagnostic
	closed bool
	late   bool // the time limit is over
	taken  bool // a command was started
}

// Open makes a sandbox for a policy. The context bounds the opening, not the
// sandbox. The error is a [*Refusal] where a needed guarantee cannot be upheld
// and otherwise is or wraps a [*diag.Diagnostic]; nothing is left behind then.
func Open(ctx context.Context, p policy.Policy, o *Options) (*Sandbox, error) {
	prepared, err := Prepare(ctx, p, o)
	if err != nil {
		return nil, NoteRefusal(p, o, err)
	}
	return prepared.Open(ctx)
}

// openTries bounds how often a sandbox is prepared while paths come and go, as
// the placeholders of other sandboxes in its workspace do.
const openTries = 5

// Open makes the sandbox that was prepared. See the function [Open]. Where a
// path came or went since then, it is prepared again.
func (p *Prepared) Open(ctx context.Context) (*Sandbox, error) {
	s, err := p.open(ctx)
	for range openTries - 1 {
		if !errors.Is(err, launch.ErrChanged) {
			break
		}
		again, failed := Prepare(ctx, p.policy, &p.options)
		if failed != nil {
			err = failed
			break
		}
		s, err = again.open(ctx)
	}
	return s, NoteRefusal(p.policy, &p.options, err)
}

func (p *Prepared) open(ctx context.Context) (*Sandbox, error) {
	if p.options.Host != nil {
		return nil, diag.New(diag.ModeUnsupported, "the plan is for another machine", "look at it there")
	}
	s := &Sandbox{prepared: p, report: p.options.Report, notes: slices.Clone(p.Notes), denied: newDenials(p.options.Denied)}
	s.inherit()
	notes := slices.Clone(s.notes)
	if dir := p.Resolved.CacheDir(); dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, diag.New(diag.LaunchFailed, fmt.Sprintf("the store for caches cannot be made: %v", err), `set mode = "off" in [caches] of the policy to do without`)
		}
	}
	terminal := p.options.Terminal
	if terminal == "" {
		terminal = findTerminal()
	}
	var err error
	if s.auditor, err = p.openAudit(); err != nil {
		return nil, err
	}
	if err := s.launch(ctx, terminal); err != nil {
		if s.egress != nil {
			s.egress.Close()
		}
		_ = s.auditor.close() // nothing ran
		return nil, err
	}
	s.caches = p.keepCaches()
	if s.report != nil {
		for _, d := range notes {
			s.report(d)
		}
	}
	if d := p.Resolved.Limits().Time; d > 0 {
		s.limit = time.AfterFunc(d, s.expire)
	}
	return s, nil
}

// launch makes the box and what joins its network to the host's.
func (s *Sandbox) launch(ctx context.Context, terminal string) error {
	p := s.prepared
	port, err := s.serveOutside()
	if err != nil {
		return err
	}
	o := launch.Options{Terminal: terminal, StateDir: p.stateDir, Report: s.found, Proxy: port, Prove: p.proof()}
	if p.Plan.Windows.ToProxy() {
		o.ProxyAt = s.serveAt
	}
	s.box, err = launch.Open(ctx, p.Plan, o)
	if err != nil {
		return p.whyNot(ctx, err)
	}
	if err := s.serve(); err != nil {
		_ = s.box.Close() // the first error is the one to read
		return err
	}
	return nil
}

// keepCaches begins to fill the store of the workspace and to keep all stores
// small; nil where the policy has none.
func (p *Prepared) keepCaches() *caches.Keeper {
	store := p.Resolved.CacheDir()
	homes := policy.OSHost().Homes()
	if store == "" || len(homes) == 0 {
		return nil
	}
	return caches.Keep(store, caches.Wanted(caches.HostSources(os.Getenv, homes[0]), p.Resolved.Workspace()), func(path string) bool {
		access, _ := p.Resolved.AccessTo(path)
		return access != policy.Hidden
	})
}

// expire ends the sandbox when its time is over.
func (s *Sandbox) expire() {
	s.mu.Lock()
	s.late = true
	s.mu.Unlock()
	_ = s.Close() // again by the owner, who gets the error
}

// Close kills everything in the sandbox, waits until it is gone and removes
// what belongs to it. Commands that run are ended; their Wait returns. It may
// be called more than once.
func (s *Sandbox) Close() error {
	s.closing.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		if s.limit != nil {
			s.limit.Stop()
		}
		// A port of the host's loopback is given up when no command is left that
		// could reach who takes it next.
		outside := s.prepared.proxyOutside()
		if s.egress != nil && !outside {
			s.egress.Close()
		}
		s.closeErr = s.box.Close()
		if s.egress != nil && outside {
			s.egress.Close()
		}
		s.caches.Stop()
		if err := s.auditor.close(); s.closeErr == nil {
			s.closeErr = err
		}
	})
	return s.closeErr
}

// over gives the error of a sandbox that takes no more commands.
func (s *Sandbox) over() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.late:
		return diag.New(diag.LaunchFailed, "the time limit of the sandbox is over", "open another one, or raise limits.time")
	case s.closed:
		return diag.New(diag.LaunchFailed, "the sandbox is closed", "open another one")
	}
	return nil
}

// admit refuses a second command where the backend takes one. A command that
// could not be started gives its place back by leave.
func (s *Sandbox) admit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken && s.prepared.Backend.OneCommand {
		return diag.New(diag.OneCommand, fmt.Sprintf("a sandbox of %s takes one command, and had it", s.Backend()), "open a sandbox for each command, or choose another backend")
	}
	s.taken = true
	return nil
}

func (s *Sandbox) leave() {
	s.mu.Lock()
	s.taken = false
	s.mu.Unlock()
}

// Command returns the command that runs name with the arguments in the
// sandbox. When ctx is done first, the command and its descendants are killed.
func (s *Sandbox) Command(ctx context.Context, name string, arg ...string) *Cmd {
	return &Cmd{Path: name, Args: append([]string{name}, arg...), sandbox: s, ctx: ctx}
}

// found keeps a finding and passes it on.
func (s *Sandbox) found(d diag.Diagnostic) {
	s.mu.Lock()
	s.notes = append(s.notes, d)
	s.mu.Unlock()
	if d.Code == diag.Quarantined && d.Grant != nil {
		e := s.prepared.explainReal(d.Grant.Value)
		s.denied.add(d.Grant.Value, Denial{Source: "watch", Operation: string(launch.ActCreate), Target: d.Grant.Value, Rule: e.Rule, Layer: e.Rule.Origin.Layer(), Remedy: e.Remedy, Grant: e.Grant})
	}
	if s.report != nil {
		s.report(d)
	}
}

// Diagnostics returns all findings so far, the notes of Prepare first.
func (s *Sandbox) Diagnostics() []diag.Diagnostic {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.notes)
}

// Plan returns the plan that the sandbox was made from. It is not to be changed.
func (s *Sandbox) Plan() *plan.Plan { return s.prepared.Plan }

// Resolved returns the policy as it was resolved for this host.
func (s *Sandbox) Resolved() *policy.Resolved { return s.prepared.Resolved }

// Claims returns the guarantees that the sandbox upholds.
func (s *Sandbox) Claims() guarantee.Set { return s.prepared.Plan.Claims }

// Backend returns the name of the backend.
func (s *Sandbox) Backend() string { return s.prepared.Backend.Name }

// Weakened returns the guarantees that the policy needs, that the sandbox does
// not uphold, and whose loss was accepted by name.
func (s *Sandbox) Weakened() []guarantee.ID { return s.prepared.Weakened() }
