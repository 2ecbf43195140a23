// SPDX-License-Identifier: Apache-2.0

package access

import (
	"errors"
	"slices"
)

// The reasons for which a check fails.
var (
	ErrDenied       = errors.New("access is denied")
	ErrPrivilege    = errors.New("a required privilege is not held")
	ErrNoOwner      = errors.New("the security descriptor has no owner or group")
	ErrLabelInvalid = errors.New("the mandatory label is no integrity level")
)

// Check decides whether the token may have the desired rights, and returns
// what it is granted. Generic rights are mapped; with MaximumAllowed all that
// can be had is granted, and explicit rights beside it must be among it.
func Check(d Descriptor, t Token, desired Mask, m Mapping) (Mask, error) {
	if d.Owner == "" || d.Group == "" {
		return 0, ErrNoOwner
	}
	desired = m.Map(desired)
	most := desired&MaximumAllowed != 0
	desired &^= MaximumAllowed

	blocked, err := blockedByLabel(d, t, m)
	if err != nil {
		return 0, err
	}
	if desired&blocked != 0 {
		return 0, ErrDenied
	}
	var given Mask // by privilege; survives the second pass
	if desired&SystemSecurity != 0 {
		if !t.Has(Security) {
			return 0, ErrPrivilege
		}
		given |= SystemSecurity
	}
	if d.DACL == nil {
		if most {
			return (m.All|given|desired)&^blocked | desired, nil
		}
		return desired, nil
	}
	if (desired&WriteOwner != 0 || most) && t.Has(TakeOwnership) {
		given |= WriteOwner
	}
	given &^= blocked
	if most {
		return maximum(d, t, desired, given, blocked, m)
	}
	rest := desired &^ given
	if !allows(d, t.holds, rest, m) {
		return 0, ErrDenied
	}
	if t.Restricting != nil {
		if second := rest & t.secondMask(m); second != 0 && !allows(d, t.restricts, second, m) {
			return 0, ErrDenied
		}
	}
	return desired, nil
}

// Allowed reports whether Check grants the rights.
func Allowed(d Descriptor, t Token, desired Mask, m Mapping) bool {
	_, err := Check(d, t, desired, m)
	return err == nil
}

// secondMask is what the second pass of a restricted token looks at.
func (t Token) secondMask(m Mapping) Mask {
	if t.WriteRestricted {
		return m.WriteMask()
	}
	return m.All | 0x1FFFFF
}

// who reports whether an ACE for a SID speaks of a token; an ACE that denies
// also speaks of groups that are there only to deny.
type who func(sid SID, denies bool) bool

// holds is the first pass: user and groups.
func (t Token) holds(sid SID, denies bool) bool {
	if sid == t.User {
		return denies || !t.UserDenyOnly
	}
	return slices.ContainsFunc(t.Groups, func(g Group) bool {
		return g.SID == sid && (denies && g.DenyOnly || g.Enabled && !g.DenyOnly)
	})
}

// restricts is the second pass: the restricting SIDs, whatever their attributes.
func (t Token) restricts(sid SID, _ bool) bool { return slices.Contains(t.Restricting, sid) }

// allows goes through the list in its order until every right is allowed or
// one is denied. The owner may read and change the list, unless an ACE for
// OWNER RIGHTS says what the owner may.
func allows(d Descriptor, in who, rest Mask, m Mapping) bool {
	owner := in(d.Owner, false)
	if owner && !speaksOfOwner(d.DACL) {
		rest &^= ReadControl | WriteDAC
	}
	for _, a := range d.DACL {
		if rest == 0 {
			return true
		}
		if a.Flags&InheritOnly != 0 || !speaks(a, d, in) {
			continue
		}
		switch mask := m.Map(a.Mask); a.Kind {
		case Deny:
			if mask&rest != 0 {
				return false
			}
		case Allow:
			rest &^= mask
		}
	}
	return rest == 0
}

func speaks(a ACE, d Descriptor, in who) bool {
	if a.SID == OwnerRights {
		return in(d.Owner, a.Kind == Deny)
	}
	return in(a.SID, a.Kind == Deny)
}

func speaksOfOwner(dacl []ACE) bool {
	return slices.ContainsFunc(dacl, func(a ACE) bool { return a.SID == OwnerRights && a.Flags&InheritOnly == 0 })
}

// maximum finds all that can be had. Nothing ends the walk early: the first
// ACE that speaks of a right decides it.
func maximum(d Descriptor, t Token, desired, given, blocked Mask, m Mapping) (Mask, error) {
	granted := reach(d, t.holds, m)
	if t.Restricting != nil {
		granted &= reach(d, t.restricts, m) | ^t.secondMask(m)
	}
	granted = (granted | given) &^ blocked
	if desired&^granted != 0 || granted == 0 {
		return 0, ErrDenied
	}
	return granted, nil
}

// reach gives every right that one pass grants.
func reach(d Descriptor, in who, m Mapping) Mask {
	var granted, denied Mask
	if in(d.Owner, false) && !speaksOfOwner(d.DACL) {
		granted = ReadControl | WriteDAC
	}
	for _, a := range d.DACL {
		if a.Flags&InheritOnly != 0 || !speaks(a, d, in) {
			continue
		}
		switch mask := m.Map(a.Mask); a.Kind {
		case Deny:
			denied |= mask &^ granted
		case Allow:
			granted |= mask &^ denied
		}
	}
	return granted
}

// The policies of a mandatory label.
const (
	noWriteUp   Mask = 1
	noReadUp    Mask = 2
	noExecuteUp Mask = 4
)

// blockedByLabel gives the rights that the object's integrity keeps from the
// token. An object without label is medium and may not be written from below.
func blockedByLabel(d Descriptor, t Token, m Mapping) (Mask, error) {
	level, policy := Medium, noWriteUp
	if d.Label != nil {
		l, ok := integrityOf(d.Label.SID)
		if !ok {
			return 0, ErrLabelInvalid
		}
		level, policy = l, d.Label.Mask
	}
	if t.Integrity >= level {
		return 0, nil
	}
	// What every class shares (READ_CONTROL, SYNCHRONIZE) belongs to none:
	// rights are blocked that no class which is still open contains.
	allowed := Mask(0)
	if policy&noReadUp == 0 {
		allowed |= m.Read
	}
	if policy&noWriteUp == 0 {
		allowed |= m.Write
	}
	if policy&noExecuteUp == 0 {
		allowed |= m.Execute
	}
	if policy&(noReadUp|noWriteUp|noExecuteUp) == 0 {
		return 0, nil
	}
	blocked := (m.All | SystemSecurity) &^ allowed
	if policy&noWriteUp == 0 {
		blocked &^= Delete | WriteDAC | WriteOwner | DeleteChild
	}
	if t.Has(Relabel) {
		blocked &^= WriteOwner
	}
	return blocked, nil
}
