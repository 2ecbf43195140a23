// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"io/fs"
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
// already. The host, of the same system as the policy, tells what is there and
// whether its own permissions allow what the policy does.
func (r *Resolved) Explain(path string, h Host) Explanation {
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
		return e
	case r.isOwn(path):
		e.Remedy = "it belongs to caisson itself, and nothing makes it writable"
		if access == Hidden {
			e.Remedy = "it belongs to caisson itself, and nothing shows it"
		}
		return e
	case access == Hidden && r.Final("files.show"):
		e.Remedy = "the system policy makes files.show final"
	case access == Hidden:
		grant(diag.GrantShow, path)
	case rule.Unprotect && r.Final("files.unprotect"):
		e.Remedy = "the system policy makes files.unprotect final"
	case rule.Unprotect:
		grant(diag.GrantUnprotect, rule.Path)
	case r.Final("files.write"):
		e.Remedy = "the system policy makes files.write final"
	default:
		root, why := r.writableWith(path, h)
		if why != "" {
			e.Remedy = why
			break
		}
		grant(diag.GrantWrite, root)
	}
	e.permit(path, access, h)
	return e
}

// ExplainRemove answers as Explain does, of removing or renaming what is at a
// path. That changes its directory: what is granted by its own name alone can be
// written, and stays where it is.
func (r *Resolved) ExplainRemove(path string, h Host) Explanation {
	os := pathspec.OS(r.data.OS)
	e := r.Explain(path, h)
	dir := os.Dir(e.Target)
	if !r.OwnName(e.Target) && (e.Grant == nil || e.Grant.Kind != diag.GrantWrite || os.Key(e.Grant.Value) != os.Key(e.Target)) {
		return e
	}
	e.Write, e.Grant = false, nil
	why := r.noRoot(dir, h)
	switch {
	case r.Final("files.write"):
		e.Remedy = "the system policy makes files.write final"
	case why != "":
		e.Remedy = "a grant of its own name lets it be written, not removed or renamed, and " + why
	default:
		g := diag.NewGrant(diag.GrantWrite, dir)
		e.Grant, e.Remedy = &g, "allow it with "+g.Flags()
	}
	return e
}

// OwnName reports whether a path is writable and its directory is not: what is
// there can be changed, and neither removed nor renamed.
func (r *Resolved) OwnName(path string) bool {
	access, _ := r.AccessTo(path)
	above, _ := r.AccessTo(pathspec.OS(r.data.OS).Dir(path))
	return access == Write && above != Write
}

// permit takes back what the permissions of the file system refuse, and the
// grant that would not help against them.
func (e *Explanation) permit(path string, access Access, h Host) {
	what, where := "its own permissions do not let", path
	_, err := h.Lstat(path)
	if errors.Is(err, fs.ErrPermission) {
		e.Read, e.Write, e.Grant = false, false, nil
		e.Remedy = "the permissions on the way to it do not let " + sandboxUser + " reach it"
		return
	}
	if err != nil {
		what, where = "the permissions of its directory do not let", h.OS().Dir(path)
		if _, err := h.Lstat(where); err != nil || access != Write || h.CanWrite(where) {
			return // more than a name is missing, or it can be made
		}
	}
	deny := func(verb string) {
		e.Grant = nil
		e.Remedy = what + " " + sandboxUser + " " + verb + " it"
		if access == Hidden {
			e.Remedy = "it is hidden, and " + e.Remedy
		}
	}
	switch {
	case where == path && !h.CanRead(path):
		e.Read, e.Write = false, e.Write && h.CanWrite(path)
		deny("read")
	case e.Write && !h.CanWrite(where):
		e.Write = false
		deny("write")
	case e.Grant != nil && e.Grant.Kind == diag.GrantUnprotect && where == path && !h.CanWrite(path):
		deny("write")
	}
}

// writableWith returns the narrowest writable root that would make path
// writable and that a run accepts, or why there is none. That is its directory,
// since programs replace files by new ones; or itself, where the directory may
// not be a root.
func (r *Resolved) writableWith(path string, h Host) (root, why string) {
	os := pathspec.OS(r.data.OS)
	if os != pathspec.Windows && slices.ContainsFunc(kernelDirs(), func(k string) bool { return os.Within(k, path) }) {
		return "", "it belongs to the kernel"
	}
	dir := os.Dir(path)
	if slices.ContainsFunc(r.data.Workspace, func(w string) bool { return os.Key(w) == os.Key(path) }) {
		dir = path
	}
	info, err := h.Lstat(path)
	exists := err == nil && (info.Kind == KindDir || info.Kind == KindFile)
	why = r.noRoot(dir, h)
	_, missing := h.Lstat(dir)
	switch {
	case why == "":
		return dir, ""
	case exists && r.noRoot(path, h) == "":
		return path, ""
	case err == nil && !h.CanWrite(path):
		return "", "its own permissions do not let " + sandboxUser + " write it"
	case err == nil, missing == nil && !h.CanWrite(dir):
		return "", why
	case why == noDirectory:
		return "", why + ": make " + diag.Quote(dir) + " first, then name it with --write"
	}
	return "", why + ": make " + diag.Quote(path) + " first, then name it with --write"
}

// sandboxUser is a root caller without its privileges, any other caller as it is.
const sandboxUser = "the user that commands run as"

// noDirectory is what noRoot says of what does not exist.
const noDirectory = "its directory does not exist"

// noRoot says why a path cannot become a writable root, or nothing.
func (r *Resolved) noRoot(path string, h Host) string {
	os := pathspec.OS(r.data.OS)
	what := "its directory"
	switch {
	case os.Depth(path) == 0:
		return what + " is the root of the file system, which is never writable as a whole"
	case os.Within(path, r.data.Home):
		return what + " is a home directory or holds one"
	case slices.ContainsFunc(r.data.Own, func(own string) bool { return os.Within(path, own) }):
		return what + " holds files of caisson itself"
	}
	if _, err := h.Lstat(path); err != nil {
		return noDirectory
	}
	if !h.CanWrite(path) {
		return "the permissions of its directory do not let " + sandboxUser + " write there"
	}
	return ""
}

func (r *Resolved) isOwn(path string) bool {
	os := pathspec.OS(r.data.OS)
	return slices.ContainsFunc(r.data.Own, func(own string) bool { return os.Within(own, path) })
}
