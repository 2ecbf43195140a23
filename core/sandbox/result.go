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
	TimedOut bool
	// Limit is the limit of the policy that ended it, or that was reached while
	// it ran and did not succeed: "", "time", "memory" or "processes".
	Limit                string
	Elapsed              time.Duration
	UserTime, SystemTime time.Duration
	MaxRSS               int64 // the most memory that one of its processes held at once, in bytes
	// Denials is what was refused inside. Nil means that it was not observed:
	// unless the policy requires events.denials, only what caisson itself refused
	// is known. DenialsMore are those beyond the first of a bounded number.
	Denials     []Denial
	DenialsMore int
	// Less is what it had less than its sandbox; nil for nothing, or if it was not
	// started.
	Less *Less
	// Diagnostics are the findings of the sandbox until the command's end.
	Diagnostics []diag.Diagnostic
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

// limited notes the limit that was reached while a command ran that did not
// succeed: what was killed or not started may have been a part of it.
func (r *Result) limited(before, after launch.Reached, succeeded bool) {
	switch {
	case succeeded:
	case after.Memory > before.Memory:
		r.Limit = "memory"
	case after.Processes > before.Processes:
		r.Limit = "processes"
	}
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

// setDenials notes what was denied to a command, and by the sandbox as a whole
// while it ran.
func (s *Sandbox) setDenials(r *Result, own *denials) {
	for _, d := range []*denials{own, s.denied} {
		list, more := d.all()
		r.Denials = append(r.Denials, list...)
		r.DenialsMore += more
	}
	if r.Denials == nil && s.traced() {
		r.Denials = []Denial{}
	}
}

// refused gives the result of a command that was not started for err.
func (s *Sandbox) refused(err error) Result {
	r := Result{Diagnostics: s.Diagnostics()}
	if d, ok := errors.AsType[*diag.Diagnostic](err); ok {
		r.Diagnostics = append(r.Diagnostics, *d)
	}
	return r
}
