// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/launch"
)

// Result tells how one command ended. The zero value is that of a command that
// was not started.
type Result struct {
	Started bool
	Code    int            // exit status; -1 if a signal ended it
	Signal  syscall.Signal // 0 if it exited by itself
	// TimedOut says that the time limit of the sandbox or the deadline of the
	// command's context ended it.
	TimedOut             bool
	Limit                string // the limit of the policy that ended it: "", "time", "memory" or "processes"
	Elapsed              time.Duration
	UserTime, SystemTime time.Duration
	MaxRSS               int64 // the most memory that one of its processes held at once, in bytes
	// Denials is what was refused inside; nil means that it was not observed.
	Denials []Denial
	// Diagnostics are the findings of the sandbox until the command's end.
	Diagnostics []diag.Diagnostic
}

// Denial is one act that was refused inside.
type Denial struct {
	Operation string      `json:"operation"` // "read", "write", "connect", …
	Target    string      `json:"target"`    // a path, or host:port
	Rule      string      `json:"rule"`      // where the rule comes from
	Grant     *diag.Grant `json:"grant"`     // nil: no grant helps
}

// ExitError is the error of a command that was started and did not succeed.
type ExitError struct {
	Code   int            // exit status; -1 if a signal ended it
	Signal syscall.Signal // 0 if it exited by itself
	Limit  string         // as in Result
	Stderr []byte         // the end of the standard error, of Output only
}

// Error says it in the words of os/exec: "exit status 3", "signal: killed".
func (e *ExitError) Error() string {
	switch {
	case e.Limit == "time":
		return "the time limit of the sandbox is over"
	case e.Limit != "":
		return fmt.Sprintf("the limit of %s was reached", e.Limit)
	case e.Signal != 0:
		return "signal: " + e.Signal.String()
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// err gives the error of a command that ended so.
func (r *Result) err() error {
	if r.Code == 0 && r.Limit == "" {
		return nil
	}
	return &ExitError{Code: r.Code, Signal: r.Signal, Limit: r.Limit}
}

// fill notes how a command ended. Deadline says that the deadline of its
// context was over before it was.
func (s *Sandbox) fill(r *Result, status launch.Status, deadline bool) {
	switch w := status.Wait; {
	case w.Signaled():
		r.Code, r.Signal = -1, w.Signal()
	default:
		r.Code = w.ExitStatus()
	}
	r.setUsage(status.Usage)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.late && r.Signal != 0 {
		r.Limit = "time"
	}
	r.TimedOut = r.Limit == "time" || deadline
	r.Diagnostics = slices.Clone(s.notes)
}

// refused gives the result of a command that was not started for err.
func (s *Sandbox) refused(err error) Result {
	r := Result{Diagnostics: s.Diagnostics()}
	if d, ok := errors.AsType[*diag.Diagnostic](err); ok {
		r.Diagnostics = append(r.Diagnostics, *d)
	}
	return r
}
