// SPDX-License-Identifier: Apache-2.0

package hostrule

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// block is a range of addresses that is not the public network.
type block struct {
	prefix netip.Prefix
	what   string
}

// metadata are the addresses at which clouds hand their machines credentials.
// They lie in other blocks or among public ones, and only the address itself
// opens one.
func metadata() []netip.Addr {
	return []netip.Addr{
		netip.AddrFrom4([4]byte{169, 254, 169, 254}), // most clouds
		netip.AddrFrom4([4]byte{169, 254, 170, 2}),   // tasks of Amazon ECS
		netip.AddrFrom4([4]byte{169, 254, 170, 23}),  // pods of Amazon EKS
		netip.AddrFrom4([4]byte{100, 100, 100, 200}), // Alibaba Cloud
		netip.AddrFrom4([4]byte{192, 0, 0, 192}),     // Oracle Cloud, classic
		netip.AddrFrom4([4]byte{168, 63, 129, 16}),   // Azure's own services
		netip.AddrFrom4([4]byte{169, 254, 0, 23}),    // Tencent Cloud
		netip.AddrFrom4([4]byte{169, 254, 42, 42}),   // Scaleway
		netip.MustParseAddr("fd00:ec2::254"),         // Amazon EC2
		netip.MustParseAddr("fd00:ec2::23"),          // pods of Amazon EKS
		netip.MustParseAddr("fd20:ce::254"),          // Google Cloud
		netip.MustParseAddr("fd00:42::42"),           // Scaleway
		netip.MustParseAddr("fd00:c1::a9fe:a9fe"),    // Oracle Cloud
		netip.MustParseAddr("fe80::a9fe:a9fe"),       // OpenStack
	}
}

// metadataNames are the names of such services, which a proxy of the host's own
// would resolve where caisson does not.
func metadataNames() []string {
	return []string{"metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal", "metadata.tencentyun.com"}
}

// Metadata reports whether a host is a metadata service by its name or address.
func (h Host) Metadata() bool {
	if h.addr.IsValid() {
		_, what := special(h.addr)
		return what == aMetadataService
	}
	return slices.Contains(metadataNames(), h.name)
}

const aMetadataService = "a metadata service"

// NoGrant says why no rule is proposed for a metadata service.
const NoGrant = "it hands out the machine's credentials, so no flag is proposed; a rule that names it allows it"

// blocks are the special-purpose registries of IANA (RFC 6890 and later), each
// before the ones that it lies in.
func blocks() []block {
	p := netip.MustParsePrefix
	return []block{
		{p("127.0.0.0/8"), "the host's loopback"},
		{p("::1/128"), "the host's loopback"},
		{p("0.0.0.0/8"), "the host itself"},
		{p("::/128"), "the host itself"},
		{p("10.0.0.0/8"), "a private network"},
		{p("172.16.0.0/12"), "a private network"},
		{p("192.168.0.0/16"), "a private network"},
		{p("100.64.0.0/10"), "the network of a provider"},
		{p("169.254.0.0/16"), "the local link"},
		{p("192.0.0.0/24"), "reserved"},
		{p("192.0.2.0/24"), "for documentation"},
		{p("192.88.99.0/24"), "reserved"},
		{p("198.18.0.0/15"), "for measurements"},
		{p("198.51.100.0/24"), "for documentation"},
		{p("203.0.113.0/24"), "for documentation"},
		{p("224.0.0.0/4"), "multicast"},
		{p("240.0.0.0/4"), "reserved"},
		{p("::/96"), "reserved"},
		{p("64:ff9b:1::/48"), "a translator of the local network"},
		{p("100::/64"), "reserved"},
		{p("2001::/32"), "a tunnel"},
		{p("2001::/23"), "reserved"},
		{p("2001:db8::/32"), "for documentation"},
		{p("3fff::/20"), "for documentation"},
		{p("5f00::/16"), "reserved"},
		{p("fc00::/7"), "a private network"},
		{p("fe80::/10"), "the local link"},
		{p("fec0::/10"), "a private network"},
		{p("ff00::/8"), "multicast"},
	}
}

// Public reports whether an address is of the public network, so that a range
// or a name that leads there is enough to open it.
func Public(addr netip.Addr) bool {
	_, what := special(addr.WithZone("").Unmap())
	return addr.IsValid() && what == ""
}

// special says what an address is where it is not of the public network: the
// narrowest range that a rule must lie in to open it, and the words for it.
func special(addr netip.Addr) (netip.Prefix, string) {
	for _, m := range metadata() {
		if addr == m {
			return netip.PrefixFrom(addr, addr.BitLen()), aMetadataService
		}
	}
	for _, b := range blocks() {
		if b.prefix.Contains(addr) {
			return b.prefix, b.what
		}
	}
	if inner, ok := embedded(addr); ok {
		if _, what := special(inner); what != "" {
			return netip.PrefixFrom(addr, addr.BitLen()), what
		}
	} else if addr.Is6() && addr.As16()[0]>>5 != 1 {
		// Of IPv6 only 2000::/3 is given out, and the prefix of NAT64 beside it
		// (RFC 4291, 2.4). What else is routed is somebody's own network.
		around, _ := addr.Prefix(3) // which an address of IPv6 has
		return around, "reserved"
	}
	return netip.Prefix{}, ""
}

// embedded returns the IPv4 address that a translator or relay would send
// packets of an IPv6 address to: NAT64 (RFC 6052), 6to4 (RFC 3056) and ISATAP
// (RFC 5214, 6.1).
func embedded(addr netip.Addr) (netip.Addr, bool) {
	b := addr.As16()
	switch {
	case !addr.Is6():
		return netip.Addr{}, false
	case binary.BigEndian.Uint64(b[:8]) == 0x0064ff9b<<32 && binary.BigEndian.Uint32(b[8:]) == 0:
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case binary.BigEndian.Uint32(b[8:])&^(2<<24) == 0x5efe:
		return netip.AddrFrom4([4]byte(b[12:16])), true
	}
	return netip.Addr{}, false
}
