// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// The rights of the entries that plans add.
const (
	// writable is read, write, execute and delete, without FILE_DELETE_CHILD:
	// a directory's delete-child would beat the deny of what is inside.
	writable = access.Mask(0x1301bf)
	// changes is all that changes a file or what is said about it.
	changes = access.WriteOwner | access.WriteDAC | access.Delete | access.WriteAttributes | access.DeleteChild |
		access.WriteEA | access.AppendData | access.WriteData
	// moves is what takes a directory away or makes it somebody's own.
	moves    = access.WriteOwner | access.WriteDAC | access.Delete | access.DeleteChild
	readable = access.Mask(0x1200a9)
	all      = access.Mask(0x1f01ff)

	inheritable = access.ObjectInherit | access.ContainerInherit
)

// edits collects the entries that a policy needs in access lists. All are
// explicit and stand at the roots of rules only: a list is passed on to what
// is below by the system.
type edits struct {
	name   string
	policy *policy.Resolved
	volume *access.Volume
	facts  Facts

	caps   int               // of windows/token
	scopes []scope           // what is writable, parents first
	seen   map[string]bool   // pinned directories
	denies []plan.WindowsACE // before any grant
	grants []plan.WindowsACE
	holds  []plan.WindowsHold

	quarantine, report []string
}

// scope is a writable path with the SID that may write there.
type scope struct {
	path string
	sid  access.SID
}

func newEdits(name string, f Facts, r *policy.Resolved) (*edits, error) {
	v, err := f.volume()
	if err != nil {
		return nil, err
	}
	return &edits{name: name, policy: r, volume: v, facts: f, seen: map[string]bool{}}, nil
}

func (e *edits) account() bool { return e.name == AccountName || e.name == LeanName }

// rules goes through the rules, parents before children. What a rule means
// depends on the rule that it lies in.
func (e *edits) rules() {
	if e.policy.Tmp() == "" {
		e.grant(e.facts.Temp, plan.WhyTemp, true, false)
	}
	for _, r := range e.policy.Rules() {
		above := e.above(r.Path)
		switch {
		case r.Hold == policy.HoldQuarantine:
			e.quarantine = append(e.quarantine, r.Path)
		case r.Hold == policy.HoldReport:
			e.report = append(e.report, r.Path)
		case r.Access == policy.Write && above != policy.Write:
			why := plan.WhyWrite
			if r.Root {
				why = plan.WhyRoot
			}
			e.grant(r.Path, why, r.Kind == policy.KindDir || r.Kind == policy.KindAbsent, r.Kind != policy.KindAbsent)
		case r.Access == policy.Read && above == policy.Write:
			e.protect(r)
		case r.Access == policy.Read && above == policy.Hidden && e.account() && r.Kind != policy.KindAbsent:
			e.grants = append(e.grants, edit(r.Path, access.Allow, flags(r), readable, account, plan.WhyShown, true))
		case r.Access == policy.Hidden && r.Kind != policy.KindAbsent:
			e.hide(r, above)
		}
	}
}

// above is the access that a path would have without a rule of its own.
func (e *edits) above(path string) policy.Access {
	up := pathspec.Windows.Dir(path)
	if up == path {
		return policy.Read
	}
	a, _ := e.policy.AccessTo(up)
	return a
}

// subjects are the SIDs that may write where path lies.
func (e *edits) subjects(path string) []access.SID {
	if e.account() {
		return []access.SID{account}
	}
	var list []access.SID
	for _, s := range e.scopes {
		if pathspec.Windows.Within(s.path, path) {
			list = append(list, s.sid)
		}
	}
	return list
}

// grant makes a path writable. The path itself cannot be moved away, and its
// list cannot be changed, by who may write inside.
func (e *edits) grant(path, why string, dir, exists bool) {
	sid := account
	if !e.account() {
		sid = capability(e.caps)
		e.caps++
	}
	e.scopes = append(e.scopes, scope{path, sid})
	f := access.Flags(0)
	if dir {
		f = inheritable
	}
	e.pin(path, sid, plan.WhyAncestor, exists)
	e.grants = append(e.grants, edit(path, access.Allow, f, writable, sid, why, exists))
	if dir && e.account() && !e.userKeeps(path) {
		e.grants = append(e.grants, edit(path, access.Allow, f, all, user, plan.WhyUser, exists))
	}
}

// userKeeps reports whether the user has full control of what the sandbox's
// account makes below a path, by what is inherited there.
func (e *edits) userKeeps(path string) bool {
	d, ok := e.volume.Descriptor(path)
	if !ok {
		return false
	}
	child := access.NewChild(d, false, account, d.Group, nil, access.Files())
	return access.Allowed(child, access.Token{User: user, Integrity: access.Medium}, all, access.Files())
}

