// SPDX-License-Identifier: Apache-2.0

// Package winrun is what the launcher and the helper program of Windows say to
// each other: frames of JSON on two pipes, each after its length.
//
// The launcher says what is to be done ("open", "start", "signal", "resize",
// "close"); the helper answers ("opened", "failed", "started", "exited",
// "closed"). Where a plan leads to caisson's proxy, the helper says "leased" with
// the port of the account once it has one, and goes on when the launcher says
// "owned", which it does when it listens there. The end of the launcher's pipe, which its death brings about too,
// means "close". Handles are numbers in the helper's process: the launcher puts
// them there before it names them. The package is pure.
package winrun

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Version is that of the messages; both sides must have the same.
const Version = 1

// MaxFrame bounds one message, in bytes.
const MaxFrame = 8 << 20

// The kinds of messages.
const (
	Open    = "open"
	Start   = "start"
	Signal  = "signal"
	Resize  = "resize"
	Close   = "close"
	Opened  = "opened"
	Failed  = "failed"
	Started = "started"
	Exited  = "exited"
	Closed  = "closed"
	Leased  = "leased"
	Owned   = "owned"
)

// Message is one message; which fields it has follows from its kind.
type Message struct {
	Kind    string          `json:"kind"`
	Version int             `json:"version,omitempty"` // open, opened
	Plan    json.RawMessage `json:"plan,omitempty"`    // open: canonical JSON
	State   string          `json:"state,omitempty"`   // open: caisson's state directory
	ID      int             `json:"id,omitempty"`      // which command; 0: the sandbox

	Path    string   `json:"path,omitempty"` // start, as launch.Command
	Args    []string `json:"args,omitempty"`
	Env     []string `json:"env,omitempty"`
	Dir     string   `json:"dir,omitempty"`
	Handles []uint64 `json:"handles,omitempty"` // start: standard input, output, error; 0 is none
	Console bool     `json:"console,omitempty"` // start: the first two are ends of a pseudo console
	Columns int      `json:"columns,omitempty"` // start, resize
	Rows    int      `json:"rows,omitempty"`

	Signal string `json:"signal,omitempty"` // "kill", "interrupt"

	Port     int            `json:"port,omitempty"`   // leased, owned: of 127.0.0.1
	PID      int            `json:"pid,omitempty"`    // started
	Status   uint32         `json:"status,omitempty"` // exited
	Attested *plan.Attested `json:"attested"`         // opened
	Code     diag.Code      `json:"code,omitempty"`   // failed
	Step     string         `json:"step,omitempty"`
	Error    string         `json:"error,omitempty"`
	Remedy   string         `json:"remedy,omitempty"`
}

// Conn sends and receives messages. Send may be called from any goroutine,
// Receive from one.
type Conn struct {
	r  io.Reader
	w  io.Writer
	mu sync.Mutex
}

// NewConn returns a connection over two pipes.
func NewConn(r io.Reader, w io.Writer) *Conn { return &Conn{r: r, w: w} }

// Send writes one message.
func (c *Conn) Send(m Message) error {
	body, err := strict.Canonical(m)
	if err != nil {
		return fmt.Errorf("write a message: %w", err)
	}
	if len(body) > MaxFrame {
		return fmt.Errorf("a message of %d bytes is too long", len(body))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

// Receive reads one message. io.EOF means that the other side has ended; a
// frame that is cut off is io.ErrUnexpectedEOF. Unknown kinds and fields are
// refused: what is not understood must not be left out.
func (c *Conn) Receive() (Message, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return Message{}, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > MaxFrame {
		return Message{}, fmt.Errorf("a message of %d bytes is too long", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.r, body); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Message{}, err
	}
	node, err := strict.JSON("message", body, diag.PlanInvalid)
	if err != nil {
		return Message{}, err
	}
	var m Message
	if err := strict.Decode(node, &m); err != nil {
		return Message{}, err
	}
	if !slices.Contains([]string{Open, Start, Signal, Resize, Close, Opened, Failed, Started, Exited, Closed, Leased, Owned}, m.Kind) {
		return Message{}, node.Refuse(fmt.Sprintf("unknown message %q", m.Kind), "launcher and helper may be of different versions")
	}
	return m, nil
}

// Failure makes the message that an error is reported by.
func Failure(id int, step string, err error) Message {
	m := Message{Kind: Failed, ID: id, Step: step, Code: diag.LaunchFailed, Error: err.Error()}
	var d *diag.Diagnostic
	if errors.As(err, &d) {
		m.Code, m.Error, m.Remedy = d.Code, d.Message, d.Remedy
	}
	return m
}

// Err is the error that a message of the kind Failed carries.
func (m Message) Err() error {
	text := m.Error
	if m.Step != "" {
		text = "step " + m.Step + ": " + text
	}
	return diag.New(m.Code, text, m.Remedy)
}
