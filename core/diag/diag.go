// SPDX-License-Identifier: Apache-2.0

// Package diag is the one type for everything caisson tells a person or an
// agent besides data: refusals, notes, denials.
//
// A diagnostic has a stable code, a sentence, a remedy and, where widening the
// policy helps, the narrowest grant that does. Codes are listed in codes.go;
// docs/diagnostics.md is generated from that table.
package diag

import "strings"

// Diagnostic is one finding. Code is from the table in codes.go. Message is
// lower case and names the thing. Remedy is a sentence or a command that the
// reader can act on; it is empty where none exists.
type Diagnostic struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
	Grant   *Grant `json:"grant"` // nil: no grant helps
}

// String gives message and remedy in one line, as the command line prints it.
func (d Diagnostic) String() string {
	if d.Remedy == "" {
		return d.Message
	}
	return d.Message + "; " + d.Remedy
}

// Error makes a Diagnostic an error that carries itself. Errors of caisson
// that a user can act on are Diagnostics, found with errors.As.
func (d *Diagnostic) Error() string { return d.String() }

// New returns a diagnostic that can be returned as an error.
func New(code Code, message, remedy string) *Diagnostic {
	return &Diagnostic{Code: code, Message: message, Remedy: remedy}
}

// With returns a copy of d that carries the grant.
func (d Diagnostic) With(g Grant) *Diagnostic {
	d.Grant = &g
	return &d
}

// GrantKind names what a grant widens.
type GrantKind string

// The kinds of grants. Each loosening flag of the command line is one grant.
const (
	GrantWrite     GrantKind = "write"
	GrantShow      GrantKind = "show"
	GrantUnprotect GrantKind = "unprotect"
	GrantHost      GrantKind = "host"
	GrantLoopback  GrantKind = "loopback"
	GrantPublish   GrantKind = "publish"
	GrantUnix      GrantKind = "unix"
	GrantEnv       GrantKind = "env"
	GrantFD        GrantKind = "fd"
	GrantWeaker    GrantKind = "weaker"
)

// Grant is the one currency of widening: what to allow, the flags that allow
// it and the policy key that does the same (nil where no key exists).
type Grant struct {
	Kind   GrantKind `json:"kind"`
	Value  string    `json:"value"`
	Args   []string  `json:"args"`
	Policy *string   `json:"policy"`
}

// grantForms maps a kind to its flag and its policy key.
var grantForms = map[GrantKind]struct{ flag, key string }{
	GrantWrite:     {"--write", "[files] write"},
	GrantShow:      {"--show", "[files] show"},
	GrantUnprotect: {"--unprotect", "[files] unprotect"},
	GrantHost:      {"--allow-host", "[network] allow"},
	GrantLoopback:  {"--allow-loopback", "[network] loopback"},
	GrantPublish:   {"--publish", "[network] publish"},
	GrantUnix:      {"--allow-unix", "[network] unix"},
	GrantEnv:       {"--env", "[env] pass"},
	GrantFD:        {"--fd", ""},
	GrantWeaker:    {"--allow-weaker", "allow-weaker"},
}

// NewGrant returns the grant of a kind for a value.
func NewGrant(kind GrantKind, value string) Grant {
	form := grantForms[kind]
	g := Grant{Kind: kind, Value: value, Args: []string{form.flag, value}}
	if form.key != "" {
		g.Policy = &form.key
	}
	return g
}

// Flags gives the grant as it is typed at a prompt, quoted where needed.
func (g Grant) Flags() string {
	words := make([]string, len(g.Args))
	for i, a := range g.Args {
		words[i] = Quote(a)
	}
	return strings.Join(words, " ")
}
