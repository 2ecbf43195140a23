// SPDX-License-Identifier: Apache-2.0

package winrun

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Client is the launcher's side of a connection. Its methods may be called from
// any goroutine once Open has returned.
type Client struct {
	conn *Conn

	mu       sync.Mutex // guards what follows
	open     bool       // answers are read
	last     int
	commands map[int]*Remote
	closed   chan Message // the answer to Close
	err      error        // why the connection has ended
}

// Remote is a command that was started through a Client.
type Remote struct {
	ID, PID int
	client  *Client
	started chan Message
	ended   chan Message
}

// NewClient returns a client over a connection.
func NewClient(c *Conn) *Client {
	return &Client{conn: c, commands: map[int]*Remote{}, closed: make(chan Message, 1)}
}

// Open has the plan applied, and wants to hear that what was applied is what
// the plan says. Where the plan leads to the proxy, own listens at the port of
// 127.0.0.1 that it gets, before anything runs as the account; where it does
// not, own is nil.
func (c *Client) Open(p *plan.Plan, state string, own func(port int) error) (plan.Attested, error) {
	if p.Windows.ToProxy() != (own != nil) {
		return plan.Attested{}, diag.New(diag.PlanInvalid, "the plan and its launcher do not agree whether there is a proxy", "")
	}
	a, err := c.attest(p, state, own)
	if err == nil && p.Windows != nil {
		if err := p.Windows.Matches(a); err != nil {
			return a, errors.Join(diag.New(diag.AttestFailed, "what was applied differs from the plan: "+err.Error(), "run caisson doctor"), c.Close())
		}
	}
	return a, err
}

// Attest has the plan applied, as far as the other side does, and returns what
// it read back.
func (c *Client) Attest(p *plan.Plan, state string) (plan.Attested, error) {
	return c.attest(p, state, nil)
}

func (c *Client) attest(p *plan.Plan, state string, own func(port int) error) (plan.Attested, error) {
	text, err := plan.Encode(p)
	if err != nil {
		return plan.Attested{}, err
	}
	if err := c.conn.Send(Message{Kind: Open, Version: Version, Plan: json.RawMessage(text), State: state}); err != nil {
		return plan.Attested{}, fmt.Errorf("speak to the helper: %w", err)
	}
	m, err := c.conn.Receive()
	if own != nil && err == nil && m.Kind != Failed {
		if m, err = c.listen(m, own); err != nil {
			return plan.Attested{}, err
		}
	}
	switch {
	case err != nil:
		return plan.Attested{}, ended(err)
	case m.Kind == Failed:
		return plan.Attested{}, m.Err()
	case m.Kind != Opened || m.Version != Version || m.Attested == nil:
		return plan.Attested{}, diag.New(diag.AttestFailed, "the helper does not say what it applied", "install caisson and its helper of one version")
	}
	c.mu.Lock()
	c.open = true
	c.mu.Unlock()
	go c.read()
	return *m.Attested, nil
}

// listen has the port owned that the helper names, and receives what it says
// then. A helper that asks for none has none to give to commands.
func (c *Client) listen(m Message, own func(port int) error) (Message, error) {
	if m.Kind != Leased || m.Port < 1 || m.Port > 65535 {
		return Message{}, diag.New(diag.AttestFailed, "the helper does not say at which port the proxy is to listen", "install caisson and its helper of one version")
	}
	if err := own(m.Port); err != nil {
		return Message{}, err
	}
	if err := c.conn.Send(Message{Kind: Owned, Port: m.Port}); err != nil {
		return Message{}, fmt.Errorf("speak to the helper: %w", err)
	}
	m, err := c.conn.Receive()
	if err != nil {
		return Message{}, ended(err)
	}
	return m, nil
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return diag.New(diag.LaunchFailed, "the helper has ended: "+err.Error(), "")
}

// read takes what the helper says until it ends.
func (c *Client) read() {
	for {
		m, err := c.conn.Receive()
		if err != nil {
			c.end(ended(err))
			return
		}
		c.mu.Lock()
		r := c.commands[m.ID]
		switch {
		case m.Kind == Closed || m.Kind == Failed && m.ID == 0:
			c.closed <- m
		case r == nil:
		case m.Kind == Started || m.Kind == Failed && m.Step == Start:
			r.started <- m
			if m.Kind == Failed {
				delete(c.commands, m.ID)
			}
		case m.Kind == Exited || m.Kind == Failed && m.Step == "wait":
			r.ended <- m
			delete(c.commands, m.ID)
		}
		c.mu.Unlock()
		if m.Kind == Closed {
			c.end(ended(io.EOF))
			return
		}
	}
}

// end lets everybody know who waits that no answer will come.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	for id, r := range c.commands {
		m := Failure(id, "wait", err)
		for _, waiting := range []chan Message{r.started, r.ended} {
			select {
			case waiting <- m:
			default:
			}
		}
		delete(c.commands, id)
	}
	select {
	case c.closed <- Failure(0, "close", err):
	default:
	}
}

// Start starts a command; the message's Kind and ID are set here.
func (c *Client) Start(m Message) (*Remote, error) {
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return nil, c.err
	}
	c.last++
	r := &Remote{ID: c.last, client: c, started: make(chan Message, 1), ended: make(chan Message, 1)}
	c.commands[r.ID] = r
	c.mu.Unlock()
	m.Kind, m.ID = Start, r.ID
	if err := c.conn.Send(m); err != nil {
		return nil, fmt.Errorf("speak to the helper: %w", err)
	}
	answer := <-r.started
	if answer.Kind != Started {
		return nil, answer.Err()
	}
	r.PID = answer.PID
	return r, nil
}

// Wait gives the status of the command once it has ended. It is called once.
func (r *Remote) Wait() (uint32, error) {
	m := <-r.ended
	if m.Kind != Exited {
		return 0, m.Err()
	}
	return m.Status, nil
}

// Signal passes "kill" or "interrupt" on.
func (r *Remote) Signal(name string) error {
	return r.client.conn.Send(Message{Kind: Signal, ID: r.ID, Signal: name})
}

// Resize sets the size of the command's console.
func (r *Remote) Resize(columns, rows int) error {
	return r.client.conn.Send(Message{Kind: Resize, ID: r.ID, Columns: columns, Rows: rows})
}

// Close ends the sandbox, and waits until nothing of it is left. Where none was
// opened it does nothing: the end of the pipe is what ends the other side.
func (c *Client) Close() error {
	c.mu.Lock()
	open := c.open
	c.mu.Unlock()
	if !open {
		return nil
	}
	if err := c.conn.Send(Message{Kind: Close}); err != nil {
		return fmt.Errorf("speak to the helper: %w", err)
	}
	if m := <-c.closed; m.Kind != Closed {
		return m.Err()
	}
	return nil
}
