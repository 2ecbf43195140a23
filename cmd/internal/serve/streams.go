// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/base64"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// pump copies one output stream of a command to the client.
type pump struct {
	stream string
	file   *os.File
}

func newPump(stream string, file *os.File) *pump { return &pump{stream, file} }

// pump begins to copy the output. When the command has ended, and the client
// was told what it wrote, drained is closed. What processes of the command write
// that it left behind is read on, so that they do not fail, and dropped.
func (cmd *command) pump(c *connection) {
	var told sync.WaitGroup
	told.Add(len(cmd.pumps))
	for _, p := range cmd.pumps {
		cmd.open.Go(func() {
			p.copy(c, cmd)
			told.Done()
			_, _ = io.Copy(io.Discard, p.file) // until its end, or until the client is gone
			p.file.Close()
		})
	}
	go func() {
		<-cmd.ended
		told.Wait()
		close(cmd.drained)
	}()
}

// copy copies until the stream ends, or the command has and the stream is empty.
func (p *pump) copy(c *connection, cmd *command) {
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-cmd.ended:
			interrupt(p.file)
		case <-over:
		}
	}()
	buf := make([]byte, MaxChunk)
	read := p.file.Read
	for {
		n, err := read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			read = func(b []byte) (int, error) { return readNow(p.file, b) }
			continue
		}
		if n > 0 && !p.tell(c, cmd, buf[:n]) {
			return
		}
		if err != nil {
			return
		}
	}
}

// tell tells the client what was written, as far as its window goes at a time.
// It is false when the client is gone.
func (p *pump) tell(c *connection, cmd *command, text []byte) bool {
	for len(text) > 0 {
		n := cmd.window.take(len(text))
		if n == 0 {
			return false
		}
		line := make([]byte, 0, 128+base64.StdEncoding.EncodedLen(n))
		line = append(line, `{"jsonrpc":"2.0","method":"command.output","params":{"command":"`...)
		line = append(line, cmd.id...)
		line = append(line, `","stream":"`...)
		line = append(line, p.stream...)
		line = append(line, `","data":"`...)
		line = base64.StdEncoding.AppendEncode(line, text[:n])
		c.out.line(append(line, "\"}}\n"...))
		text = text[n:]
	}
	return c.ctx.Err() == nil
}

// window is how much output may be under way to a client that says how much it
// wants, in bytes. One of 0 has no end.
type window struct {
	mu     sync.Mutex
	more   sync.Cond
	size   int
	left   int
	closed bool
}

func newWindow(size int) *window {
	w := &window{size: size, left: size}
	w.more.L = &w.mu
	return w
}

// take takes room for at most n bytes, and waits for some. 0 means that there
// will be none.
func (w *window) take(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.size == 0 {
		return n
	}
	for w.left == 0 && !w.closed {
		w.more.Wait()
	}
	if w.closed {
		return 0
	}
	n = min(n, w.left)
	w.left -= n
	return n
}

// give gives room back that the client has read, never beyond the whole window.
func (w *window) give(n int) {
	w.mu.Lock()
	w.left += min(n, w.size-w.left)
	w.mu.Unlock()
	w.more.Broadcast()
}

func (w *window) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.more.Broadcast()
}

// maxWrites is how many writes to one command may wait.
const maxWrites = 4

// stdin writes what the client sends to a command, in order.
type stdin struct {
	file     *os.File
	terminal bool
	done     chan struct{}

	mu     sync.Mutex
	queue  chan func() // nil: nothing was written yet
	closed bool
}

func newStdin(file *os.File, terminal bool) *stdin {
	return &stdin{file: file, terminal: terminal, done: make(chan struct{})}
}

// endOfText is the key that ends the input of a terminal (VEOF, termios(3)).
const endOfText = "\x04"

// write writes a text and tells how it went. It does not wait; it is false where
// too much waits already.
func (s *stdin) write(text []byte, eof bool, tell func(closed bool)) bool {
	if eof && s.terminal {
		text, eof = append(text, endOfText...), false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		go tell(true)
		return true
	}
	if s.queue == nil {
		s.queue = make(chan func(), maxWrites)
		go s.run()
	}
	select {
	case s.queue <- func() {
		_, err := s.file.Write(text)
		if eof {
			s.file.Close()
		}
		tell(err != nil) // the command does not read any more
	}:
		return true
	default:
		return false
	}
}

