// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// resolvedFormat is the version of the JSON form of a Resolved.
const resolvedFormat = 1

// ownSet is the Origin.Set of the rules on caisson's own files.
const ownSet = "@caisson"

// resolver collects what a policy says of one host.
type resolver struct {
	*lookup
	policy Policy
	own    OwnDirs
	work   []string // the workspace directories
	roots  []root   // every writable root
	tmp    string
	claims []claim
	lifts  []lift
	notes  []diag.Diagnostic

	gitDirs   []string
	gitFile   map[string]gitLink      // what is behind a .git file
	configs   map[string][]gitSetting // the git configuration files read so far
	fsmonitor bool                    // some configuration turns core.fsmonitor on

	loosened []loosening // for checkLinks

	hiddenLinks []HiddenLink

	sockets []string // the granted ones
}

// root is one writable root.
type root struct {
	path string
	work bool // a workspace, or a repository of its own: absent names are held
}

// Resolve makes the policy absolute for a host: every path real, every rule
// with its origin, parents first. The order of entries in the policy does not
// matter, but that the first workspace is the first.
//
// The notes are findings that do not stand in the way. An error is a
// *diag.Diagnostic where the policy or the host is at fault.
func (p Policy) Resolve(h Host) (*Resolved, []diag.Diagnostic, error) {
	r := &resolver{lookup: newLookup(h), policy: p, gitFile: map[string]gitLink{}, configs: map[string][]gitSetting{}}
	for _, step := range []func() error{
		r.checkPolicy, r.findOwn, r.addWorkspaces, r.addWrites, r.addTmp,
		r.addControls, r.addPolicyFiles, r.addSecrets, r.addEntries, r.addSockets, r.addOwn,
	} {
		if err := step(); err != nil {
			return nil, nil, err
		}
	}
	data := resolvedData{
		Format:      resolvedFormat,
		OS:          string(r.os),
		Home:        r.realHome(),
		Workspace:   r.work,
		Rules:       merge(r.os, r.claims, r.lifts),
		Env:         p.Env,
		Tmp:         r.tmp,
		Limits:      p.Limits,
		AllowWeaker: slices.Clone(p.AllowWeaker),
		GitDirs:     r.gitDirs,
		HiddenLinks: r.hiddenLinks,
		Require:     requirements(p),
		Own:         r.ownPaths(),
		Final:       slices.Clone(p.Final),
	}
	if p.Caches.Mode != "off" {
		data.CacheDir = r.cacheDir()
	}
	data.Env.Inherit = cmpOr(p.Env.Inherit, "clean")
	data.Env.Pass = slices.Clone(p.Env.Pass)
	data.Env.Set = maps.Clone(p.Env.Set)
	data.Network = r.network()
	if err := r.checkLinks(); err != nil {
		return nil, nil, err
	}
	audit, err := r.auditFiles()
	if err != nil {
		return nil, nil, err
	}
	resolved := &Resolved{data: data, audit: audit}
	if err := r.checkRoots(resolved); err != nil {
		return nil, nil, err
	}
	return resolved, r.notes, nil
}

func cmpOr(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func (r *resolver) checkPolicy() error {
	if r.policy.Version != Version {
		return diag.New(diag.PolicyInvalid, fmt.Sprintf("the policy has version %d; this caisson reads version %d", r.policy.Version, Version), "")
	}
	return r.policy.check()
}

func (r *resolver) readOnly() bool { return r.policy.Extends == "read-only" }

// requirements returns what the policy needs, in contract order; ids that this
// version does not know come last, for the selector to refuse.
func requirements(p Policy) []guarantee.ID {
	var ids []guarantee.ID
	for _, i := range guarantee.All() {
		need := i.Standard
		switch i.ID {
		case guarantee.NetOffline:
			need = p.Network.Mode != Allowlist && p.Network.Mode != Online
		case guarantee.NetAllowlist:
			need = p.Network.Mode == Allowlist
		case guarantee.LimitTime:
			need = p.Limits.Time > 0
		case guarantee.LimitMemory:
			need = p.Limits.Memory > 0
		case guarantee.LimitProcesses:
			need = p.Limits.Processes > 0
		}
		if need || slices.Contains(p.Require, i.ID) {
			ids = append(ids, i.ID)
		}
	}
	for _, id := range p.Require {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// network returns the network part with the paths of its sockets made absolute.
func (r *resolver) network() Network {
	n := r.policy.Network
	n.Mode = NetworkMode(cmpOr(string(n.Mode), string(Offline)))
	n.Allow, n.Deny = slices.Clone(n.Allow), slices.Clone(n.Deny)
	n.Loopback, n.Publish = slices.Clone(n.Loopback), slices.Clone(n.Publish)
	n.Unix = r.sockets
	return n
}

// auditFiles returns the paths of audit files, made absolute.
func (r *resolver) auditFiles() ([]string, error) {
	var files []string
	for _, e := range r.policy.entries("audit") {
		paths, err := r.paths(r.accounted(e))
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			files = added(files, p)
		}
	}
	return files, nil
}

// accounted has "~" in an audit file of the system's policy mean the home that the
// user database names: $HOME would send the records to where nobody looks.
func (r *resolver) accounted(e entry) entry {
	if rest, ok := r.belowHome(e.Value); ok && e.Layer == LayerSystem && len(r.homes) > 0 {
		e.Value = r.homes[0] + rest
	}
	return e
}

// NamedPaths returns the paths that a setting names, made absolute as far as that
// can be told for a host where it may not be possible to resolve the rest of the
// policy. What is named relative to a workspace is left out.
func (p Policy) NamedPaths(h Host, setting string) []string {
	r := &resolver{lookup: newLookup(h), policy: p}
	var paths []string
	for _, e := range p.entries(setting) {
		if setting == "audit" {
			e = r.accounted(e)
		}
		if e.Dir == "" && r.relative(e.Value) {
			continue
		}
		if path, err := r.absolute(e.Value, e.Dir); err == nil {
			paths = added(paths, path)
		}
	}
	return paths
}

// cacheDir is where the caches of the first workspace are kept. The name is a
// hash, so that no workspace can be named to get another one's.
func (r *resolver) cacheDir() string {
	sum := sha256.Sum256([]byte(r.os.Key(r.work[0])))
	return r.os.Join(r.own.State, "caches", hex.EncodeToString(sum[:8]))
}

// paths returns the absolute paths that an entry means: one, or one for each
// workspace.
func (r *resolver) paths(e entry) ([]string, error) {
	bases := []string{e.Dir}
	if e.Dir == "" {
		bases = r.work
	}
	var paths []string
	for _, base := range bases {
		p, err := r.absolute(e.Value, base)
		if err != nil {
			return nil, refuseEntry(diag.PolicyInvalid, e, err.Error(), "")
		}
		if !r.relative(e.Value) {
			return []string{p}, nil
		}
		paths = append(paths, p)
	}
	return paths, nil
}

// refuseEntry returns a refusal that says where the entry was written.
func refuseEntry(code diag.Code, e entry, message, remedy string) *diag.Diagnostic {
	return diag.New(code, e.Origin.String()+": "+message, remedy)
}

// String gives the origin as people read it: "FILE:LINE", a flag, or
// "standard (@secrets)".
func (o Origin) String() string {
	s := o.File
	if strings.ContainsAny(s, " /\\") {
		s = diag.Quote(s)
	}
	if o.Line > 0 {
		s += ":" + strconv.Itoa(o.Line)
	}
	if o.Set != "" {
		s += " (" + o.Set + ")"
	}
	return s
}
