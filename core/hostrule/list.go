// SPDX-License-Identifier: Apache-2.0

package hostrule

import "net/netip"

// List is what a policy allows and denies. Deny beats allow; the order never
// matters. The zero value allows nothing.
type List struct {
	Allow, Deny []Rule
}

// Answer is a decision. Rule is the one that decided, nil where none did;
// Reason says why not, and is empty where the answer is yes.
type Answer struct {
	Rule   *Rule
	Reason string
	// Listed says that only the address is in the way: a rule that names it
	// would help, one that names the host would not.
	Listed bool
}

// OK reports whether the answer is yes.
func (a Answer) OK() bool { return a.Reason == "" }

// Host decides on what a client asked for, before any name is resolved. A host
// that is an address is decided wholly.
func (l List) Host(h Host, port int) Answer {
	if a := l.Denies(h, port); !a.OK() {
		return a
	}
	reason := "no rule allows it"
	for i := range l.Allow {
		if !l.Allow[i].matchesHost(h, port) {
			continue
		}
		if h.name != "" && h.Metadata() && l.Allow[i].name != h.name {
			reason = "no rule names it, and it is " + aMetadataService
			continue
		}
		if addr, ok := h.Addr(); ok {
			if a := l.Addr(addr, port); !a.OK() {
				return a
			}
		}
		return Answer{Rule: &l.Allow[i]}
	}
	if addr, ok := h.Addr(); ok {
		if _, what := special(addr); what != "" {
			reason += ", and its address is " + what
		}
	}
	return Answer{Reason: reason}
}

// Denies says no to what a rule denies, and yes to all else.
func (l List) Denies(h Host, port int) Answer {
	for i := range l.Deny {
		if l.Deny[i].matchesHost(h, port) {
			return Answer{Rule: &l.Deny[i], Reason: "a rule denies it"}
		}
	}
	return Answer{}
}

// Addr decides on an address that a listed host has. Addresses that are not of
// the public network need a rule that names them, or a range among them.
func (l List) Addr(addr netip.Addr, port int) Answer {
	addr = addr.Unmap()
	inner, translated := embedded(addr)
	for i := range l.Deny {
		if l.Deny[i].matchesAddr(addr, port) || translated && l.Deny[i].matchesAddr(inner, port) {
			return Answer{Rule: &l.Deny[i], Reason: "a rule denies its address"}
		}
	}
	if addr.Zone() != "" {
		return Answer{Reason: "its address has a zone"}
	}
	block, what := special(addr)
	if what == "" {
		return Answer{}
	}
	if l.names(block, addr, port) {
		return Answer{}
	}
	return Answer{Reason: "its address is " + what, Listed: true}
}

// Own decides on an address that is one of the host's own: like a loopback, it
// must be named itself.
func (l List) Own(addr netip.Addr, port int) Answer {
	addr = addr.Unmap()
	if l.names(netip.PrefixFrom(addr, addr.BitLen()), addr, port) {
		return Answer{}
	}
	return Answer{Reason: "its address is the host's own", Listed: true}
}

func (l List) names(block netip.Prefix, addr netip.Addr, port int) bool {
	for i := range l.Allow {
		if l.Allow[i].opens(block, addr, port) {
			return true
		}
	}
	return false
}
