// SPDX-License-Identifier: Apache-2.0

// Package outcome is the end of a command in words for machines: the JSON of
// --result, which caisson serve answers with too, and the exit status.
package outcome

import (
	"errors"
	"runtime/debug"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// Schema is the version of the form of an Outcome.
const Schema = 1

// The exit statuses of run and shell that are not the command's own.
const (
	Timeout  = 124 // the time limit was reached
	Refused  = 125 // refused or failed before the command was started
	NotExec  = 126 // found, and cannot be executed
	NotFound = 127 // not found
	Signal   = 128 // plus the number of the signal that killed it
)

// Outcome is the result of one command.
type Outcome struct {
	Schema       int               `json:"schema"`
	Caisson      string            `json:"caisson"`
	Backend      string            `json:"backend"`       // "" where none was chosen
	PolicyDigest string            `json:"policy_digest"` // "" where the policy was refused
	Claims       guarantee.Set     `json:"claims"`
	Weakened     []guarantee.ID    `json:"weakened"`
	Started      bool              `json:"started"`
	Exit         Exit              `json:"exit"`
	ElapsedMS    int64             `json:"elapsed_ms"`
	Usage        Usage             `json:"usage"`
	Denials      []sandbox.Denial  `json:"denials"` // null: not observed
	DenialsMore  int               `json:"denials_more,omitempty"`
	Less         *sandbox.Less     `json:"less,omitempty"` // what the command had less than its sandbox
	Diagnostics  []diag.Diagnostic `json:"diagnostics"`
	Reason       string            `json:"reason,omitempty"` // the text of --reason
}

// Exit is how it ended. Code is the status that caisson exits with: the
// command's own only if it was started and neither Signal, TimedOut nor Limit
// says otherwise.
type Exit struct {
	Code     int     `json:"code"`
	Signal   *int    `json:"signal"` // the number
	TimedOut bool    `json:"timed_out"`
	Limit    *string `json:"limit"`
}

// Usage is what a command and its children used.
type Usage struct {
	UserMS   int64 `json:"user_ms"`
	SystemMS int64 `json:"system_ms"`
	MaxRSS   int64 `json:"max_rss"` // bytes
}

// Base is what all commands of a sandbox have in common: it is dear to make, for
// it has the digest of the policy. P is nil where the policy was refused.
func Base(p *sandbox.Prepared) Outcome {
	out := Outcome{Schema: Schema, Caisson: Version(), Claims: guarantee.Set{}, Weakened: []guarantee.ID{}}
	if p == nil {
		return out
	}
	if digest, err := p.Resolved.Digest(); err == nil {
		out.PolicyDigest = digest
	}
	if p.Plan != nil {
		out.Backend = p.Backend.Name
		if p.Plan.Claims != nil {
			out.Claims = p.Plan.Claims
		}
		out.Weakened = append(out.Weakened, p.Weakened()...)
	}
	return out
}

// Of makes the outcome of a command. Err is why nothing was started.
func (o Outcome) Of(r sandbox.Result, err error) Outcome {
	o.Started, o.Exit = r.Started, Exit{Code: Status(r), TimedOut: r.TimedOut}
	o.ElapsedMS = r.Elapsed.Milliseconds()
	o.Usage = Usage{r.UserTime.Milliseconds(), r.SystemTime.Milliseconds(), r.MaxRSS}
	o.Denials, o.DenialsMore, o.Less = r.Denials, r.DenialsMore, r.Less
	o.Diagnostics = append([]diag.Diagnostic{}, r.Diagnostics...)
	if r.Signal != 0 {
		n := int(r.Signal)
		o.Exit.Signal = &n
	}
	if r.Limit != "" {
		o.Exit.Limit = &r.Limit
	}
	if err != nil {
		o.Exit.Code = Failure(err)
		o.Diagnostics = append(o.Diagnostics, Diagnose(err))
	}
	return o
}

// Diagnose gives an error as a diagnostic; one that carries none is a launch
// that failed.
func Diagnose(err error) diag.Diagnostic {
	if d, ok := errors.AsType[*diag.Diagnostic](err); ok {
		return *d
	}
	return diag.Diagnostic{Code: diag.LaunchFailed, Message: err.Error()}
}

// Status gives the status that caisson exits with after a command.
func Status(r sandbox.Result) int {
	switch {
	case r.TimedOut:
		return Timeout
	case r.Signal != 0:
		return Signal + int(r.Signal)
	}
	return r.Code
}

// Failure gives the status that caisson exits with where nothing was started.
func Failure(err error) int {
	if d, ok := errors.AsType[*diag.Diagnostic](err); ok {
		switch d.Code {
		case diag.CommandNotFound:
			return NotFound
		case diag.CommandNotExec:
			return NotExec
		}
	}
	return Refused
}

// Version is what the go command recorded when it built the program.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
