// SPDX-License-Identifier: Apache-2.0

// Package serve lets programs in every language hold open sandboxes. It speaks
// JSON-RPC 2.0, one message a line; docs/schema/serve.json has the messages and
// docs/serve.md says what they mean.
//
// Serve is one connection: the standard streams of `caisson serve`, or the
// socket of a session, whose one sandbox was opened before. What a client may
// make it keep is bounded: the length of a message, requests that are not
// answered, sandboxes, commands. Output waits in the pipes of the commands
// until the client reads it. With the end of the connection everything ends
// that it holds.
package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// Protocol is the version of the protocol: raised with a change that an old
// client would misread.
const Protocol = 1

// The bounds of one connection.
const (
	MaxMessage   = 1 << 20 // bytes of a message of the client
	MaxRequests  = 1024    // requests that are not answered yet
	MaxSandboxes = 64
	MaxCommands  = 512      // that run, were not waited for, or whose output is open
	MaxChunk     = 32 << 10 // bytes of output in one message
)

// Options are what a connection needs. Prepare and Hosts may be nil where Held
// is set.
type Options struct {
	// Caisson is the version of the program.
	Caisson string
	// Prepare prepares the sandbox of a policy. Release is called once it was
	// opened, or was not.
	Prepare func(ctx context.Context, open Open) (p *sandbox.Prepared, release func(), err error)
	// Hosts tells what the backends can do on this host, as backends --json.
	Hosts func(ctx context.Context) (any, error)
	// Held is the sandbox of a session; a client opens and closes none then.
	Held *Held
}

// Held is a sandbox that outlives its connections.
type Held struct {
	Name     string
	Sandbox  *sandbox.Sandbox
	Prepared *sandbox.Prepared
	Reason   string
	// End ends the session; it does not wait.
	End func()
	// Files gives the next n descriptors that the client passed.
	Files func(n int) ([]*os.File, error)
}

// connection is one client.
type connection struct {
	options Options
	methods map[string]method
	out     *writer
	ctx     context.Context
	cancel  context.CancelFunc
	tasks   sync.WaitGroup // what a request began
	slots   chan struct{}  // one for each request that is not answered
	ready   bool           // initialize was answered; of the reader alone

	mu        sync.Mutex
	over      bool // no task is begun any more
	opening   int
	opened    int // so far: the number in the last one's id
	sandboxes map[string]*box
	starting  int
	left      int // commands that were waited for and whose output is open
	started   int // so far
	commands  map[string]*command

	lateMu sync.Mutex
	late   []func() // what a task does in turn; the first is being done
}

// takeFiles takes the descriptors that came with a message.
func (c *connection) takeFiles(r *request) error {
	if r.Method != "command.start" || c.options.Held == nil {
		return nil
	}
	var p struct {
		Descriptors []int `json:"descriptors"`
	}
	if json.Unmarshal(r.Params, &p) != nil || len(p.Descriptors) == 0 {
		return nil // what is wrong is found later
	}
	var err error
	r.files, err = c.options.Held.Files(len(p.Descriptors))
	return err
}

// box is one open sandbox of a connection.
type box struct {
	id       string
	sandbox  *sandbox.Sandbox
	prepared *sandbox.Prepared
	base     outcome.Outcome // what the results of its commands have in common
}

func newBox(id string, sb *sandbox.Sandbox, p *sandbox.Prepared, reason string) *box {
	b := &box{id: id, sandbox: sb, prepared: p, base: outcome.Base(p)}
	b.base.Reason = reason
	return b
}

// Serve serves one client until its messages end, it can no longer be written
// to, or ctx is done. It returns when all is gone that the client held.
func Serve(ctx context.Context, in io.Reader, out io.Writer, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &connection{
		options: o, methods: methods(), ctx: ctx, cancel: cancel, out: &writer{w: out, bad: cancel},
		slots: make(chan struct{}, MaxRequests), sandboxes: map[string]*box{}, commands: map[string]*command{},
	}
	if h := o.Held; h != nil {
		c.sandboxes[h.Name] = newBox(h.Name, h.Sandbox, h.Prepared, h.Reason)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.read(newLines(in)) }() // a read that never ends is left behind
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	c.end()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}

// read reads messages until they end.
func (c *connection) read(in *lines) error {
	for {
		line, err := in.next()
		switch {
		case errors.Is(err, errTooLong):
			c.refuse(nil, malformed(codeRequest, "the message is longer than "+strconv.Itoa(MaxMessage)+" bytes", "pass less at once"))
			continue
		case err != nil:
			return err
		case c.ctx.Err() != nil:
			return c.ctx.Err()
		}
		r, bad := readRequest(line)
		if bad != nil {
			c.refuse(r.ID, bad)
			continue
		}
		c.handle(r)
	}
}

// end ends what the client held.
func (c *connection) end() {
	c.cancel()
	c.mu.Lock()
	boxes, commands := c.sandboxes, c.commands
	c.sandboxes, c.commands, c.over = nil, nil, true
	c.mu.Unlock()
	for _, cmd := range commands {
		cmd.abandon()
	}
	if c.options.Held == nil {
		var closing sync.WaitGroup
		for _, b := range boxes {
			closing.Go(func() { _ = b.sandbox.Close() }) // nobody is left to be told
		}
		closing.Wait()
	}
	for _, cmd := range commands {
		<-cmd.ended
	}
	c.finish()
}

