// SPDX-License-Identifier: Apache-2.0

// Package session gives open sandboxes names. A session is a process of the user
// in the background that holds one sandbox, and serves it on a unix socket in the
// protocol of package serve, with descriptors passed along.
//
// The sockets lie in a directory of caisson's state, which is the user's alone,
// outside every writable root, and hidden inside sandboxes. Both ends ask the
// kernel who the other one is. Beside each socket lies a file that the holder
// keeps locked as long as it lives, so that a name is never held twice and what a
// killed holder left is known for it.
package session

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Info is what is known of a session without asking it.
type Info struct {
	Name      string    `json:"name"`
	Pid       int       `json:"pid"` // of the holder
	Workspace []string  `json:"workspace"`
	Backend   string    `json:"backend"`
	Started   time.Time `json:"started"`
	Idle      string    `json:"idle"`  // how long it may be unused; "" for ever
	Owner     int       `json:"owner"` // the process whose end ends it; 0 for none
}

// maxName bounds a name, so that every socket has a path that is short enough.
const maxName = 48

// CheckName refuses what is no name: letters, digits, "-" and "_", and neither of
// these first.
func CheckName(name string) error {
	for i, r := range []byte(name) {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || r != '-' && r != '_') {
			return badName(name)
		}
	}
	if name == "" || len(name) > maxName {
		return badName(name)
	}
	return nil
}

func badName(name string) error {
	return diag.New(diag.UsageInvalid, diag.Quote(name)+" is no name of a session", fmt.Sprintf("write at most %d letters, digits, - and _", maxName))
}

// NewName makes a name that is not in use.
func NewName() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return "s" + hex.EncodeToString(b[:])
}

func unknown(name string) error {
	return diag.New(diag.SessionUnknown, "there is no session "+diag.Quote(name), "see caisson session list; start one with caisson session start --name "+name)
}
