// SPDX-License-Identifier: Apache-2.0

package access

import "slices"

// InheritACEs gives the ACEs that a new or re-stamped child of a container
// takes from the container's list, in its order, see [MS-DTYP] 2.5.3.4.
// CREATOR OWNER and CREATOR GROUP become the child's owner and group; generic
// rights become what they mean. Where an ACE that changes so is also passed on
// further, it is split: one part for the child alone, one for its children.
func InheritACEs(parent []ACE, container bool, owner, group SID, m Mapping) []ACE {
	list := []ACE{}
	for _, a := range parent {
		if a.Flags&(ObjectInherit|ContainerInherit) == 0 {
			continue
		}
		passOn := a.Flags & (ObjectInherit | ContainerInherit)
		if !container || a.Flags&NoPropagate != 0 {
			passOn = 0
		}
		effective := a.Flags&ObjectInherit != 0
		if container {
			effective = a.Flags&ContainerInherit != 0
		}
		now := ACE{a.Kind, Inherited, m.Map(a.Mask), a.SID}
		switch a.SID {
		case CreatorOwner:
			now.SID = owner
		case CreatorGroup:
			now.SID = group
		}
		changed := now.SID != a.SID || now.Mask != a.Mask
		switch {
		case effective && passOn != 0 && !changed:
			now.Flags |= passOn
			list = append(list, now)
		case effective:
			list = append(list, now)
			if passOn != 0 {
				list = append(list, ACE{a.Kind, Inherited | InheritOnly | passOn, a.Mask, a.SID})
			}
		case passOn != 0:
			list = append(list, ACE{a.Kind, Inherited | InheritOnly | passOn, a.Mask, a.SID})
		}
	}
	return list
}

// NewChild gives the descriptor of an object that is made in a container
// without a descriptor of its own: what it inherits, or the token's default
// list where nothing can be inherited.
func NewChild(parent Descriptor, container bool, owner, group SID, defaults []ACE, m Mapping) Descriptor {
	d := Descriptor{Owner: owner, Group: group, DACL: InheritACEs(parent.DACL, container, owner, group, m)}
	if len(d.DACL) == 0 {
		d.DACL = slices.Clone(defaults)
	}
	return d
}

// Restamp gives the descriptor that a child has after the list of its
// container was changed by SetNamedSecurityInfo: its explicit ACEs, and anew
// what it inherits. A protected child stays as it is.
func Restamp(child, parent Descriptor, container bool, m Mapping) Descriptor {
	if child.Protected || child.DACL == nil {
		return child
	}
	list := slices.DeleteFunc(slices.Clone(child.DACL), func(a ACE) bool { return a.Flags&Inherited != 0 })
	child.DACL = append(list, InheritACEs(parent.DACL, container, child.Owner, child.Group, m)...)
	return child
}

// Insert adds an explicit ACE at its canonical place: explicit denies, explicit
// allows, then what is inherited. An equal ACE is not added twice; the result
// says whether the list changed. What stood there keeps its order.
func Insert(list []ACE, a ACE) ([]ACE, bool) {
	if slices.Contains(list, a) {
		return list, false
	}
	at := slices.IndexFunc(list, func(b ACE) bool {
		return b.Flags&Inherited != 0 || a.Kind == Deny && b.Kind == Allow
	})
	if at < 0 {
		at = len(list)
	}
	return slices.Insert(slices.Clone(list), at, a), true
}

// Remove takes out one explicit ACE that equals a.
func Remove(list []ACE, a ACE) ([]ACE, bool) {
	at := slices.Index(list, a)
	if at < 0 {
		return list, false
	}
	return slices.Delete(slices.Clone(list), at, at+1), true
}

// Canonical reports whether a list has the order that Windows tools write:
// explicit denies, explicit allows, then inherited ACEs.
func Canonical(list []ACE) bool {
	rank := func(a ACE) int {
		switch {
		case a.Flags&Inherited != 0:
			return 2
		case a.Kind == Deny:
			return 0
		}
		return 1
	}
	return slices.IsSortedFunc(list, func(a, b ACE) int { return rank(a) - rank(b) })
}
