// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// refuse makes an error of ours the error of a request.
func refuse(err error) *rpcError {
	e := &rpcError{Code: codeRefused, Message: err.Error(), Data: &errorData{Diagnostic: outcome.Diagnose(err)}}
	if r, ok := errors.AsType[*sandbox.Refusal](err); ok {
		e.Data.Unmet = r.Unmet
	}
	return e
}

// params reads the parameters of a request.
func params[T any](r request) (T, error) {
	var v T
	if err := decode(r.Params, &v); err != nil {
		return v, malformed(codeParams, r.Method+": "+err.Error(), "see docs/schema/serve.json")
	}
	return v, nil
}

// badParam refuses one parameter.
func badParam(name, what string) error {
	return malformed(codeParams, fmt.Sprintf("%q %s", name, what), "see docs/schema/serve.json")
}

// helloParams are those of initialize.
type helloParams struct {
	Protocol int `json:"protocol"`
	Client   *struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"client"`
}

// hello is what initialize answers.
type hello struct {
	Protocol int            `json:"protocol"`
	Caisson  string         `json:"caisson"`
	OS       string         `json:"os"`
	Arch     string         `json:"arch"`
	Limits   map[string]int `json:"limits"`
	Backends any            `json:"backends"`          // as backends --json; null in a session
	Session  *opened        `json:"session,omitempty"` // the sandbox of a session
}

func (c *connection) initialize(r request) (any, error) {
	p, err := params[helloParams](r)
	if err != nil {
		return nil, err
	}
	if p.Protocol != Protocol {
		return nil, malformed(codeParams, fmt.Sprintf("protocol %d is not spoken here, but %d", p.Protocol, Protocol), "use a client and a caisson of one age")
	}
	h := hello{
		Protocol: Protocol, Caisson: c.options.Caisson, OS: runtime.GOOS, Arch: runtime.GOARCH,
		Limits: map[string]int{"message": MaxMessage, "requests": MaxRequests, "sandboxes": MaxSandboxes, "commands": MaxCommands, "chunk": MaxChunk},
	}
	if held := c.options.Held; held != nil {
		b, err := c.box(held.Name)
		if err != nil {
			return nil, err
		}
		about := b.about()
		h.Session = &about
		return h, nil
	}
	h.Backends, err = c.options.Hosts(c.ctx)
	return h, err
}

// Open is the policy of a sandbox, in the words of the command line.
type Open struct {
	// Workspace are the directories that may be written, absolute; at least one.
	Workspace []string `json:"workspace"`
	// Flags are further flags of run, and the args of grants.
	Flags []string `json:"flags"`
	// Policy is what a file of --policy holds, as an object; empty for the user's
	// and the project's files.
	Policy json.RawMessage `json:"policy"`
	// Reason goes to the results.
	Reason string `json:"reason"`

	// Opens says that what is prepared is to be opened: a refusal is noted in
	// audit files.
	Opens bool `json:"-"`
}

func (o Open) check() error {
	if len(o.Workspace) == 0 {
		return badParam("workspace", "names no directory")
	}
	for _, dir := range o.Workspace {
		if !filepath.IsAbs(dir) {
			return badParam("workspace", "holds "+diag.Quote(dir)+", which is no absolute path")
		}
	}
	if len(o.Policy) > 0 && o.Policy[0] != '{' {
		return badParam("policy", "is no object")
	}
	return nil
}

// opened is what sandbox.open answers.
type opened struct {
	Sandbox      string            `json:"sandbox"`
	Backend      string            `json:"backend"`
	PolicyDigest string            `json:"policy_digest"`
	Workspace    []string          `json:"workspace"`
	Claims       guarantee.Set     `json:"claims"`
	Weakened     []guarantee.ID    `json:"weakened"`
	Diagnostics  []diag.Diagnostic `json:"diagnostics"`
}

func (b *box) about() opened {
	o := b.base.Of(sandbox.Result{Diagnostics: b.sandbox.Diagnostics()}, nil)
	return opened{
		Sandbox: b.id, Backend: o.Backend, PolicyDigest: o.PolicyDigest, Workspace: b.sandbox.Resolved().Workspace(),
		Claims: o.Claims, Weakened: o.Weakened, Diagnostics: o.Diagnostics,
	}
}

func (c *connection) openSandbox(r request) (any, error) {
	if c.options.Held != nil {
		return nil, fixed()
	}
	p, err := params[Open](r)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if len(c.sandboxes)+c.opening >= MaxSandboxes {
		c.mu.Unlock()
		return nil, diag.New(diag.TooMany, fmt.Sprintf("%d sandboxes are open", MaxSandboxes), "close one")
	}
	c.opening++
	c.mu.Unlock()
	b, err := c.openBox(p)
	c.mu.Lock()
	c.opening--
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	if c.sandboxes == nil { // the client is gone
		c.mu.Unlock()
		_ = b.sandbox.Close() // nobody is left to be told
		return nil, c.ending()
	}
	c.opened++
	b.id = "s" + strconv.Itoa(c.opened)
	c.sandboxes[b.id] = b
	c.mu.Unlock()
	return b.about(), nil
}

func (c *connection) openBox(p Open) (*box, error) {
	p.Opens = true
	prepared, release, err := c.options.Prepare(c.ctx, p)
	if release != nil {
		defer release()
	}
	if err != nil {
		return nil, err
	}
	sb, err := prepared.Open(c.ctx)
	if err != nil {
		return nil, err
	}
	return newBox("", sb, prepared, p.Reason), nil
}

// box finds an open sandbox.
func (c *connection) box(id string) (*box, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, ok := c.sandboxes[id]; ok {
		return b, nil
	}
	if c.over {
		return nil, c.ending()
	}
	return nil, diag.New(diag.RequestInvalid, "there is no open sandbox "+diag.Quote(id), "open one with sandbox.open")
}

// ending is what clients of a session are told at its end. The client of serve is
// the end itself, and is told nothing.
func (c *connection) ending() error {
	if c.options.Held == nil {
		return errLater
	}
	return diag.New(diag.SessionUnknown, "the session is ending", "start another one")
}

func fixed() error {
	return diag.New(diag.SessionFixed, "the sandbox of a session is opened and closed with it", "start another session")
}

func (c *connection) closeSandbox(r request) (any, error) {
	p, err := params[struct {
		Sandbox string `json:"sandbox"`
	}](r)
	if err != nil {
		return nil, err
	}
	if c.options.Held != nil {
		return nil, fixed()
	}
	b, err := c.box(p.Sandbox)
	if err != nil {
		return nil, err
	}
	if err := b.sandbox.Close(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	delete(c.sandboxes, b.id)
	c.mu.Unlock()
	return struct {
		Diagnostics []diag.Diagnostic `json:"diagnostics"`
	}{append([]diag.Diagnostic{}, b.sandbox.Diagnostics()...)}, nil
}

func (c *connection) endSession(r request) (any, error) {
	if _, err := params[struct{}](r); err != nil {
		return nil, err
	}
	if c.options.Held == nil {
		return nil, diag.New(diag.RequestInvalid, "this is no session", "close the sandbox with sandbox.close")
	}
	c.answer(r.ID, nil)
	c.options.Held.End()
	return nil, errLater
}

// target is the sandbox that is asked about: an open one, or that of a policy.
type target struct {
	Sandbox string `json:"sandbox"`
	Open
}

// find prepares the sandbox that is asked about. A host that cannot uphold the
// policy does not change what it says: the refusal is returned apart.
func (c *connection) find(t target) (p *sandbox.Prepared, release func(), refusal *sandbox.Refusal, err error) {
	none := func() {}
	if t.Sandbox != "" || c.options.Held != nil {
		if len(t.Workspace)+len(t.Flags)+len(t.Policy) > 0 {
			return nil, none, nil, badParam("sandbox", "and a policy exclude each other")
		}
		if t.Sandbox == "" {
			t.Sandbox = c.options.Held.Name
		}
		b, err := c.box(t.Sandbox)
		if err != nil {
			return nil, none, nil, err
		}
		return b.prepared, none, nil, nil
	}
	if err := t.check(); err != nil {
		return nil, none, nil, err
	}
	p, release, err = c.options.Prepare(c.ctx, t.Open)
	if release == nil {
		release = none
	}
	if refusal, ok := errors.AsType[*sandbox.Refusal](err); ok && p != nil {
		return p, release, refusal, nil
	}
	return p, release, nil, err
}

func (c *connection) explain(r request) (any, error) {
	t, err := params[struct {
		target
		Target string `json:"target"`
	}](r)
	if err != nil {
		return nil, err
	}
	p, release, _, err := c.find(t.target)
	defer release()
	if err != nil {
		return nil, err
	}
	return p.Explain(t.Target)
}

func (c *connection) plan(r request) (any, error) {
	t, err := params[target](r)
	if err != nil {
		return nil, err
	}
	p, release, refusal, err := c.find(t)
	defer release()
	if err != nil {
		return nil, err
	}
	if p.Plan == nil {
		return nil, refusal // there is one where no plan could be made
	}
	text, err := plan.Encode(p.Plan)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Plan    json.RawMessage  `json:"plan"`
		Refusal *diag.Diagnostic `json:"refusal"` // null: it would be opened
	}{Plan: text}
	if refusal != nil {
		d := outcome.Diagnose(refusal)
		answer.Refusal = &d
	}
	return answer, nil
}

func (c *connection) resolve(r request) (any, error) {
	t, err := params[target](r)
	if err != nil {
		return nil, err
	}
	p, release, _, err := c.find(t)
	defer release()
	if err != nil {
		return nil, err
	}
	digest, err := p.Resolved.Digest()
	if err != nil {
		return nil, err
	}
	return struct {
		Policy      *policy.Resolved  `json:"policy"`
		Digest      string            `json:"digest"`
		Diagnostics []diag.Diagnostic `json:"diagnostics"`
	}{p.Resolved, digest, append([]diag.Diagnostic{}, p.Notes...)}, nil
}
