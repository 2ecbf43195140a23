// SPDX-License-Identifier: Apache-2.0

// Package audit writes and checks audit logs: files of JSON, one record a line,
// in which each record holds the hash of the line before it. Who changes, removes
// or inserts a line breaks every hash after it; who cuts the end off is found out
// by whoever noted the last hash elsewhere.
//
// A log is written by any number of processes of one user at once, which share a
// directory of state. Each append
// is one write under a lock, and on the disk when it returns. A process that was
// killed meanwhile may leave half a line at the end; the next record says so.
package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Schema is the version of the form of records.
const Schema = 1

// The bounds of what a record takes from a command or its caller, in bytes, and
// of a whole line.
const (
	maxText = 1024
	MaxLine = 1 << 20
)

// The events.
const (
	Start = "start" // written before a command is executed
	End   = "end"   // written after it
	// Refused is written where nothing was started, and no other record follows.
	Refused = "refused"
	Close   = "close" // written when the sandbox ends, of what came after the last end; it is of no command
)

// Record is one line. Seq, AfterTorn and Prev are set by Append. Nothing of it is
// secret: of the environment there is nothing, of the arguments a digest.
type Record struct {
	Schema       int      `json:"schema"`
	Seq          int64    `json:"seq"`  // from 1
	Time         string   `json:"time"` // RFC 3339, UTC
	Event        string   `json:"event"`
	Run          string   `json:"run"` // what start and end of one command share; "" for others
	User         User     `json:"user"`
	Caisson      string   `json:"caisson,omitempty"`
	Backend      string   `json:"backend"`
	PolicyDigest string   `json:"policy_digest"`
	Workspace    []string `json:"workspace"`
	Claims       []string `json:"claims"`
	Weakened     []string `json:"weakened"`
	Command      Command  `json:"command"`
	Reason       string   `json:"reason,omitempty"`
	Refusal      *Refusal `json:"refusal,omitempty"`      // of a refused
	Less         *Less    `json:"less,omitempty"`         // what the command has less than the policy says
	Result       *Result  `json:"result,omitempty"`       // of an end
	Denials      any      `json:"denials,omitempty"`      // of an end; a list, or null where they were not observed
	DenialsMore  int      `json:"denials_more,omitempty"` // denials that are not in the list
	Egress       any      `json:"egress,omitempty"`       // of an end or close; decisions over the network since the record before
	EgressMore   int      `json:"egress_more,omitempty"`
	AfterTorn    bool     `json:"after_torn,omitempty"` // the line before is half a record
	Prev         string   `json:"prev"`                 // SHA-256 of the line before, in hex; "" for the first
}

// User is who ran it.
type User struct {
	ID   string `json:"id"` // as the system writes it
	Name string `json:"name,omitempty"`
}

// Command says which command it was to somebody who can guess it, and to nobody
// else: Digest is the SHA-256 of Salt and the arguments, each after a zero byte.
type Command struct {
	Name   string `json:"name"` // the last part of its path
	Args   int    `json:"args"` // with the name
	Salt   string `json:"salt"`
	Digest string `json:"digest"`
}

// Refusal is why nothing was started.
type Refusal struct {
	Code    string   `json:"code,omitempty"` // of a diagnostic
	Message string   `json:"message"`
	Unmet   []string `json:"unmet,omitempty"` // guarantees that are needed and out of reach
}

// Less is what one command may do less than its sandbox, in the form that its
// result has, but for paths that are too many to note.
type Less struct {
	Guarantees []string `json:"guarantees"` // ids of those that speak of more
	ReadOnly   []string `json:"read_only"`  // directories
	Protect    []string `json:"protect"`
	Hide       []string `json:"hide"`
	More       int      `json:"more,omitempty"` // paths that are not in the lists
}

// Result is how it ended.
type Result struct {
	Started   bool   `json:"started"`
	Code      int    `json:"code"` // -1 if a signal ended it
	Signal    int    `json:"signal,omitempty"`
	TimedOut  bool   `json:"timed_out,omitempty"`
	Limit     string `json:"limit,omitempty"`
	ElapsedMS int64  `json:"elapsed_ms"`
}

// NewCommand describes a command by its arguments, the name first.
func NewCommand(args []string) Command {
	c := Command{Args: len(args), Salt: Token()}
	if len(args) > 0 {
		c.Name = Text(filepath.Base(args[0]))
	}
	c.Digest = c.digest(args)
	return c
}

// Is reports whether the arguments are those of the command.
func (c Command) Is(args []string) bool { return c.Digest == c.digest(args) }

func (c Command) digest(args []string) string {
	h := sha256.New()
	h.Write([]byte(c.Salt))
	for _, a := range args {
		h.Write([]byte("\x00" + a))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Token returns 128 random bits in hex.
func Token() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}

// Text makes text of others safe to show and bounds it.
func Text(s string) string {
	cut := len(s) > maxText
	s = diag.Escape(s[:min(len(s), maxText)])
	if len(s) > maxText {
		s, cut = strings.ToValidUTF8(s[:maxText], ""), true
	}
	if cut {
		s += "…"
	}
	return s
}

func hashOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}
