// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// Explanation is the answer to "may this path be read or written?". Rule is
// the one that says so; its Path is empty where no rule covers the path. Grant
// is the narrowest one that widens the answer by a step, nil where there is
// none; Remedy says how to go on, or why nothing helps.
type Explanation struct {
	Target string      `json:"target"`
	Read   bool        `json:"read"`
	Write  bool        `json:"write"`
	Rule   RuleRef     `json:"rule"`
	Remedy string      `json:"remedy"`
	Grant  *diag.Grant `json:"grant"`
}

// RuleRef names a rule in an answer: "hide", "read" or "write", and from where.
type RuleRef struct {
	Path   string `json:"path"`
	Access string `json:"access"`
	Origin Origin `json:"origin"`
}

// Explain answers for one absolute path, whose symbolic links are resolved
// already.
func (r *Resolved) Explain(path string) Explanation {
	os := pathspec.OS(r.data.OS)
	access, rule := r.AccessTo(path)
	path = os.Clean(path)
	e := Explanation{
		Target: path, Read: access != Hidden, Write: access == Write,
		Rule: RuleRef{Path: rule.Path, Access: rule.Access.String(), Origin: rule.Origin},
	}
	grant := func(kind diag.GrantKind, value string) {
		g := diag.NewGrant(kind, value)
		e.Grant, e.Remedy = &g, "allow it with "+g.Flags()
	}
	switch {
	case access == Write && rule.Hold == HoldQuarantine:
		e.Remedy = "it can be written and is moved away, because it would be run outside later; keep it with --unprotect " + diag.Quote(path)
		g := diag.NewGrant(diag.GrantUnprotect, rule.Path)
		e.Grant = &g
	case access == Write:
	case access == Hidden && rule.Path == "":
		e.Remedy = "no file of this system has such a path"
	case r.isOwn(path):
		e.Remedy = "it belongs to caisson itself, and nothing makes it writable"
		if access == Hidden {
			e.Remedy = "it belongs to caisson itself, and nothing shows it"
		}
	case access == Hidden && r.final("files.show"):
		e.Remedy = "the system policy makes files.show final"
	case access == Hidden:
		grant(diag.GrantShow, path)
	case rule.Unprotect && r.final("files.unprotect"):
		e.Remedy = "the system policy makes files.unprotect final"
	case rule.Unprotect:
		grant(diag.GrantUnprotect, rule.Path)
	case r.final("files.write"):
		e.Remedy = "the system policy makes files.write final"
	default:
		dir, why := r.writableWith(path)
		if why != "" {
			e.Remedy = why
			break
		}
		grant(diag.GrantWrite, dir)
	}
	return e
}

// writableWith returns the narrowest directory that would have to be a writable
// root for path to be one, or why there is none.
func (r *Resolved) writableWith(path string) (dir, why string) {
	os := pathspec.OS(r.data.OS)
	dir = os.Dir(path)
	if slices.ContainsFunc(r.data.Workspace, func(w string) bool { return os.Key(w) == os.Key(path) }) {
		dir = path
	}
	switch {
	case os.Depth(dir) == 0:
		return "", "its directory is the root of the file system, which is never writable as a whole"
	case os != pathspec.Windows && slices.ContainsFunc(kernelDirs(), func(k string) bool { return os.Within(k, path) }):
		return "", "it belongs to the kernel"
	case os.Within(dir, r.data.Home):
		return "", "its directory is a home directory or holds one; name a path below it with --write, once it exists"
	case slices.ContainsFunc(r.data.Own, func(own string) bool { return os.Within(dir, own) }):
		return "", "its directory holds files of caisson itself; name a path below it with --write, once it exists"
	}
	return dir, ""
}

func (r *Resolved) isOwn(path string) bool {
	os := pathspec.OS(r.data.OS)
	return slices.ContainsFunc(r.data.Own, func(own string) bool { return os.Within(own, path) })
}

func (r *Resolved) final(setting string) bool { return slices.Contains(r.data.Final, setting) }
