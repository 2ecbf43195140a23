// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// command is one command of a client.
type command struct {
	id     string
	box    *box
	cmd    *sandbox.Cmd
	cancel context.CancelFunc // kills it and its descendants
	stdin  *stdin             // nil: none that the client writes
	master *os.File           // of a terminal, else nil
	passed []*os.File         // descriptors of the client, kept until the end for what a command changes of them
	pumps  []*pump
	window *window
	limit  *time.Timer // of timeout_ms, else nil
	late   atomic.Bool // it ran out

	ended   chan struct{}   // closed when it was reaped
	drained chan struct{}   // closed when the client was told all that it wrote
	outcome outcome.Outcome // set with ended
	open    sync.WaitGroup  // its pumps, until nothing holds its output open
}

// startParams are those of command.start.
type startParams struct {
	Sandbox   string             `json:"sandbox"`
	Argv      []string           `json:"argv"`
	Dir       string             `json:"dir"`
	Env       map[string]*string `json:"env"`
	TTY       *size              `json:"tty"`
	Stdin     bool               `json:"stdin"`
	TimeoutMS int64              `json:"timeout_ms"`
	Window    int                `json:"window"`

	// What the command may do less than its sandbox. Relative paths are taken
	// from where it starts.
	ReadOnly bool     `json:"read_only"`
	Protect  []string `json:"protect"`
	Hide     []string `json:"hide"`

	// Descriptors and Environ are of sessions: the numbers that the descriptors
	// get which came with the message, and the environment of the client.
	Descriptors []int    `json:"descriptors"`
	Environ     [][]byte `json:"environ"`
	// RawArgv is Argv where that need not be text.
	RawArgv [][]byte `json:"raw_argv"`
	// Cwd is the current directory of the client, where the command starts if it
	// can be seen inside and Dir names no other.
	Cwd string `json:"cwd"`
	// Terminal says that the first of the descriptors that is a terminal was made
	// for the command.
	Terminal bool `json:"terminal"`
}

// size is that of a terminal's window, in characters.
type size struct {
	Rows int `json:"rows"`
	Cols int `json:"cols"`
}

// started is what command.start answers.
type started struct {
	Command string `json:"command"`
	Pid     int    `json:"pid"`
}

// maxTimeout bounds timeout_ms, so that it is a duration: about a year.
const maxTimeout = 365 * 24 * time.Hour

func (p *startParams) check(held bool) error {
	for _, arg := range p.RawArgv {
		p.Argv = append(p.Argv, string(arg))
	}
	switch {
	case len(p.Argv) == 0:
		return badParam("argv", "is empty")
	case p.TimeoutMS < 0 || p.TimeoutMS > maxTimeout.Milliseconds():
		return badParam("timeout_ms", "is out of range")
	case p.Window < 0:
		return badParam("window", "is negative")
	case p.TTY != nil && p.Stdin:
		return badParam("stdin", "is the terminal already")
	case !held && (len(p.Descriptors) > 0 || len(p.Environ)+len(p.RawArgv) > 0 || p.Cwd != "" || p.Terminal):
		return badParam("descriptors", "can be passed to sessions alone")
	case slices.Contains(p.Protect, "") || slices.Contains(p.Hide, ""):
		return badParam("protect", "or \"hide\" holds an empty path")
	case p.TTY != nil && !p.TTY.valid():
		return badParam("tty", "is no size")
	}
	for _, list := range [][]string{p.Argv, {p.Dir, p.Cwd}, p.Protect, p.Hide, texts(p.Environ)} {
		for _, text := range list {
			if strings.ContainsRune(text, 0) {
				return badParam("argv", "or another text holds a NUL")
			}
		}
	}
	for name, value := range p.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || value != nil && strings.ContainsRune(*value, 0) {
			return badParam("env", "holds "+diag.Quote(name)+", which is no variable")
		}
	}
	return nil
}

func texts(list [][]byte) []string {
	out := make([]string, len(list))
	for i, b := range list {
		out[i] = string(b)
	}
	return out
}

// maxSide bounds a window, as struct winsize does.
const maxSide = 1<<16 - 1

func (s size) valid() bool { return s.Rows > 0 && s.Cols > 0 && s.Rows <= maxSide && s.Cols <= maxSide }

func (c *connection) startCommand(r request) (any, error) {
	p, err := params[startParams](r)
	if err == nil {
		err = p.check(c.options.Held != nil)
	}
	var b *box
	if err == nil {
		b, err = c.box(p.Sandbox)
	}
	if err != nil {
		closeFiles(r.files)
		return nil, err
	}
	c.mu.Lock()
	if len(c.commands)+c.starting+c.left >= MaxCommands {
		c.mu.Unlock()
		closeFiles(r.files)
		return nil, diag.New(diag.TooMany, fmt.Sprintf("%d commands run, were not waited for, or have left something that holds their output", MaxCommands), "wait for some, or open another sandbox")
	}
	c.starting++
	c.mu.Unlock()
	cmd, err := c.launch(b, &p, r.files)
	c.mu.Lock()
	c.starting--
	gone := c.commands == nil
	if err == nil && !gone {
		c.started++
		cmd.id = "c" + strconv.Itoa(c.started)
		c.commands[cmd.id] = cmd
	}
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if p.TimeoutMS > 0 {
		cmd.limit = time.AfterFunc(time.Duration(p.TimeoutMS)*time.Millisecond, cmd.expire)
	}
	go cmd.reap()
	if gone {
		cmd.abandon()
		<-cmd.ended
		return nil, c.ending()
	}
	// The client knows the command before it hears of it.
	c.answer(r.ID, started{cmd.id, cmd.cmd.Pid()})
	cmd.pump(c)
	return nil, errLater
}

