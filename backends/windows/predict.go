// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// breach is something that commands could do although the policy forbids it,
// as the model predicts.
type breach struct {
	id   guarantee.ID
	path string
	act  access.Act
	null bool // because there is no access list at all
}

// childToken is the token of commands as the model takes it, of a backend with
// usual restricting SIDs; see Bind for that of a plan.
func childToken(name string, f Facts) access.Token {
	w := &plan.Windows{Symbols: map[string]string{"@device": f.Device}, Token: token(name, f, 0)}
	if name != TokenName {
		w.Account = &plan.WindowsAccount{}
	}
	return Bind(w)
}

// Bind gives the token that a plan describes, as it is when the system has made
// it: the groups of an interactive logon, less what the plan takes away.
func Bind(w *plan.Windows) access.Token {
	t := access.Token{User: user, Integrity: access.Medium}
	groups := []access.SID{access.Everyone, access.Users, access.Interactive, "S-1-2-1", access.AuthenticatedUsers, access.ThisOrganization,
		"S-1-5-113", access.Local, "S-1-5-64-10", logon}
	if w.Account != nil {
		t.User = account
		groups = append(groups, group)
	} else {
		groups = append(groups, access.Administrators)
	}
	for _, g := range groups {
		denied := slices.Contains(w.Token.DenyOnly, string(g))
		t.Groups = append(t.Groups, access.Group{SID: g, Enabled: !denied, DenyOnly: denied})
	}
	for _, s := range w.Token.Restricting {
		if s == string(device) {
			s = w.Symbols[s]
		}
		t.Restricting = append(t.Restricting, access.SID(s))
	}
	t.WriteRestricted = slices.Contains(w.Token.Flags, "WRITE_RESTRICTED")
	for _, p := range w.Token.KeepPrivileges {
		t.Privileges = append(t.Privileges, access.Privilege(p))
	}
	return t
}

// Apply does to a volume what the plan does before the first command, and
// returns what is to be undone: the plan's undo, less the entries that stood
// there before.
func Apply(w *plan.Windows, v *access.Volume) ([]plan.WindowsUndo, error) {
	undo := slices.Clone(w.Undo)
	add := func(path, text string) error {
		a, err := access.ParseACE(text)
		if err != nil {
			return err
		}
		changed, err := v.Add(path, a)
		if !changed {
			undo = slices.DeleteFunc(undo, func(u plan.WindowsUndo) bool { return u.Path == path && u.ACE == text })
		}
		return err
	}
	for _, h := range w.Placeholders {
		if v.Exists(h.Path) {
			return nil, fmt.Errorf("%s is held and is there", h.Path)
		}
		if err := v.Make(h.Path, h.Kind == "dir", user, user); err != nil {
			return nil, err
		}
		if err := add(h.Path, h.ACE); err != nil {
			return nil, err
		}
	}
	for _, a := range w.ACL {
		if err := add(a.Path, a.ACE); err != nil {
			return nil, err
		}
	}
	return undo, nil
}

// Undo does to a volume what Apply says is to be undone.
func Undo(undo []plan.WindowsUndo, v *access.Volume) error {
	for _, u := range undo {
		if u.Remove != "" {
			v.Delete(u.Path)
			continue
		}
		a, err := access.ParseACE(u.ACE)
		if err != nil {
			return err
		}
		if _, err := v.Take(u.Path, a); err != nil {
			return err
		}
	}
	return nil
}

// populate adds what a policy names to a volume: the paths that exist, and the
// directories above them. They inherit their lists where the facts have none.
func populate(v *access.Volume, r *policy.Resolved, w *plan.Windows) error {
	var missing func(path string, dir bool) error
	missing = func(path string, dir bool) error {
		if v.Exists(path) {
			return nil
		}
		if up := pathspec.Windows.Dir(path); up != path && !v.Exists(up) {
			if err := missing(up, true); err != nil {
				return err
			}
		}
		return v.Make(path, dir, user, user)
	}
	for _, rule := range r.Rules() {
		made := rule.Access == policy.Write && rule.Kind == policy.KindAbsent && rule.Hold == policy.HoldNone
		if rule.Kind != policy.KindAbsent || made {
			if err := missing(rule.Path, rule.Kind == policy.KindDir || made); err != nil {
				return err
			}
		}
	}
	for _, h := range w.Placeholders {
		if err := missing(pathspec.Windows.Dir(h.Path), true); err != nil {
			return err
		}
	}
	if w.Temp != "" {
		return missing(w.Temp, true)
	}
	return nil
}

// predict asks the model what the commands could do that the policy forbids. A
// plan under which the workspace cannot be written is refused.
func predict(f Facts, r *policy.Resolved, w *plan.Windows) ([]breach, error) {
	v, err := f.volume()
	if err != nil {
		return nil, err
	}
	if err := populate(v, r, w); err != nil {
		return nil, diag.New(diag.PlanInvalid, "the facts of Windows name no list above a path: "+err.Error(), "")
	}
	if _, err := Apply(w, v); err != nil {
		return nil, diag.New(diag.PlanInvalid, "the plan cannot be applied: "+err.Error(), "")
	}
	t := Bind(w)
	var found []breach
	for _, path := range v.Paths() {
		a, rule := r.AccessTo(rooted(path))
		if w.Temp != "" && pathspec.Windows.Within(w.Temp, path) {
			a = policy.Write
		}
		if a == policy.Write {
			if rule.Root && strings.EqualFold(rule.Path, path) && !v.May(t, access.ActCreate, path) && !v.May(t, access.ActWrite, path) {
				return nil, diag.New(diag.RootUnwritable, diag.Quote(path)+" could not be written by commands: its access list denies it to them, or does not let the user in",
					"look at it with icacls")
			}
			continue
		}
		found = append(found, breachesAt(v, t, r, path, a, rule)...)
		// What lies in a directory may be deleted by a right on the directory.
		if inside := path + `\` + someName; v.IsDir(path) {
			a, rule := r.AccessTo(inside)
			found = append(found, breachesAt(v, t, r, inside, a, rule)...)
		}
	}
	return found, nil
}

// someName stands for whatever lies in a directory.
const someName = "some file"

// rooted gives the name of a drive as policies write it.
func rooted(path string) string {
	if strings.HasSuffix(path, ":") {
		return path + `\`
	}
	return path
}

// breachesAt finds what commands could do with one path that they may not
// write.
func breachesAt(v *access.Volume, t access.Token, r *policy.Resolved, path string, a policy.Access, rule policy.Rule) []breach {
	if a == policy.Write {
		return nil
	}
	d, _ := v.Descriptor(path)
	id := guarantee.WriteConfined
	if insideRoot(r, path) {
		id = guarantee.WriteProtected
	}
	var found []breach
	for _, act := range access.Writes() {
		if v.May(t, act, path) {
			found = append(found, breach{id, path, act, d.DACL == nil})
		}
	}
	if a == policy.Hidden && rule.Kind != policy.KindAbsent && v.May(t, access.ActRead, path) {
		found = append(found, breach{guarantee.ReadHidden, path, access.ActRead, d.DACL == nil})
	}
	return found
}

// insideRoot reports whether a path lies in something writable.
func insideRoot(r *policy.Resolved, path string) bool {
	return slices.ContainsFunc(r.Rules(), func(rule policy.Rule) bool {
		return rule.Access == policy.Write && rule.Root && pathspec.Windows.Within(rule.Path, path)
	})
}
