// SPDX-License-Identifier: Apache-2.0

// Package policy says what a sandbox may do, and resolves it for one host.
//
// A Policy is intent: what people write in TOML and programs in JSON. It comes
// in layers (built-in standard, system file, user file, project files, flags).
// Resolve turns the merged policy into a Resolved: absolute real paths, every
// rule with its origin, sorted parents first. Backends see only a Resolved;
// Resolved.AccessTo is the oracle that enforcement is judged by.
package policy

import (
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// Version is the policy format that this package reads.
const Version = 1

// Policy is one merged policy, or one layer of it. The zero value is no
// policy; Standard returns the usual one. A Policy is a value: methods return
// changed copies, and it may be used from many goroutines.
type Policy struct {
	Version     int            `json:"version"`
	Extends     string         `json:"extends,omitempty"` // "standard" (default) or "read-only"
	Workspace   []string       `json:"workspace,omitempty"`
	Require     []guarantee.ID `json:"require,omitempty"`
	AllowWeaker []guarantee.ID `json:"allow-weaker,omitempty"`
	Files       Files          `json:"files,omitzero"`
	Network     Network        `json:"network,omitzero"`
	Env         Env            `json:"env,omitzero"`
	Caches      Caches         `json:"caches,omitzero"`
	Limits      Limits         `json:"limits,omitzero"`
	Audit       []string       `json:"audit,omitempty"` // files that each command is noted in
	Final       []string       `json:"final,omitempty"` // system layer only

	// Tmp is the directory of --tmp: the sandbox's temporary directory, kept
	// afterwards. Empty: a private one that goes with the sandbox.
	Tmp string `json:"-"`
	// WorkspaceAnyway lets the workspace be / or a home directory.
	WorkspaceAnyway bool `json:"-"`

	layers []layer  // where each setting came from, lowest precedence first
	read   []string // the files of --policy and of projects that were read, absolute
}

// Files are the path rules beyond the workspace. Entries are paths or names of
// sets such as "@secrets".
type Files struct {
	Write     []string `json:"write,omitempty"`
	Protect   []string `json:"protect,omitempty"`
	Hide      []string `json:"hide,omitempty"`
	Show      []string `json:"show,omitempty"`
	Unprotect []string `json:"unprotect,omitempty"`
}

// NetworkMode is how much network there is.
type NetworkMode string

// The network modes. The zero value means Offline.
const (
	Offline   NetworkMode = "offline"
	Allowlist NetworkMode = "allowlist"
	Online    NetworkMode = "online"
)

// Network is the network part of a policy.
type Network struct {
	Mode     NetworkMode `json:"mode,omitempty"`
	Allow    []string    `json:"allow,omitempty"`
	Deny     []string    `json:"deny,omitempty"`
	Loopback []int       `json:"loopback,omitempty"`
	Publish  []int       `json:"publish,omitempty"`
	Unix     []string    `json:"unix,omitempty"`
}

// Env says which variables of the caller reach the command.
type Env struct {
	Inherit string            `json:"inherit,omitempty"` // "clean" (default) or "all"
	Pass    []string          `json:"pass,omitempty"`
	Set     map[string]string `json:"set,omitempty"`
}

// Caches says where the caches of build tools go.
type Caches struct {
	Mode string `json:"mode,omitempty"` // "private" (default) or "off"
}

// Limits bound the sandbox as a whole. Zero means no limit.
type Limits struct {
	Time      time.Duration `json:"time,omitempty"`      // written as "10m"
	Memory    int64         `json:"memory,omitempty"`    // bytes, written as "4GiB"
	Processes int           `json:"processes,omitempty"` // tasks at once
}

// Access is what may be done with a path. The order is meaningful: less is
// stricter.
type Access uint8

// The accesses, strictest first.
const (
	Hidden Access = iota
	Read
	Write
)

// String returns "hide", "read" or "write", the words of the policy file.
func (a Access) String() string {
	switch a {
	case Hidden:
		return "hide"
	case Read:
		return "read"
	case Write:
		return "write"
	}
	return "invalid"
}

// Standard returns the standard policy for one workspace directory, without
// any file: offline, clean environment, private caches. A relative workspace
// is taken from the current directory when the policy is resolved.
func Standard(workspace string) Policy {
	return Policy{Version: Version, Extends: "standard", Workspace: []string{workspace}}
}

// With returns the policy widened by one grant.
func (p Policy) With(g diag.Grant) Policy { return p.withGrant(g) }
