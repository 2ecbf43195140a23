// SPDX-License-Identifier: Apache-2.0

package access

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
)

// The SIDs that random lists and tokens are made of.
const (
	me    SID = "S-1-5-21-1-2-3-1000"
	other SID = "S-1-5-21-1-2-3-1001"
	team  SID = "S-1-5-21-1-2-3-2000"
)

// question is one access check.
type question struct {
	d       Descriptor
	t       Token
	desired Mask
}

// generator makes random questions. What an oracle does not know is left out.
type generator struct {
	random      *rand.Rand
	ownerRights bool
	maximum     bool
	privileges  bool
	generic     bool
	denyOnly    bool
	restricting bool
}

func (g generator) question() question {
	pick := func(list []SID) SID { return list[g.random.IntN(len(list))] }
	sids := []SID{me, other, team, Everyone, Users, AuthenticatedUsers, Administrators}
	trustees := sids
	if g.ownerRights {
		trustees = append(trustees, OwnerRights)
	}
	q := question{d: Descriptor{Owner: pick(sids), Group: team, DACL: []ACE{}}}
	for range g.random.IntN(7) {
		a := ACE{Kind: Kind(g.random.IntN(2)), Mask: g.mask(), SID: pick(trustees)}
		if g.random.IntN(6) == 0 {
			a.Flags = InheritOnly | ContainerInherit
		}
		q.d.DACL = append(q.d.DACL, a)
	}
	if g.random.IntN(40) == 0 {
		q.d.DACL = nil
	}
	q.t = Token{User: me, Integrity: Medium}
	for _, s := range sids[2:] {
		if g.random.IntN(2) == 0 {
			q.t.Groups = append(q.t.Groups, Group{SID: s, Enabled: true, DenyOnly: g.denyOnly && g.random.IntN(3) == 0})
		}
	}
	if g.privileges && g.random.IntN(3) == 0 {
		q.t.Privileges = append(q.t.Privileges, TakeOwnership)
	}
	if g.privileges && g.random.IntN(3) == 0 {
		q.t.Privileges = append(q.t.Privileges, Security)
	}
	if g.restricting && g.random.IntN(2) == 0 {
		q.t.Restricting = []SID{}
		for range g.random.IntN(3) {
			q.t.Restricting = append(q.t.Restricting, pick(sids))
		}
		q.t.WriteRestricted = g.random.IntN(2) == 0
	}
	q.desired = g.mask()
	if g.privileges && g.random.IntN(8) == 0 {
		q.desired |= SystemSecurity
	}
	if g.maximum && g.random.IntN(3) == 0 {
		q.desired = MaximumAllowed
		if g.random.IntN(3) == 0 {
			q.desired |= g.mask()
		}
	}
	return q
}

func (g generator) mask() Mask {
	bits := []Mask{1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100, Delete, ReadControl, WriteDAC, WriteOwner, Synchronize}
	if g.generic {
		bits = append(bits, GenericRead, GenericWrite, GenericExecute, GenericAll)
	}
	var m Mask
	for range 1 + g.random.IntN(4) {
		m |= bits[g.random.IntN(len(bits))]
	}
	return m
}

// line writes the question as the oracles read it.
func (q question) line() string {
	sids := []string{string(q.t.User)}
	for _, g := range q.t.Groups {
		sids = append(sids, string(g.SID))
	}
	privileges := 0
	if q.t.Has(TakeOwnership) {
		privileges |= 1
	}
	if q.t.Has(Security) {
		privileges |= 2
	}
	return fmt.Sprintf("%s\t%s\t%d\t0x%x\n", q.d, strings.Join(sids, ","), privileges, uint32(q.desired))
}

// answer gives the model's answer in the words of the oracles.
func (q question) answer() string {
	granted, err := Check(q.d, q.t, q.desired, Files())
	switch {
	case errors.Is(err, ErrPrivilege):
		return "privilege"
	case err != nil:
		return "denied"
	}
	return fmt.Sprintf("0x%x", uint32(granted))
}

// label gives a mandatory label, or mostly none.
func (g generator) label() *ACE {
	if g.random.IntN(4) > 0 {
		return nil
	}
	levels := []SID{"S-1-16-4096", "S-1-16-8192", "S-1-16-12288", "S-1-16-16384"}
	return &ACE{Kind: Label, Mask: Mask(1 + g.random.IntN(7)), SID: levels[g.random.IntN(len(levels))]}
}
