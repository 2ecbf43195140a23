// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// Client is the other end of a connection. Its methods may be called from many
// goroutines.
type Client struct {
	send   func(line []byte, files []*os.File) error
	output func(command, stream string, data []byte)

	sending sync.Mutex // not mu: while the server does not read, answers are read on

	mu      sync.Mutex
	last    int
	pending map[string]chan reply
	err     error // why no answer comes any more
}

// reply is a message of the server, as the client reads it.
type reply struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Data    *struct {
			Diagnostic diag.Diagnostic `json:"diagnostic"`
			Unmet      []plan.Unmet    `json:"unmet"`
			Result     json.RawMessage `json:"result"`
		} `json:"data"`
	} `json:"error"`
}

// Refused is an error of the server. It is or wraps a [*diag.Diagnostic], and a
// [*sandbox.Refusal] where guarantees are out of reach.
type Refused struct {
	Code   int
	Result json.RawMessage // of a command that was not started, else nil
	cause  error
}

func (e *Refused) Error() string { return e.cause.Error() }
func (e *Refused) Unwrap() error { return e.cause }

// NewClient begins to read the messages of a server. Send writes one message,
// with its end; it is called by one goroutine at a time. Output is called for what
// commands write, in order; it may be nil.
func NewClient(in io.Reader, send func(line []byte, files []*os.File) error, output func(command, stream string, data []byte)) *Client {
	c := &Client{send: send, output: output, pending: map[string]chan reply{}}
	go c.read(bufio.NewReaderSize(in, 64<<10))
	return c
}

func (c *Client) read(in *bufio.Reader) {
	var err error
	for err == nil {
		var line []byte
		if line, err = in.ReadBytes('\n'); err == nil {
			err = c.take(line)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	c.err = err
	for _, wait := range c.pending {
		close(wait)
	}
	c.pending = nil
}

// take takes one message.
func (c *Client) take(line []byte) error {
	var r reply
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("read a message of the server: %w", err)
	}
	if r.Method == "command.output" {
		var p struct {
			Command, Stream string
			Data            []byte
		}
		if err := json.Unmarshal(r.Params, &p); err != nil {
			return fmt.Errorf("read a message of the server: %w", err)
		}
		if c.output != nil {
			c.output(p.Command, p.Stream, p.Data)
		}
		return nil
	}
	c.mu.Lock()
	wait, ok := c.pending[string(r.ID)]
	delete(c.pending, string(r.ID))
	c.mu.Unlock()
	if ok {
		wait <- r
	}
	return nil
}

// Call asks for something and waits for the answer, which is read into result,
// if that is not nil. Files go with the message, where the connection can pass
// them.
func (c *Client) Call(method string, params, result any, files ...*os.File) error {
	r, err := c.ask(method, params, files)
	if err != nil {
		return err
	}
	switch {
	case r.Error != nil:
		return refused(r)
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(r.Result, result); err != nil {
		return fmt.Errorf("read the answer to %s: %w", method, err)
	}
	return nil
}

func refused(r reply) error {
	e := &Refused{Code: r.Error.Code, cause: errors.New(r.Error.Message)}
	if d := r.Error.Data; d != nil {
		e.Result, e.cause = d.Result, &d.Diagnostic
		if len(d.Unmet) > 0 {
			e.cause = &sandbox.Refusal{Unmet: d.Unmet}
		}
	}
	return e
}

func (c *Client) ask(method string, params any, files []*os.File) (reply, error) {
	text, err := json.Marshal(params)
	if err != nil {
		return reply{}, fmt.Errorf("ask for %s: %w", method, err)
	}
	wait := make(chan reply, 1)
	c.mu.Lock()
	if c.pending == nil {
		defer c.mu.Unlock()
		return reply{}, fmt.Errorf("ask for %s: %w", method, c.err)
	}
	c.last++
	id := strconv.Itoa(c.last)
	c.pending[id] = wait
	c.mu.Unlock()
	line, err := json.Marshal(request{Version: "2.0", ID: json.RawMessage(id), Method: method, Params: text})
	if err == nil {
		c.sending.Lock()
		err = c.send(append(line, '\n'), files)
		c.sending.Unlock()
	}
	if err != nil {
		c.mu.Lock()
		delete(c.pending, id)
		c.mu.Unlock()
		return reply{}, fmt.Errorf("ask for %s: %w", method, err)
	}
	r, ok := <-wait
	if !ok {
		return reply{}, fmt.Errorf("the answer to %s: %w", method, io.ErrUnexpectedEOF)
	}
	return r, nil
}
