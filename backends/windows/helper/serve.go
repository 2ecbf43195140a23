// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"sync"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/winrun"
)

// Runner makes one sandbox and commands in it. Methods are called by one
// goroutine, Wait of a command by one each.
type Runner interface {
	// Open applies a plan and reads back what was applied. Where it fails
	// nothing is left. Where the plan leads to the proxy, own is called before
	// anything runs as the account; it is not for the part that runs as it.
	Open(p *plan.Plan, state string, own Own) (plan.Attested, error)
	Start(m winrun.Message) (Running, error)
	// Close ends everything in the sandbox and undoes what Open did.
	Close() error
}

// Own has the launcher listen at a port of 127.0.0.1, and fails unless it does.
type Own func(port int) error

// Running is a command that was started.
type Running interface {
	PID() int
	Wait() (status uint32, err error)
	Signal(name string) error
	Resize(columns, rows int) error
}

// Serve does what the launcher says until it says "close" or is gone. It
// returns once nothing is left; the error is that of undoing.
func Serve(c *winrun.Conn, r Runner) error {
	return serve(&server{conn: c, runner: r, running: map[int]Running{}, matches: (*plan.Windows).Matches})
}

// ServeInner is Serve for the part that runs as whom the commands run as: it
// answers for token, job and desktop alone.
func ServeInner(c *winrun.Conn, r Runner) error {
	return serve(&server{conn: c, runner: r, running: map[int]Running{}, matches: (*plan.Windows).MatchesInner})
}

func serve(s *server) error {
	c := s.conn
	defer s.waits.Wait()
	for {
		m, err := c.Receive()
		if err != nil { // the launcher has ended, or speaks nonsense
			return s.close()
		}
		if m.Kind == winrun.Close {
			err := s.close()
			s.waits.Wait() // how commands ended is said before
			if err != nil {
				s.answer(winrun.Failure(0, "close", err))
			} else {
				s.answer(winrun.Message{Kind: winrun.Closed})
			}
			return err
		}
		if err := s.handle(m); err != nil {
			s.answer(winrun.Failure(m.ID, m.Kind, err))
		}
	}
}

type server struct {
	conn   *winrun.Conn
	runner Runner
	opened bool
	plan   *plan.Plan
	waits  sync.WaitGroup
	// matches compares what was applied with the plan.
	matches func(*plan.Windows, plan.Attested) error

	mu      sync.Mutex // guards running
	running map[int]Running
}

// answer sends a message. A launcher that is gone is noticed by the reader.
func (s *server) answer(m winrun.Message) { _ = s.conn.Send(m) }

func (s *server) close() error {
	if !s.opened {
		return nil
	}
	s.opened = false
	return s.runner.Close()
}

func (s *server) handle(m winrun.Message) error {
	switch m.Kind {
	case winrun.Open:
		return s.open(m)
	case winrun.Start:
		return s.start(m)
	case winrun.Signal:
		if r := s.find(m.ID); r != nil {
			return r.Signal(m.Signal)
		}
		return nil // it has ended meanwhile
	case winrun.Resize:
		if r := s.find(m.ID); r != nil {
			return r.Resize(m.Columns, m.Rows)
		}
		return nil
	}
	return diag.New(diag.PlanInvalid, fmt.Sprintf("a launcher does not say %q", m.Kind), "")
}

func (s *server) find(id int) Running {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running[id]
}

func (s *server) open(m winrun.Message) error {
	switch {
	case s.opened || s.plan != nil:
		return errors.New("the sandbox is open already")
	case m.Version != winrun.Version:
		return diag.New(diag.PlanInvalid, fmt.Sprintf("the launcher speaks version %d, this helper %d", m.Version, winrun.Version), "install caisson and its helper of one version")
	}
	p, err := plan.Decode(m.Plan)
	if err != nil {
		return err
	}
	if p.Windows == nil {
		return diag.New(diag.PlanInvalid, "the plan is not for Windows", "")
	}
	attested, err := s.runner.Open(p, m.State, s.own)
	if err != nil {
		return err
	}
	s.opened, s.plan = true, p
	if err := s.matches(p.Windows, attested); err != nil {
		return errors.Join(diag.New(diag.AttestFailed, "what was applied differs from the plan: "+err.Error(), "run caisson doctor"), s.close())
	}
	s.answer(winrun.Message{Kind: winrun.Opened, Version: winrun.Version, Attested: &attested})
	return nil
}

// own waits until the launcher has the port.
func (s *server) own(port int) error {
	s.answer(winrun.Message{Kind: winrun.Leased, Port: port})
	m, err := s.conn.Receive()
	if err != nil {
		return fmt.Errorf("the launcher does not listen at port %d: %w", port, err)
	}
	if m.Kind != winrun.Owned || m.Port != port {
		return diag.New(diag.PlanInvalid, fmt.Sprintf("a launcher does not answer %q, port %d, where it is to listen at port %d", m.Kind, m.Port, port), "")
	}
	return nil
}

func (s *server) start(m winrun.Message) error {
	if !s.opened {
		return errors.New("no sandbox is open")
	}
	if m.ID <= 0 || s.find(m.ID) != nil {
		return fmt.Errorf("command %d cannot be started", m.ID)
	}
	r, err := s.runner.Start(m)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.running[m.ID] = r
	s.mu.Unlock()
	s.answer(winrun.Message{Kind: winrun.Started, ID: m.ID, PID: r.PID()})
	s.waits.Go(func() {
		status, err := r.Wait()
		s.mu.Lock()
		delete(s.running, m.ID)
		s.mu.Unlock()
		if err != nil {
			s.answer(winrun.Failure(m.ID, "wait", err))
			return
		}
		s.answer(winrun.Message{Kind: winrun.Exited, ID: m.ID, Status: status})
	})
	return nil
}
