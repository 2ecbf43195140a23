// SPDX-License-Identifier: Apache-2.0

package winapi

import "fmt"

// BlockCondition is what a filter looks at beside the user. Field is "raw", or
// "proto", "raddr" or "rport", which Value says, in the host's order of bytes.
type BlockCondition struct {
	Field string
	Not   bool // all but Value
	Value uint32
}

// dataType is the one that the platform has the field of a connection by IPv4 in.
func (c BlockCondition) dataType() (uint32, bool) {
	kind, ok := map[string]uint32{"proto": FwpUint8, "rport": FwpUint16, "raddr": FwpUint32, "raw": FwpUint32}[c.Field]
	return kind, ok
}

// condition is the form that the platform takes.
func (c BlockCondition) condition() (Condition, error) {
	kind, ok := c.dataType()
	if !ok || c.Field == "raw" && (c.Not || c.Value != 0) {
		return Condition{}, fmt.Errorf("unknown condition %+v", c)
	}
	made := Condition{Field: ConditionKeys()[c.Field], Match: FwpMatchEqual, Value: Value{kind, uintptr(c.Value)}}
	switch {
	case c.Field == "raw":
		made.Match, made.Value.Value = FwpMatchFlagsAnySet, FwpRawEndpoint
	case c.Not:
		made.Match = FwpMatchNotEqual
	}
	return made, nil
}

// Read is the way back: what a filter that was read looks at. Anything but what
// AddBlock makes is a BlockCondition without a field. user reports the condition
// for the user, whose list comes by itself.
func (c Condition) Read() (_ BlockCondition, user bool) {
	keys := ConditionKeys()
	if c.Field == keys["user"] && c.Match == FwpMatchEqual && c.Value.Type == FwpSecurityDescriptor {
		return BlockCondition{}, true
	}
	for _, name := range []string{"proto", "raddr", "rport", "raw"} {
		if c.Field != keys[name] {
			continue
		}
		b := BlockCondition{Field: name, Not: c.Match == FwpMatchNotEqual}
		if name != "raw" {
			b.Value = numberOf(c.Value)
		}
		again, err := b.condition()
		if err == nil && again.Match == c.Match && again.Value.Type == c.Value.Type && numberOf(again.Value) == numberOf(c.Value) {
			return b, false
		}
	}
	return BlockCondition{}, false
}

// numberOf gives the number of a value: the platform sets no more of the union
// than the type has.
func numberOf(v Value) uint32 {
	switch v.Type {
	case FwpUint8:
		return uint32(uint8(v.Value))
	case FwpUint16:
		return uint32(uint16(v.Value))
	}
	return uint32(v.Value)
}