// launch starts a command. What it is made of is closed again where that fails.
func (c *connection) launch(b *box, p *startParams, files []*os.File) (*command, error) {
	ctx, cancel := context.WithCancel(context.Background())
	cmd := &command{
		box: b, cmd: b.sandbox.Command(ctx, p.Argv[0], p.Argv[1:]...), cancel: cancel, window: newWindow(p.Window),
		ended: make(chan struct{}), drained: make(chan struct{}),
	}
	inside, err := cmd.connect(p, files)
	if err == nil {
		cmd.cmd.Dir = b.dirOf(p)
		if p.Environ != nil || len(p.Env) > 0 { // else it is that of the sandbox
			cmd.cmd.Env = b.environ(cmd.cmd, p)
		}
		cmd.cmd.ReadOnly, cmd.cmd.Protect, cmd.cmd.Hide = p.ReadOnly, p.Protect, p.Hide
		err = cmd.cmd.Start()
	}
	closeFiles(inside)
	if err != nil {
		cancel()
		cmd.close()
		closeFiles(files)
		e := refuse(err)
		o := b.base.Of(cmd.cmd.Result(), nil)
		o.Exit.Code = outcome.Failure(err)
		e.Data.Result = o
		return nil, e
	}
	return cmd, nil
}

// dirOf gives the directory that a command starts in: a relative one is taken
// from the first workspace.
func (b *box) dirOf(p *startParams) string {
	switch {
	case filepath.IsAbs(p.Dir):
		return p.Dir
	case p.Dir == "" && filepath.IsAbs(p.Cwd) && b.sandbox.Shows(p.Cwd):
		return p.Cwd
	}
	return filepath.Join(b.sandbox.Resolved().Workspace()[0], p.Dir)
}

// environ gives the environment of a command: what the sandbox gives, with the
// changes of the client. Null takes a variable away.
func (b *box) environ(cmd *sandbox.Cmd, p *startParams) []string {
	if p.Environ != nil {
		cmd.Env = changed(b.sandbox.Inherited(texts(p.Environ)), "PWD", &cmd.Dir)
	}
	env := cmd.Environ()
	for name, value := range p.Env {
		env = changed(env, name, value)
	}
	return env
}

// changed returns an environment with one variable set, or without it.
func changed(env []string, name string, value *string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, name+"=") })
	if value != nil {
		env = append(env, name+"="+*value)
	}
	return env
}

// connect makes the streams of a command and returns those that are its own.
func (cmd *command) connect(p *startParams, files []*os.File) (inside []*os.File, err error) {
	c := cmd.cmd
	switch {
	case len(files) > 0:
		cmd.passed = files
		return nil, cmd.pass(p, files)
	case p.TTY != nil:
		master, slave, err := openTerminal(*p.TTY)
		if err != nil {
			return nil, err
		}
		cmd.master = master
		cmd.stdin = newStdin(master, true)
		cmd.pumps = []*pump{newPump("tty", master)}
		c.NewSession = true
		c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
		return []*os.File{slave}, nil
	}
	c.OwnGroup = true // signals of the client reach all of it
	if p.Stdin {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, fmt.Errorf("a pipe for the command: %w", err)
		}
		cmd.stdin = newStdin(w, false)
		c.Stdin, inside = r, append(inside, r)
	}
	for _, stream := range []string{"stdout", "stderr"} {
		r, w, err := os.Pipe()
		if err != nil {
			return inside, fmt.Errorf("a pipe for the command: %w", err)
		}
		inside = append(inside, w)
		cmd.pumps = append(cmd.pumps, newPump(stream, r))
		if stream == "stdout" {
			c.Stdout = w
		} else {
			c.Stderr = w
		}
	}
	return inside, nil
}

// pass gives the command the descriptors of the client as they are.
func (cmd *command) pass(p *startParams, files []*os.File) error {
	c := cmd.cmd
	c.NewSession, c.OwnGroup = p.Terminal, !p.Terminal
	for i, n := range p.Descriptors {
		switch f := files[i]; n {
		case 0:
			c.Stdin = f
		case 1:
			c.Stdout = f
		case 2:
			c.Stderr = f
		default:
			return badParam("descriptors", "holds "+strconv.Itoa(n)+": the standard streams alone are passed")
		}
	}
	return nil
}

// expire ends a command whose time is over. The time begins when it was started.
func (cmd *command) expire() {
	cmd.late.Store(true)
	cmd.cancel()
}

// reap waits for the end of a command and for its output until then.
func (cmd *command) reap() {
	err := cmd.cmd.Wait()
	if _, ok := errors.AsType[*sandbox.ExitError](err); ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = nil // the result tells
	}
	r := cmd.cmd.Result()
	if cmd.limit != nil {
		cmd.limit.Stop()
	}
	r.TimedOut = r.TimedOut || cmd.late.Load() && r.Signal != 0
	r.Diagnostics = cmd.box.sandbox.Diagnostics()
	cmd.outcome = cmd.box.base.Of(r, err)
	cmd.cancel()
	closeFiles(cmd.passed)
	close(cmd.ended)
	if cmd.stdin != nil {
		cmd.stdin.close()
	}
}

// abandon ends a command of a client that is gone.
func (cmd *command) abandon() {
	cmd.cancel()
	cmd.window.close()
	cmd.close()
}

// close closes our ends of its streams.
func (cmd *command) close() {
	if cmd.stdin != nil {
		cmd.stdin.close()
	}
	for _, p := range cmd.pumps {
		p.file.Close()
	}
}

func closeFiles(list []*os.File) {
	for _, f := range list {
		f.Close()
	}
}