// protect keeps what is inside something writable as it is.
func (e *edits) protect(r policy.Rule) {
	if r.Hold == policy.HoldNone && r.Kind == policy.KindAbsent {
		return
	}
	for i, sid := range e.subjects(r.Path) {
		if r.Hold == policy.HoldNone {
			e.denies = append(e.denies, edit(r.Path, access.Deny, flags(r), changes, sid, plan.WhyProtected, true))
		} else {
			e.hold(r, sid, i == 0)
		}
		e.chain(r.Path, sid)
	}
}

// hold takes the place of an absent name. A dangling link, which needs a
// privilege here, is held by an empty directory: git looks for a repository
// further up where it finds one.
func (e *edits) hold(r policy.Rule, sid access.SID, first bool) {
	kind, f := "dir", inheritable
	if r.Hold == policy.HoldFile {
		kind, f = "file", 0
	}
	deny := edit(r.Path, access.Deny, f, changes, sid, plan.WhyProtected, false)
	if !first { // further SIDs: the placeholder has its entry already
		deny.FileID = ""
		e.denies = append(e.denies, deny)
		return
	}
	h := plan.WindowsHold{Path: r.Path, Kind: kind, ACE: deny.ACE}
	if kind == "file" {
		h.Content = r.Content
	}
	e.holds = append(e.holds, h)
}

// chain keeps the directories between a path and the writable root from being
// moved away, and the path from being deleted by right of its directory.
func (e *edits) chain(path string, sid access.SID) {
	why := plan.WhyParent
	for dir := pathspec.Windows.Dir(path); ; dir = pathspec.Windows.Dir(dir) {
		if slices.ContainsFunc(e.scopes, func(s scope) bool { return s.sid == sid && strings.EqualFold(s.path, dir) }) ||
			dir == pathspec.Windows.Dir(dir) {
			return
		}
		e.pin(dir, sid, why, true)
		why = plan.WhyAncestor
	}
}

func (e *edits) pin(dir string, sid access.SID, why string, exists bool) {
	if key := strings.ToLower(dir) + "|" + string(sid); !e.seen[key] {
		e.seen[key] = true
		e.denies = append(e.denies, edit(dir, access.Deny, 0, moves, sid, why, exists))
	}
}

// hide keeps a path from being read. Nothing is done where the account cannot
// read anyway: lists that programs check, as ssh does those of keys, stay as
// they are. The write-restricted token of the user reads what the user reads;
// there nothing can be hidden, and writing is refused by the second pass.
func (e *edits) hide(r policy.Rule, above policy.Access) {
	if !e.account() {
		if above == policy.Write {
			e.protect(r)
		}
		return
	}
	t := childToken(e.name, e.facts)
	if above == policy.Hidden || above == policy.Read && !e.shown(r.Path) && !e.volume.May(t, access.ActRead, r.Path) {
		return
	}
	e.denies = append(e.denies, edit(r.Path, access.Deny, flags(r), all, account, plan.WhyHidden, true))
	if above == policy.Write {
		e.chain(r.Path, account)
	}
}

// shown reports whether a path lies in one that is shown inside something hidden.
func (e *edits) shown(path string) bool {
	return slices.ContainsFunc(e.grants, func(g plan.WindowsACE) bool {
		return g.Why == plan.WhyShown && pathspec.Windows.Within(g.Path, path)
	})
}

func flags(r policy.Rule) access.Flags {
	if r.Kind == policy.KindDir {
		return inheritable
	}
	return 0
}

func edit(path string, kind access.Kind, f access.Flags, mask access.Mask, sid access.SID, why string, exists bool) plan.WindowsACE {
	id := ""
	if exists {
		id = "@probe"
	}
	return plan.WindowsACE{Path: path, FileID: id, ACE: access.ACE{Kind: kind, Flags: f, Mask: mask, SID: sid}.String(), Why: why, Exists: exists}
}

// list is what is done, denies before grants: at no moment can something be
// written that is to be protected.
func (e *edits) list() []plan.WindowsACE { return slices.Concat(e.denies, e.grants) }

// undo is the way back, in the opposite order.
func (e *edits) undo() []plan.WindowsUndo {
	undo := []plan.WindowsUndo{}
	for _, a := range slices.Backward(e.list()) {
		undo = append(undo, plan.WindowsUndo{Path: a.Path, ACE: a.ACE})
	}
	for _, h := range slices.Backward(e.holds) {
		undo = append(undo, plan.WindowsUndo{Path: h.Path, Remove: h.Kind})
	}
	return undo
}
