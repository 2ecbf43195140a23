// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// Kind is what was found at a path when the policy was resolved.
type Kind string

// The kinds of paths.
const (
	KindDir     Kind = "dir"
	KindFile    Kind = "file"
	KindSymlink Kind = "symlink" // the link itself is the path
	KindOther   Kind = "other"   // socket, device, fifo
	KindAbsent  Kind = "absent"
)

// Origin says where a rule came from. File is a path, a flag ("--write"), or
// "standard" for the built-in policy; Line and Column are 0 where they mean
// nothing. Set is the named set that the rule is a member of, if any.
type Origin struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Set    string `json:"set,omitempty"`
}

// Hold says how an absent path is kept from being created.
type Hold string

// The ways to treat an absent protected path.
const (
	HoldNone       Hold = ""           // the path exists: the rule is enforced on it
	HoldDir        Hold = "dir"        // held by an empty directory in its place
	HoldFile       Hold = "file"       // held by a file with Content in its place
	HoldLink       Hold = "link"       // held by a dangling symbolic link to Content
	HoldQuarantine Hold = "quarantine" // not held: what appears is moved away
	HoldReport     Hold = "report"     // not held: what appears is reported
)

// Rule is one resolved path rule. Path is absolute, free of symbolic links in
// all but its last component and without trailing slash. A Read rule inside a
// writable root protects; a Read rule inside a hidden path shows; a Write rule
// inside either makes writable again.
type Rule struct {
	Path    string `json:"path"`
	Access  Access `json:"access"`
	Kind    Kind   `json:"kind"`
	Hold    Hold   `json:"hold,omitempty"`
	Content string `json:"content,omitempty"` // of a HoldFile placeholder, target of a HoldLink
	Root    bool   `json:"root,omitempty"`    // a writable root: named by the user, not derived
	// Unprotect is true where --unprotect PATH would lift the rule; the
	// sandbox's own files can never be made writable.
	Unprotect bool   `json:"unprotect,omitempty"`
	Dev       uint64 `json:"dev,omitempty"` // of Path when resolved, 0 where absent
	Ino       uint64 `json:"ino,omitempty"`
	Origin    Origin `json:"origin"`
}

// Resolved is a policy made absolute for one host. Only Resolve and
// DecodeResolved make one. It is immutable and safe for concurrent use.
type Resolved struct {
	data  resolvedData
	audit []string // no part of what a backend plans for
}

// resolvedData is the canonical JSON form of a Resolved.
type resolvedData struct {
	Format      int            `json:"format"`
	OS          string         `json:"os"`
	Home        string         `json:"home"`
	Workspace   []string       `json:"workspace"`
	Rules       []Rule         `json:"rules"`
	Network     Network        `json:"network"`
	Env         Env            `json:"env"`
	CacheDir    string         `json:"cache_dir,omitempty"`
	Tmp         string         `json:"tmp,omitempty"`
	Limits      Limits         `json:"limits,omitzero"`
	Require     []guarantee.ID `json:"require"`
	AllowWeaker []guarantee.ID `json:"allow_weaker,omitempty"`
	GitDirs     []string       `json:"git_dirs,omitempty"`
	HiddenLinks []HiddenLink   `json:"hidden_links,omitempty"`
	Own         []string       `json:"own"`             // caisson's own files, none writable
	Final       []string       `json:"final,omitempty"` // settings that the system policy pins
}

// OS is the operating system that the policy was resolved for, as in GOOS.
func (r *Resolved) OS() string { return r.data.OS }

// Workspace returns the workspace directories, the first one first.
func (r *Resolved) Workspace() []string { return r.data.Workspace }

// Rules returns every path rule, parents before children. What no rule covers
// may be read. Callers must not change the slice.
func (r *Resolved) Rules() []Rule { return r.data.Rules }

// Network returns the network part; Mode is never empty.
func (r *Resolved) Network() Network { return r.data.Network }

// Env returns the rules for the environment; Inherit is never empty.
func (r *Resolved) Env() Env { return r.data.Env }

// CacheDir is the private store for the caches of build tools, a directory in
// caisson's state that belongs to this workspace; empty where caches are off.
// It is one of the writable rules; the launcher makes it where it is missing.
func (r *Resolved) CacheDir() string { return r.data.CacheDir }

// Tmp is the caller's own temporary directory, or empty for a private one.
func (r *Resolved) Tmp() string { return r.data.Tmp }

// Limits returns the limits; zero fields are not limited.
func (r *Resolved) Limits() Limits { return r.data.Limits }

// Require returns all guarantees that the policy needs, the standard contract
// included, less nothing: AllowWeaker is applied by the selector.
func (r *Resolved) Require() []guarantee.ID { return r.data.Require }

// AllowWeaker returns the guarantees whose loss was accepted by name.
func (r *Resolved) AllowWeaker() []guarantee.ID { return r.data.AllowWeaker }

// GitDirs returns the git directories that belong to the writable roots, for
// the report at the end of a run.
func (r *Resolved) GitDirs() []string { return r.data.GitDirs }

// HiddenLink is a hidden path that leads through a symbolic link: Path is what
// it leads to, which is hidden unless a later rule shows it.
type HiddenLink struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// HiddenLinks returns the names whose links may be replaced during a run by
// something that is no less secret.
func (r *Resolved) HiddenLinks() []HiddenLink { return r.data.HiddenLinks }

// Home is the home directory that "~" means, or "/" where there is none.
func (r *Resolved) Home() string { return r.data.Home }

// Final reports whether the system policy pins a setting, such as
// "network.allow".
func (r *Resolved) Final(setting string) bool { return slices.Contains(r.data.Final, setting) }

// Audit returns the files that each command is noted in, absolute, with links not
// followed: whoever opens one looks where they lead. None are known of a policy
// that was decoded.
func (r *Resolved) Audit() []string { return r.audit }

// Own returns where caisson's own files are, present or not: its state first.
// No rule makes one writable but CacheDir.
func (r *Resolved) Own() []string { return r.data.Own }