func (s *stdin) run() {
	for {
		select {
		case write := <-s.queue:
			write()
		case <-s.done:
			for {
				select {
				case write := <-s.queue:
					write()
				default:
					return
				}
			}
		}
	}
}

// close ends the input; writes that wait fail. A terminal is closed with its
// output.
func (s *stdin) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	close(s.done)
	if !s.terminal {
		s.file.Close()
	}
}

// stdinParams are those of command.stdin.
type stdinParams struct {
	Command string `json:"command"`
	Data    []byte `json:"data"` // base64
	EOF     bool   `json:"eof"`
}

func (c *connection) writeStdin(r request) (any, error) {
	p, err := params[stdinParams](r)
	if err != nil {
		return nil, err
	}
	cmd, err := c.command(p.Command)
	if err != nil {
		return nil, err
	}
	if cmd.stdin == nil {
		return nil, diag.New(diag.RequestInvalid, "the command has no input that is written to", `start it with "stdin": true`)
	}
	ok := cmd.stdin.write(p.Data, p.EOF, func(closed bool) {
		c.answer(r.ID, map[string]bool{"closed": closed})
	})
	if !ok {
		return nil, diag.New(diag.TooMany, strconv.Itoa(maxWrites)+" writes to the command wait already", "wait for their answers")
	}
	return nil, errLater
}

func (c *connection) more(r request) (any, error) {
	p, err := params[struct {
		Command string `json:"command"`
		Bytes   int    `json:"bytes"`
	}](r)
	if err != nil {
		return nil, err
	}
	cmd, err := c.command(p.Command)
	if err != nil {
		return nil, err
	}
	if p.Bytes < 0 {
		return nil, badParam("bytes", "is negative")
	}
	cmd.window.give(p.Bytes)
	return nil, nil
}

func (c *connection) resize(r request) (any, error) {
	p, err := params[struct {
		Command string `json:"command"`
		size
	}](r)
	if err != nil {
		return nil, err
	}
	cmd, err := c.command(p.Command)
	switch {
	case err != nil:
		return nil, err
	case !p.valid():
		return nil, badParam("rows", "and cols are no size")
	case cmd.master == nil:
		return nil, diag.New(diag.RequestInvalid, "the command has no terminal", `start it with "tty"`)
	}
	return nil, resizeTerminal(cmd.master, p.size)
}

func (c *connection) signal(r request) (any, error) {
	p, err := params[struct {
		Command string `json:"command"`
		Signal  string `json:"signal"`
	}](r)
	if err != nil {
		return nil, err
	}
	cmd, err := c.command(p.Command)
	if err != nil {
		return nil, err
	}
	if p.Signal == "KILL" {
		cmd.cancel()
		return nil, nil
	}
	sig, ok := signalNamed(p.Signal)
	if !ok {
		return nil, badParam("signal", "is "+diag.Quote(p.Signal)+", which is none here")
	}
	_ = cmd.cmd.Signal(sig) // it may have ended just now
	return nil, nil
}

// command finds a command that was not waited for.
func (c *connection) command(id string) (*command, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cmd, ok := c.commands[id]; ok {
		return cmd, nil
	}
	if c.over {
		return nil, c.ending()
	}
	return nil, diag.New(diag.RequestInvalid, "there is no command "+diag.Quote(id), "one is forgotten when it was waited for")
}

func (c *connection) wait(r request) (any, error) {
	p, err := params[struct {
		Command string `json:"command"`
	}](r)
	if err != nil {
		return nil, err
	}
	cmd, err := c.command(p.Command)
	if err != nil {
		return nil, err
	}
	select {
	case <-cmd.drained:
	case <-c.ctx.Done():
		return nil, c.ending()
	}
	c.mu.Lock()
	if _, known := c.commands[cmd.id]; known {
		delete(c.commands, cmd.id)
		c.left++
		go func() {
			cmd.open.Wait()
			c.mu.Lock()
			c.left--
			c.mu.Unlock()
		}()
	}
	c.mu.Unlock()
	return cmd.outcome, nil
}
