// SPDX-License-Identifier: Apache-2.0

// Package launch makes sandboxes: it executes plans.
//
// Open applies a plan and returns a running sandbox; Start makes a command in
// it; Close ends it. On Linux the steps of a plan are compiled to lists of
// system calls (program_linux.go), each executed by a process of its own that
// shares no memory with the caller (image_linux.go). setup_linux.go holds the
// list that makes the namespaces and becomes process 1, enter_linux.go the one
// that makes a command.
package launch

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Options are what a launch needs beside the plan. The zero value is a sandbox
// without terminal whose findings are dropped.
type Options struct {
	Terminal string                // device of the caller's terminal, "" for none
	StateDir string                // caisson's state: journal and quarantine
	Report   func(diag.Diagnostic) // findings while it runs; called from any goroutine
	// Proxy is the port of the host's loopback at which caisson's proxy listens;
	// 0 where the plan has commands reach none there.
	Proxy int
	// ProxyAt has the proxy listen at a port of 127.0.0.1 that the machine's setup
	// gave the sandbox. It is called while a plan for Windows is applied whose
	// commands reach the proxy, before anything runs as them, and fails the launch
	// where it fails; nil where the plan has commands reach none.
	ProxyAt func(port int) error
	// Prove is what is tried inside where wrappers confine the commands. Such a
	// plan is not executed without it.
	Prove Proof
}

// Proof says what the last stage of a sandbox of wrappers tries before it
// becomes the command.
type Proof struct {
	// Writable is a directory that commands may write to; empty where there is
	// none, which proves nothing then.
	Writable string
	// Forbidden are directories that commands may not write to. The first one
	// that the caller itself can write to is tried; one is needed.
	Forbidden []string
	// Offline says that nothing of the host's network may be reached.
	Offline bool
}

// Command is one command to start.
type Command struct {
	Path  string     // with a slash: this file; else searched in PATH of Env, inside
	Args  []string   // Args[0] included
	Env   []string   // the whole environment
	Dir   string     // absolute, as seen inside
	Files []*os.File // by descriptor number; nil is closed
	// Foreground says that the command is what the terminal at Files[0] is
	// for: where it needs a process group of its own it gets the terminal.
	Foreground bool
	// OwnGroup gives the command a process group of its own where the plan
	// does not: an interactive shell sets the terminal back to the group that
	// it began in, which it cannot name if that is outside.
	OwnGroup bool
	// NewSession makes the command the leader of a session of its own, whose
	// terminal is the first of Files[0] to Files[2] that is one; see setsid(2). The terminal is then not the caller's,
	// and its keys, sizes and hangup reach the command by themselves.
	NewSession bool
	// Less is what the command may do less than the sandbox.
	Less Less
	// Attempted is called with what the command and its descendants try, while
	// the one who tries waits; from any goroutine, and as long as one of them
	// lives. It must not block. Where the plan observes nothing, only connects
	// that came to nothing are told.
	Attempted func(Attempt)
}

// meant ends the name of the entry that compares a path with what the policy saw.
const meant = " is the one that the policy means"

// ErrChanged says that a path is not what the plan takes it for: something
// came or went since the policy was resolved. A new plan will know.
var ErrChanged = errors.New("the path changed after the plan was made")

// Status is how a command ended.
type Status struct {
	Wait  syscall.WaitStatus
	Usage syscall.Rusage
}

// Reached counts how often the limits of a sandbox were met: the kernel killed
// something for want of memory, or refused a process.
type Reached struct{ Memory, Processes uint64 }

// StepError says which step of a plan failed, at which entry of the launch
// list, and why.
type StepError struct {
	Step  string // of the plan; empty for the launcher's own entries
	Entry string
	Errno syscall.Errno
}

func (e *StepError) Error() string {
	if e.Step == "" {
		return fmt.Sprintf("%s: %v", e.Entry, e.Errno)
	}
	return fmt.Sprintf("step %s: %s: %v", e.Step, e.Entry, e.Errno)
}

// Unwrap gives the errno.
func (e *StepError) Unwrap() error { return e.Errno }

// Is makes a path that is gone, or is another one, a path that changed: what
// one sandbox holds a name with may go between the policy and the launch of the
// next one.
func (e *StepError) Is(target error) bool {
	return target == ErrChanged &&
		(e.Errno == syscall.ENOENT && strings.HasPrefix(e.Entry, "find ") || e.Errno == syscall.ESTALE && strings.HasSuffix(e.Entry, meant))
}

// At says where the failure was, for those who must not import this package.
func (e *StepError) At() (step, entry string) { return e.Step, e.Entry }
