// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"syscall"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// maxDescriptor bounds the descriptors that a caller may choose, so that a
// number cannot make a list of any size.
const maxDescriptor = 1 << 16

// streams are the pipes between a command and its caller.
type streams struct {
	inside []io.Closer    // ends that belong to the command, closed once it has them
	ours   []io.Closer    // ends that are closed when the command has ended
	copies []func() error // run until their pipe ends
	errs   chan error     // one of each copy
}

// files lists the descriptors of the command and makes the pipes they need.
func (c *Cmd) files() ([]*os.File, error) {
	stdin, err := c.input()
	if err != nil {
		return nil, err
	}
	stdout, err := c.output(c.Stdout)
	if err != nil {
		return nil, err
	}
	stderr := stdout
	if (c.Stdout != nil || c.Stderr != nil) && (c.Stderr == nil || !same(c.Stdout, c.Stderr)) {
		if stderr, err = c.output(c.Stderr); err != nil {
			return nil, err
		}
	}
	files := append([]*os.File{stdin, stdout, stderr}, c.ExtraFiles...)
	for n, f := range c.Descriptors {
		if n < 3 || n > maxDescriptor {
			return nil, diag.New(diag.DescriptorDenied, fmt.Sprintf("descriptor %d cannot be passed in", n), fmt.Sprintf("choose one from 3 to %d", maxDescriptor))
		}
		for len(files) <= n {
			files = append(files, nil)
		}
		if files[n] != nil {
			return nil, diag.New(diag.DescriptorDenied, fmt.Sprintf("descriptor %d is given twice", n), "")
		}
		files[n] = f
	}
	return files, nil
}

// same compares two writers that may not be comparable.
func same(a, b io.Writer) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

func (c *Cmd) null(flag int) (*os.File, error) {
	f, err := os.OpenFile(os.DevNull, flag, 0)
	if err == nil {
		c.streams.inside = append(c.streams.inside, f)
	}
	return f, err
}

func (c *Cmd) input() (*os.File, error) {
	if c.Stdin == nil {
		return c.null(os.O_RDONLY)
	}
	if f, ok := c.Stdin.(*os.File); ok {
		return f, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.streams.inside = append(c.streams.inside, r)
	c.streams.ours = append(c.streams.ours, w)
	c.streams.copies = append(c.streams.copies, func() error {
		_, err := io.Copy(w, c.Stdin)
		if errors.Is(err, syscall.EPIPE) {
			err = nil // the command did not want all of its input
		}
		if closed := w.Close(); err == nil && !errors.Is(closed, fs.ErrClosed) {
			err = closed
		}
		return err
	})
	return r, nil
}

func (c *Cmd) output(to io.Writer) (*os.File, error) {
	if to == nil {
		return c.null(os.O_WRONLY)
	}
	if f, ok := to.(*os.File); ok {
		return f, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.streams.inside = append(c.streams.inside, w)
	c.streams.ours = append(c.streams.ours, r)
	c.streams.copies = append(c.streams.copies, func() error {
		_, err := io.Copy(to, r)
		_ = r.Close() // what writes on is told so by SIGPIPE
		return err
	})
	return w, nil
}

// started closes what the command has now, and begins the copying.
func (s *streams) started() {
	closeAll(s.inside)
	s.errs = make(chan error, len(s.copies))
	for _, run := range s.copies {
		go func() { s.errs <- run() }()
	}
}

// abandon closes everything of a command that was not started.
func (s *streams) abandon() {
	closeAll(s.inside)
	closeAll(s.ours)
}

// wait waits for the copying, until the timer runs out if there is one.
func (s *streams) wait(timer *time.Timer, delay time.Duration) error {
	defer closeAll(s.ours)
	if timer == nil && delay > 0 {
		timer = time.NewTimer(delay)
	}
	var late <-chan time.Time
	if timer != nil {
		defer timer.Stop()
		late = timer.C
	}
	var first error
	for range s.copies {
		select {
		case err := <-s.errs:
			if first == nil {
				first = err
			}
		case <-late:
			return ErrWaitDelay
		}
	}
	return first
}

func closeAll(list []io.Closer) {
	for _, c := range list {
		_ = c.Close() // closed twice where the copying closed it
	}
}

// StdinPipe returns a pipe to the standard input of the command. Wait closes
// it; close it before to let the command see the end of its input.
func (c *Cmd) StdinPipe() (io.WriteCloser, error) {
	if c.Stdin != nil {
		return nil, errors.New("the standard input is set already")
	}
	r, w, err := c.pipe()
	if err != nil {
		return nil, err
	}
	c.Stdin = r
	c.streams.inside = append(c.streams.inside, r)
	c.streams.ours = append(c.streams.ours, w)
	return w, nil
}

// StdoutPipe returns a pipe from the standard output of the command. Wait
// closes it, so all of it is to be read before.
func (c *Cmd) StdoutPipe() (io.ReadCloser, error) { return c.outputPipe(&c.Stdout, "output") }

// StderrPipe is as StdoutPipe, for the standard error.
func (c *Cmd) StderrPipe() (io.ReadCloser, error) { return c.outputPipe(&c.Stderr, "error") }

func (c *Cmd) outputPipe(to *io.Writer, name string) (io.ReadCloser, error) {
	if *to != nil {
		return nil, fmt.Errorf("the standard %s is set already", name)
	}
	r, w, err := c.pipe()
	if err != nil {
		return nil, err
	}
	*to = w
	c.streams.inside = append(c.streams.inside, w)
	c.streams.ours = append(c.streams.ours, r)
	return r, nil
}

func (c *Cmd) pipe() (r, w *os.File, err error) {
	if !c.began.IsZero() {
		return nil, nil, errors.New("the command was started already")
	}
	return os.Pipe()
}

// Output runs the command and returns what it wrote to its standard output.
// Where Stderr is not set, an [*ExitError] carries the end of the other.
func (c *Cmd) Output() ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("the standard output is set already")
	}
	var out bytes.Buffer
	c.Stdout = &out
	var kept *tail
	if c.Stderr == nil {
		kept = &tail{}
		c.Stderr = kept
	}
	err := c.Run()
	if exit, ok := errors.AsType[*ExitError](err); ok && kept != nil {
		exit.Stderr = kept.text
	}
	return out.Bytes(), err
}

// CombinedOutput runs the command and returns what it wrote to its standard
// output and error, in order.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, errors.New("the standard output or error is set already")
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// tailSize is how much of the standard error an ExitError keeps, in bytes.
const tailSize = 32 << 10

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}
