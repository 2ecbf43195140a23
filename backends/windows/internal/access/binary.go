// SPDX-License-Identifier: Apache-2.0

package access

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// ErrList says that an access list in its binary form is malformed.
var ErrList = errors.New("the access list is malformed")

// The types of ACEs in their binary form, as in ACE_HEADER.
const (
	typeAllow = 0
	typeDeny  = 1
)

// rawACE is an entry that is carried as it is: types that the model does not
// know pass through an edit unchanged.
type rawACE []byte

func (r rawACE) kind() byte   { return r[0] }
func (r rawACE) flags() Flags { return Flags(r[1]) }

// denies reports whether an entry is one of those that deny: plain, object,
// callback and callback object ones.
func (r rawACE) denies() bool { return slices.Contains([]byte{1, 6, 10, 12}, r.kind()) }

// Bytes gives an entry of the kinds Allow and Deny in its binary form.
func (a ACE) Bytes() ([]byte, error) {
	if a.Kind != Allow && a.Kind != Deny {
		return nil, fmt.Errorf("%s: no entry of an access list", a)
	}
	sid, err := a.SID.Bytes()
	if err != nil {
		return nil, err
	}
	b := []byte{byte(a.Kind), byte(a.Flags)}
	b = binary.LittleEndian.AppendUint16(b, uint16(8+len(sid)))
	b = binary.LittleEndian.AppendUint32(b, uint32(a.Mask))
	return append(b, sid...), nil
}

// splitACL takes a binary list apart, see ACL in winnt.h: revision, a zero, the
// size, the count of entries, a zero, the entries. Unused bytes may follow.
func splitACL(raw []byte) (revision byte, list []rawACE, err error) {
	if len(raw) < 8 || raw[0] != 2 && raw[0] != 4 {
		return 0, nil, ErrList
	}
	size, count := int(binary.LittleEndian.Uint16(raw[2:])), int(binary.LittleEndian.Uint16(raw[4:]))
	if size < 8 || size > len(raw) {
		return 0, nil, ErrList
	}
	rest := raw[8:size]
	for range count {
		if len(rest) < 8 {
			return 0, nil, ErrList
		}
		n := int(binary.LittleEndian.Uint16(rest[2:]))
		if n < 8 || n > len(rest) {
			return 0, nil, ErrList
		}
		list, rest = append(list, rawACE(rest[:n])), rest[n:]
	}
	return raw[0], list, nil
}

func joinACL(revision byte, list []rawACE) ([]byte, error) {
	size := 8
	for _, r := range list {
		size += len(r)
	}
	if size > 0xffff {
		return nil, fmt.Errorf("%w: it would have %d bytes", ErrList, size)
	}
	raw := []byte{revision, 0}
	raw = binary.LittleEndian.AppendUint16(raw, uint16(size))
	raw = binary.LittleEndian.AppendUint16(raw, uint16(len(list)))
	raw = append(raw, 0, 0)
	for _, r := range list {
		raw = append(raw, r...)
	}
	return raw, nil
}

// HasRaw reports whether a binary list has an explicit entry that equals a.
func HasRaw(raw []byte, a ACE) (bool, error) {
	_, list, err := splitACL(raw)
	if err != nil {
		return false, err
	}
	want, err := a.Bytes()
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list, func(r rawACE) bool { return slices.Equal(r, want) }), nil
}

// InsertRaw is Insert for a list in its binary form. Every other entry keeps
// its bytes.
func InsertRaw(raw []byte, a ACE) (changed []byte, err error) {
	revision, list, err := splitACL(raw)
	if err != nil {
		return nil, err
	}
	entry, err := a.Bytes()
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(list, func(r rawACE) bool { return slices.Equal(r, entry) }) {
		return raw, nil
	}
	at := slices.IndexFunc(list, func(r rawACE) bool { return r.flags()&Inherited != 0 || a.Kind == Deny && !r.denies() })
	if at < 0 {
		at = len(list)
	}
	return joinACL(revision, slices.Insert(list, at, rawACE(entry)))
}

// RemoveRaw is Remove for a list in its binary form.
func RemoveRaw(raw []byte, a ACE) (changed []byte, err error) {
	revision, list, err := splitACL(raw)
	if err != nil {
		return nil, err
	}
	entry, err := a.Bytes()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(list, func(r rawACE) bool { return slices.Equal(r, entry) })
	if at < 0 {
		return raw, nil
	}
	return joinACL(revision, slices.Delete(list, at, at+1))
}

// FromRaw reads a binary list into the model. Types that it does not know are
// an error: what they allow cannot be predicted.
func FromRaw(raw []byte) ([]ACE, error) {
	_, list, err := splitACL(raw)
	if err != nil {
		return nil, err
	}
	aces := []ACE{}
	for _, r := range list {
		if r.kind() != typeAllow && r.kind() != typeDeny {
			return nil, fmt.Errorf("%w: an entry of type %d is not known", ErrList, r.kind())
		}
		sid, err := sidFrom(r[8:])
		if err != nil {
			return nil, err
		}
		aces = append(aces, ACE{Kind(r.kind()), r.flags(), Mask(binary.LittleEndian.Uint32(r[4:])), sid})
	}
	return aces, nil
}

// MostFromRaw reads a binary list so that nobody seems to have less than they
// have: entries that allow under a condition allow, those that deny under one
// are left out. Other unknown types are an error.
func MostFromRaw(raw []byte) ([]ACE, error) {
	const allowIf, denyIf = 9, 10
	revision, list, err := splitACL(raw)
	if err != nil {
		return nil, err
	}
	var plain []rawACE
	for _, r := range list {
		switch r.kind() {
		case denyIf:
			continue
		case allowIf:
			r = slices.Clone(r)
			r[0] = typeAllow
		}
		plain = append(plain, r)
	}
	if raw, err = joinACL(revision, plain); err != nil {
		return nil, err
	}
	return FromRaw(raw)
}

// ToRaw writes a list of the kinds Allow and Deny in its binary form.
func ToRaw(aces []ACE) ([]byte, error) {
	var list []rawACE
	for _, a := range aces {
		b, err := a.Bytes()
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return joinACL(2, list)
}

// sidFrom reads a SID from its binary form.
func sidFrom(b []byte) (SID, error) {
	if len(b) < 8 || b[0] != 1 || b[1] > 15 || len(b) < 8+4*int(b[1]) {
		return "", fmt.Errorf("%w: a SID is malformed", ErrList)
	}
	authority := binary.BigEndian.Uint64(append([]byte{0, 0}, b[2:8]...))
	text := fmt.Sprintf("S-1-%d", authority)
	for i := range int(b[1]) {
		text += fmt.Sprintf("-%d", binary.LittleEndian.Uint32(b[8+4*i:]))
	}
	return SID(text), nil
}
