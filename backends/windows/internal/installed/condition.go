// SPDX-License-Identifier: Apache-2.0

package installed

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Condition is what a filter of the network looks at beside the user. The zero
// value is none.
type Condition struct {
	// Field is "raw" (the socket is a raw one; Not and Value are not used),
	// "proto" (the protocol of IP), "raddr" (the address of the far end, IPv4,
	// most significant byte first) or "rport" (its port).
	Field string
	// Not says that the filter is for all but Value.
	Not   bool
	Value uint32
}

// ParseCondition reads a condition as a bound plan has it: "raw", "proto=1",
// "proto!=6", "raddr!=127.0.0.1", "rport!=31337". Only what [Condition.String]
// writes is read: a symbol that is not bound is none.
func ParseCondition(text string) (Condition, error) {
	c := Condition{Field: text}
	if name, value, ok := strings.Cut(text, "="); ok {
		c.Field, c.Not = strings.CutSuffix(name, "!")
		switch c.Field {
		case "proto", "rport":
			bits := 8
			if c.Field == "rport" {
				bits = 16
			}
			n, err := strconv.ParseUint(value, 10, bits)
			if err != nil {
				return Condition{}, fmt.Errorf("condition %q: %w", text, err)
			}
			c.Value = uint32(n)
		case "raddr":
			a, err := netip.ParseAddr(value)
			if err != nil || !a.Is4() {
				return Condition{}, fmt.Errorf("condition %q names no address of IPv4", text)
			}
			b := a.As4()
			c.Value = uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		}
	}
	if text == "" || c.String() != text {
		return Condition{}, fmt.Errorf("unknown condition %q", text)
	}
	return c, nil
}

// String writes the condition as plans do; "" is no condition.
func (c Condition) String() string {
	is := "="
	if c.Not {
		is = "!="
	}
	switch c.Field {
	case "raw":
		return c.Field
	case "proto", "rport":
		return c.Field + is + strconv.FormatUint(uint64(c.Value), 10)
	case "raddr":
		return c.Field + is + netip.AddrFrom4([4]byte{byte(c.Value >> 24), byte(c.Value >> 16), byte(c.Value >> 8), byte(c.Value)}).String()
	}
	return ""
}
