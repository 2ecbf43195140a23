// SPDX-License-Identifier: Apache-2.0

package hostrule

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// Rule is one line of an allow or deny list: hosts, and a port or all.
type Rule struct {
	text   string
	any    bool         // "*"
	below  string       // of "*.NAME": ".NAME"
	name   string       // of a name
	prefix netip.Prefix // of an address or a range of them
	port   int          // 0: every port
}

// String gives the rule as it was written.
func (r Rule) String() string { return r.text }

// ParseRule reads a rule: HOST, *.NAME for all names below NAME but not NAME
// itself, ADDRESS, ADDRESS/BITS, or * for everything; each with :PORT where one
// port is meant. An IPv6 address or range with a port stands in brackets.
// Addresses are written in their usual form; a range has no bits beyond BITS.
func ParseRule(text string) (Rule, error) {
	r := Rule{text: text}
	host := text
	if addr, err := netip.ParsePrefix(text); err == nil && addr.Addr().Is6() {
		return r.withPrefix(addr)
	}
	if addr, err := netip.ParseAddr(text); err == nil && addr.Is6() {
		return r.withAddr(addr)
	}
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		port, err := parsePort(text[i+1:])
		if err != nil || strconv.Itoa(port) != text[i+1:] {
			return Rule{}, errors.New("has no valid port")
		}
		r.port, host = port, text[:i]
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if prefix, err := netip.ParsePrefix(inner); ok && err == nil && prefix.Addr().Is6() {
			return r.withPrefix(prefix)
		}
		addr, err := netip.ParseAddr(inner)
		if !ok || err != nil || !addr.Is6() {
			return Rule{}, errors.New("is no host")
		}
		return r.withAddr(addr)
	}
	if prefix, err := netip.ParsePrefix(host); err == nil && prefix.Addr().Is4() {
		return r.withPrefix(prefix)
	}
	return r.withName(host)
}

func (r Rule) withName(host string) (Rule, error) {
	if host == "*" {
		r.any = true
		return r, nil
	}
	inner, wild := strings.CutPrefix(host, "*.")
	h, err := ParseHost(inner)
	addr, isAddr := h.Addr()
	switch {
	case err != nil, wild && isAddr:
		return Rule{}, errors.New("is no host")
	case isAddr && addr.String() != host:
		return Rule{}, errors.New("is an unusual form of the address " + addr.String())
	case isAddr:
		return r.withAddr(addr)
	case wild:
		r.below = "." + h.name
	default:
		r.name = h.name
	}
	return r, nil
}

func (r Rule) withAddr(addr netip.Addr) (Rule, error) {
	if addr.Zone() != "" {
		return Rule{}, errors.New("has a zone")
	}
	addr = addr.Unmap()
	r.prefix = netip.PrefixFrom(addr, addr.BitLen())
	return r, nil
}

func (r Rule) withPrefix(prefix netip.Prefix) (Rule, error) {
	if prefix.Addr().Is4In6() {
		return Rule{}, errors.New("is a range of IPv4 written as IPv6")
	}
	if prefix != prefix.Masked() {
		return Rule{}, errors.New("has bits beyond its length; the range is " + prefix.Masked().String())
	}
	r.prefix = prefix
	return r, nil
}

// matchesHost reports whether the rule speaks of what a client asked for.
func (r Rule) matchesHost(h Host, port int) bool {
	if r.port != 0 && r.port != port {
		return false
	}
	switch addr, isAddr := h.Addr(); {
	case r.any:
		return true
	case isAddr:
		return r.prefix.IsValid() && r.prefix.Contains(addr)
	case r.below != "":
		return strings.HasSuffix(h.name, r.below)
	}
	return r.name != "" && r.name == h.name
}

// matchesAddr reports whether the rule names an address, or a range around it.
func (r Rule) matchesAddr(addr netip.Addr, port int) bool {
	return (r.port == 0 || r.port == port) && r.prefix.IsValid() && r.prefix.Contains(addr)
}

// opens reports whether the rule lists an address of a block as such: it lies
// in the block itself. A range around the block was not meant.
func (r Rule) opens(block netip.Prefix, addr netip.Addr, port int) bool {
	return r.matchesAddr(addr, port) && r.prefix.Bits() >= block.Bits()
}
