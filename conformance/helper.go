// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// maxLine bounds one reply of the helper, and maxNoise what may stand before
// it: a wrapper that floods the suite gets a verdict and no more memory.
const (
	maxLine  = 1 << 20
	maxNoise = 1 << 20
)

// Inside is one command of the helper inside the sandbox.
type Inside struct {
	t       *T
	process Process
	in      *os.File // the other end of its standard input
	out     *bufio.Reader
	ends    []io.Closer
	errors  *tail

	once sync.Once
	exit Exit
	err  error
}

// tail keeps the last of what is written to it.
type tail struct {
	mu   sync.Mutex
	b    []byte
	done chan struct{}
}

func (l *tail) keep(r io.Reader) {
	defer close(l.done)
	b := make([]byte, 4096)
	for {
		n, err := r.Read(b)
		l.mu.Lock()
		l.b = append(l.b, b[:n]...)
		if len(l.b) > 64<<10 {
			l.b = bytes.Clone(l.b[len(l.b)-32<<10:])
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}

// StartWith is Start with streams of the case's own; nil ones are pipes to the
// suite.
func (t *T) StartWith(c Command, role string, args ...string) *Inside {
	h := &Inside{t: t, errors: &tail{done: make(chan struct{})}}
	c.Args = t.helperArgs(role, args...)
	var theirs []io.Closer // ours to close once the command has them
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		t.must(err)
		return r, w
	}
	if c.Stdin == nil {
		r, w := pipe()
		c.Stdin, h.in = r, w
		theirs, h.ends = append(theirs, r), append(h.ends, w)
	}
	if c.Stdout == nil {
		r, w := pipe()
		c.Stdout, h.out = w, bufio.NewReaderSize(r, 64<<10)
		theirs, h.ends = append(theirs, w), append(h.ends, r)
	}
	if c.Stderr == nil {
		r, w := pipe()
		c.Stderr = w
		theirs, h.ends = append(theirs, w), append(h.ends, r)
		go h.errors.keep(r)
	} else {
		close(h.errors.done)
	}
	process, err := t.sb.Start(t.ctx, c)
	for _, f := range theirs {
		f.Close()
	}
	if err != nil {
		for _, f := range h.ends {
			f.Close()
		}
		t.Fatal("the command cannot be started: %v", err)
	}
	h.process = process
	t.mu.Lock()
	t.helpers = append(t.helpers, h)
	t.mu.Unlock()
	return h
}

// Do sends one request and waits for its reply.
func (h *Inside) Do(r act.Request) act.Reply {
	reply, err := h.Try(r)
	if err != nil {
		h.t.Fatal("the helper did not answer: %v", h.explain(err))
	}
	return reply
}

// Try is as Do, for acts that may end the helper.
func (h *Inside) Try(r act.Request) (act.Reply, error) {
	r.Nonce = h.t.Secret()
	line, err := json.Marshal(r)
	if err != nil {
		return act.Reply{}, err
	}
	if _, err := h.in.Write(append(line, '\n')); err != nil {
		return act.Reply{}, err
	}
	for noise := 0; noise < maxNoise; {
		line, err := readLine(h.out)
		if err != nil {
			return act.Reply{}, err
		}
		var reply act.Reply
		if json.Unmarshal(line, &reply) == nil && reply.Nonce == r.Nonce {
			if !reply.OK() {
				h.t.last = reply
			}
			return reply, nil
		}
		noise += len(line)
	}
	return act.Reply{}, errors.New("its output holds too much that is not the helper's")
}

func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			return line, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) && len(line) > 0 {
				return line, nil
			}
			return nil, err
		}
		if len(line) > maxLine {
			return nil, errors.New("a line of its output has no end")
		}
	}
}

// Line reads one line of what a role prints.
func (h *Inside) Line() string {
	line, err := readLine(h.out)
	if err != nil {
		h.t.Fatal("the helper printed nothing: %v", h.explain(err))
	}
	return string(bytes.TrimRight(line, "\r\n"))
}

// Rest reads what a role prints until its end. What stays open for longer than
// the command lives is not waited for.
func (h *Inside) Rest() []byte {
	done := make(chan struct{})
	defer close(done)
	go func() {
		h.wait()
		select {
		case <-done:
		case <-time.After(time.Second):
			for _, f := range h.ends {
				if p, ok := f.(*os.File); ok {
					p.SetReadDeadline(time.Now())
				}
			}
		}
	}()
	b, err := io.ReadAll(io.LimitReader(h.out, 64<<20))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		h.t.Want(false, "something holds the output open a second after the command's end")
		return b
	}
	if err != nil {
		h.t.Fatal("its output cannot be read: %v", err)
	}
	return b
}

// Wait ends the helper's input and waits for its end.
func (h *Inside) Wait() Exit {
	if h.in != nil {
		h.in.Close()
	}
	exit, err := h.wait()
	if err != nil {
		h.t.Fatal("its end cannot be told: %v", err)
	}
	return exit
}

func (h *Inside) wait() (Exit, error) {
	h.once.Do(func() { h.exit, h.err = h.process.Wait() })
	return h.exit, h.err
}

// leave ends the helper's input and gives it, and the tool around it, five
// seconds to end by themselves. A helper without such an input is not waited for.
func (h *Inside) leave() {
	if h.in == nil {
		return
	}
	h.in.Close()
	gone := make(chan struct{})
	go func() { defer close(gone); h.wait() }()
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
	}
}

// end makes sure that the command is gone and its streams are closed.
func (h *Inside) end() {
	for _, f := range h.ends {
		f.Close()
	}
	h.process.Kill()
	h.wait()
}

// explain adds what the tool printed to the error of a helper that is silent.
func (h *Inside) explain(err error) error {
	if said := oneLine(h.errors.String()); said != "" {
		return fmt.Errorf("%w; on its standard error: %s", err, said)
	}
	return err
}