// goodbye is how long what was asked for last may still be answered. A client that
// does not read would hold up the end for ever.
const goodbye = time.Second

// finish waits for the tasks of requests. Nothing is written after it, unless
// somebody is still writing.
func (c *connection) finish() {
	over := make(chan struct{})
	go func() {
		c.tasks.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(goodbye):
	}
	if c.out.mu.TryLock() {
		c.out.err = io.ErrClosedPipe
		c.out.mu.Unlock()
	}
}

// method handles one kind of request. Inline ones are quick and keep the order
// of the messages; the others have a task of their own.
type method struct {
	inline bool
	handle func(c *connection, r request) (any, error)
}

// methods lists what a client may ask for.
func methods() map[string]method {
	return map[string]method{
		"initialize":     {false, (*connection).initialize},
		"sandbox.open":   {false, (*connection).openSandbox},
		"sandbox.close":  {false, (*connection).closeSandbox},
		"explain":        {false, (*connection).explain},
		"plan":           {false, (*connection).plan},
		"policy.resolve": {false, (*connection).resolve},
		"command.start":  {false, (*connection).startCommand},
		"command.stdin":  {true, (*connection).writeStdin},
		"command.more":   {true, (*connection).more},
		"command.resize": {true, (*connection).resize},
		"command.signal": {true, (*connection).signal},
		"command.wait":   {false, (*connection).wait},
		"session.end":    {true, (*connection).endSession},
	}
}

// handle answers one request, or begins to.
func (c *connection) handle(r request) {
	m, known := c.methods[r.Method]
	switch {
	case !known:
		c.refuse(r.ID, malformed(codeMethod, "there is no method "+diag.Quote(r.Method), ""))
		return
	case r.Method == "initialize":
		c.ready = true
	case !c.ready:
		c.refuse(r.ID, malformed(codeNotBefore, "initialize comes first", `send {"method":"initialize","params":{"protocol":1}}`))
		return
	}
	select {
	case c.slots <- struct{}{}:
	default:
		c.fail(r.ID, refuse(diag.New(diag.TooMany, fmt.Sprintf("%d requests are not answered yet", MaxRequests), "wait for answers")))
		return
	}
	answer := func(result any, err error) {
		switch {
		case err == errLater:
		case err != nil:
			c.fail(r.ID, err)
		default:
			c.answer(r.ID, result)
		}
		<-c.slots
	}
	if m.inline {
		result, err := m.handle(c, r)
		c.later(func() { answer(result, err) })
		return
	}
	// Descriptors come with the message that names them, so they are taken in
	// the order of messages.
	if err := c.takeFiles(&r); err != nil {
		c.later(func() { answer(nil, err) })
		return
	}
	if !c.begin(func() { answer(m.handle(c, r)) }) {
		closeFiles(r.files)
	}
}

// refuse answers a message that is no request. Whoever reads messages waits for
// no client to read answers, unless it has left too many unread: else the end of
// the messages would not be seen.
func (c *connection) refuse(id json.RawMessage, err error) {
	select {
	case c.slots <- struct{}{}:
		c.later(func() { c.fail(id, err); <-c.slots })
	default:
		c.fail(id, err)
	}
}

// later has a task do f, after what it was given before. Each f has a slot, which
// bounds how many wait.
func (c *connection) later(f func()) {
	c.lateMu.Lock()
	defer c.lateMu.Unlock()
	if c.late = append(c.late, f); len(c.late) == 1 {
		c.begin(c.catchUp)
	}
}

// catchUp does what is to be done later.
func (c *connection) catchUp() {
	for left := 1; left > 0; {
		c.lateMu.Lock()
		f := c.late[0]
		c.lateMu.Unlock()
		f()
		c.lateMu.Lock()
		c.late = c.late[1:]
		left = len(c.late)
		c.lateMu.Unlock()
	}
}

// begin begins the task of a request, unless all is over.
func (c *connection) begin(run func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.tasks.Go(run)
	return true
}

// errLater says that a request is answered later.
var errLater = errors.New("answered later")

// answer answers a request; a notification has none.
func (c *connection) answer(id json.RawMessage, result any) {
	if len(id) == 0 {
		return
	}
	if result == nil {
		result = struct{}{}
	}
	c.out.write(response{Version: "2.0", ID: id, Result: result})
}

// fail answers with an error. One that belongs to no request has the id null;
// that of a notification is not told.
func (c *connection) fail(id json.RawMessage, err error) {
	var e *rpcError
	if !errors.As(err, &e) {
		e = refuse(err)
	}
	if len(id) == 0 {
		if e.Code != codeParse && e.Code != codeRequest {
			return
		}
		id = json.RawMessage("null")
	}
	c.out.write(response{Version: "2.0", ID: id, Error: e})
}

// errorData says what was refused, and what helps.
type errorData struct {
	Diagnostic diag.Diagnostic `json:"diagnostic"`
	Unmet      []plan.Unmet    `json:"unmet,omitempty"`  // the guarantees that are out of reach, if that is why
	Result     any             `json:"result,omitempty"` // of a command that was not started
}
