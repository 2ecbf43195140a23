// SPDX-License-Identifier: Apache-2.0

// Package hostrule is the rules of the mode allowlist: which hosts and ports
// may be reached. It brings names and addresses into one form, reads rules,
// and decides. It is pure: it resolves no name.
package hostrule

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Host is a name or an address in its one form. The zero value is none.
type Host struct {
	name string     // lower case, ASCII, without the last dot; empty for an address
	addr netip.Addr // without zone, never IPv4 mapped into IPv6; invalid for a name
}

// FromAddr returns the host that an address is, none where it is invalid.
func FromAddr(addr netip.Addr) Host { return Host{addr: addr.WithZone("").Unmap()} }

// Addr returns the address of a host that is one.
func (h Host) Addr() (netip.Addr, bool) { return h.addr, h.addr.IsValid() }

// String gives the one form: IPv6 addresses without brackets.
func (h Host) String() string {
	if h.addr.IsValid() {
		return h.addr.String()
	}
	return h.name
}

// Local reports whether a host is a loopback address, the unspecified one, which
// leads there, or a name that RFC 6761 reserves for it, 6.3, or that systems give
// it in their files of names.
func (h Host) Local() bool {
	switch h.name {
	case "":
		return h.addr.IsLoopback() || h.addr.IsUnspecified()
	case "localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback":
		return true
	}
	return strings.HasSuffix(h.name, ".localhost")
}

// maxName is the longest name of RFC 1035, without the last dot.
const maxName = 253

// ParseHost brings a host as a client wrote it into its one form. Names are
// lower case, without the dot of the root, and in ASCII by IDNA (UTS 46, not
// transitional). What a system's inet_aton(3) takes for an IPv4 address is one,
// as the URL standard of the WHATWG has it: 127.1, 0x7f.0.0.1, 2130706433. An
// IPv6 address may stand in brackets; IPv4 mapped into it is IPv4. An address
// with a zone, and whatever else no name can be, is an error.
func ParseHost(text string) (Host, error) {
	if len(text) > 4*maxName {
		return Host{}, errors.New("the host is too long")
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c <= ' ', c == 0x7f:
			return Host{}, errors.New("the host has a space or a control character")
		case c == '%':
			return Host{}, errors.New("the host has a zone or a percent sign")
		}
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !ok || err != nil || !addr.Is6() {
			return Host{}, errors.New("the host in brackets is no IPv6 address")
		}
		return Host{addr: addr.Unmap()}, nil
	}
	if strings.Contains(text, ":") {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return Host{}, errors.New("the host is no IPv6 address")
		}
		return Host{addr: addr.Unmap()}, nil
	}
	return parseName(text)
}

// parseName reads a name, or an IPv4 address in one of its forms.
func parseName(text string) (Host, error) {
	name, err := toASCII(text)
	if err != nil {
		return Host{}, err
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxName {
		return Host{}, errors.New("the host is empty or too long")
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if !validLabel(label) {
			return Host{}, errors.New("the host has a part that no name can have")
		}
	}
	if !numeric(labels[len(labels)-1]) {
		return Host{name: name}, nil
	}
	addr, err := parseIPv4(labels)
	if err != nil {
		return Host{}, err
	}
	return Host{addr: addr}, nil
}

// toASCII lowers and maps a name. A name that is ASCII already is not mapped:
// underscores and hyphens at odd places are there in real names.
func toASCII(text string) (string, error) {
	ascii := true
	for i := range len(text) {
		ascii = ascii && text[i] < 0x80
	}
	lower := strings.ToLower(text)
	if ascii && !strings.HasPrefix(lower, "xn--") && !strings.Contains(lower, ".xn--") {
		return lower, nil
	}
	profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule())
	name, err := profile.ToASCII(text)
	if err == nil {
		var again string // what is no fixed point is two names
		if again, err = profile.ToASCII(name); again != name {
			err = errors.New("it has no one form")
		}
	}
	if err != nil || !utf8.ValidString(text) {
		return "", errors.New("the host is no valid international name")
	}
	return strings.ToLower(name), nil
}

func validLabel(label string) bool {
	for i := range len(label) {
		c := label[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return label != "" && len(label) <= 63
}

// numeric reports whether a last label makes a host an IPv4 address: "ends in a
// number" of the URL standard.
func numeric(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// parseIPv4 reads one to four numbers, decimal, octal or hexadecimal, of which
// the last one fills what is left.
func parseIPv4(parts []string) (netip.Addr, error) {
	if len(parts) > 4 {
		return netip.Addr{}, errors.New("the host ends in a number and is no address")
	}
	value := uint64(0)
	for i, part := range parts {
		n, ok := parseNumber(part)
		most := uint64(0xff)
		if i == len(parts)-1 {
			most = 1<<(8*(5-len(parts))) - 1
		}
		if !ok || n > most {
			return netip.Addr{}, errors.New("the host ends in a number and is no address")
		}
		if i == len(parts)-1 {
			value |= n
		} else {
			value |= n << (24 - 8*i)
		}
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), nil
}

func parseNumber(s string) (uint64, bool) {
	base := uint64(10)
	digits := s
	switch {
	case strings.HasPrefix(s, "0x"):
		base, digits = 16, s[2:]
	case len(s) > 1 && s[0] == '0':
		base, digits = 8, s[1:]
	}
	n := uint64(0)
	for i := range len(digits) {
		d := uint64(strings.IndexByte("0123456789abcdef", digits[i]))
		if d >= base || n > 1<<32 {
			return 0, false
		}
		n = n*base + d
	}
	return n, true
}

// ParseTarget reads HOST:PORT, where the port must be there.
func ParseTarget(text string) (Host, int, error) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 || strings.Contains(text[:i], ":") && text[0] != '[' {
		return Host{}, 0, errors.New("there is no port, or an address without brackets")
	}
	port, err := parsePort(text[i+1:])
	if err != nil {
		return Host{}, 0, err
	}
	host, err := ParseHost(text[:i])
	return host, port, err
}

func parsePort(text string) (int, error) {
	port := 0
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' || port > 65535 {
			return 0, fmt.Errorf("the port is no number")
		}
		port = 10*port + int(text[i]-'0')
	}
	if port < 1 || port > 65535 {
		return 0, fmt.Errorf("the port is not among 1 to 65535")
	}
	return port, nil
}
