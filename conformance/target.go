// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"os"
	"time"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// Target is a sandbox that can be judged. Backend and Wrap make one; a program
// can bring its own. Methods may be called from several goroutines.
type Target interface {
	// Info names the target for reports.
	Info(ctx context.Context) (Info, error)
	// Open makes a sandbox. What the context's end means is what it means for
	// sandbox.Open: it bounds the opening alone.
	Open(ctx context.Context, s Spec) (Sandbox, error)
}

// Info names a target.
type Info struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	// Kind is "backend" or "wrap".
	Kind string `json:"kind"`
	// Has lists what the target can do beyond running one command: NeedMany,
	// NeedOracle, NeedFiles, NeedDenials.
	Has []Need `json:"has,omitempty"`
	// Notes are limits of the comparison that reports print.
	Notes string `json:"notes,omitempty"`
}

// Spec is the policy of a case, in words that every sandbox understands: the
// workspace may be written, everything else only read, there is no network.
type Spec struct {
	Workspace string        `json:"workspace"`         // absolute; also the working directory
	Write     []string      `json:"write,omitempty"`   // further writable roots
	Protect   []string      `json:"protect,omitempty"` // not writable, inside a writable root; may be absent
	Hide      []string      `json:"hide,omitempty"`    // neither read nor listed
	Environ   []string      `json:"environ"`           // of the caller, as NAME=VALUE
	Timeout   time.Duration `json:"timeout,omitempty"`
	Memory    int64         `json:"memory,omitempty"` // bytes
	Processes int           `json:"processes,omitempty"`
	// Policy changes the policy of a target that has NeedOracle.
	Policy func(policy.Policy) policy.Policy `json:"-"`
}

// Sandbox is one sandbox of a target.
type Sandbox interface {
	// Claims is what the target promises for this sandbox.
	Claims() guarantee.Set
	// Start starts a command. A target without NeedMany gets one call.
	Start(ctx context.Context, c Command) (Process, error)
	// Close ends everything in the sandbox and removes what belongs to it.
	Close() error
}

// Command is one command. Its files are the caller's and stay open.
type Command struct {
	Args []string // the program by its absolute path first
	// Stdin, Stdout and Stderr are passed as they are; nil is closed or null.
	Stdin, Stdout, Stderr *os.File
	// Files are granted descriptors, by number. Only with NeedFiles.
	Files map[int]*os.File
	// Leak are descriptors that the caller of the tool happens to hold open for
	// its children; nothing grants them.
	Leak map[int]*os.File
	// Terminal makes the command the foreground job of a new session whose
	// terminal is Stdin.
	Terminal bool
}

// Process is one command that was started.
type Process interface {
	// Wait waits for its end.
	Wait() (Exit, error)
	// Signal sends a signal as a caller of the tool would.
	Signal(os.Signal) error
	// Kill ends what runs the sandbox with SIGKILL, the tool and not the
	// command, where they differ.
	Kill() error
}

// Exit is how a command ended. A tool that gives the status 128+N for the
// signal N is as good as one that dies of it.
type Exit struct {
	Code   int // 128+N for signal N
	Limit  string
	Denied []string // the targets of denials; nil is not observed
}

// resolver is a sandbox that can say what its policy means for a path.
type resolver interface {
	Resolved() *policy.Resolved
}
