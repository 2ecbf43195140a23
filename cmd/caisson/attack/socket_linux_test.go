// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// socket is an attack that makes a socket which is closed.
func socket(name, needs string, family, kind, protocol uintptr) attack {
	return obtains("socket/"+name, "make a socket: "+name, guarantee.KernelSurface, needs, func() error {
		return just(raw(unix.SYS_SOCKET, family, kind, protocol))
	})
}

func socketAttacks() []attack {
	const loaded, high = "the family in the kernel", 1 << 40
	pair := func(name string, kind uintptr) attack {
		return obtains("socket/pair-"+name, "make a pair of sockets: "+name, guarantee.UnixConfined, "", func() error {
			return just(raw(unix.SYS_SOCKETPAIR, unix.AF_UNIX, kind, 0, bytesArg(make([]byte, 8))))
		})
	}
	return []attack{
		socket("vsock", loaded, unix.AF_VSOCK, unix.SOCK_STREAM, 0),
		socket("vsock-high", loaded, unix.AF_VSOCK|high, unix.SOCK_STREAM, 0),
		socket("packet", root, unix.AF_PACKET, unix.SOCK_RAW, 0x300),
		socket("packet-inet", root+" and old kernels", unix.AF_INET, unix.SOCK_PACKET, 0x300),
		socket("alg", loaded, unix.AF_ALG, unix.SOCK_SEQPACKET, 0),
		socket("bluetooth", loaded, unix.AF_BLUETOOTH, unix.SOCK_RAW, 1),
		socket("key", loaded+" and "+root, unix.AF_KEY, unix.SOCK_RAW, 2),
		socket("xdp", loaded+" and "+root, unix.AF_XDP, unix.SOCK_RAW, 0),
		socket("tipc", loaded, unix.AF_TIPC, unix.SOCK_STREAM, 0),
		socket("can", loaded, unix.AF_CAN, unix.SOCK_RAW, 1),
		socket("qipcrtr", loaded, unix.AF_QIPCRTR, unix.SOCK_DGRAM, 0),
		socket("smc", loaded, unix.AF_SMC, unix.SOCK_STREAM, 0),
		socket("kcm", loaded, unix.AF_KCM, unix.SOCK_DGRAM, 0),
		socket("rds", loaded, unix.AF_RDS, unix.SOCK_SEQPACKET, 0),
		socket("netlink-audit", loaded, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT),
		socket("netlink-generic", "", unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_GENERIC),
		socket("netlink-uevent", "", unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT),
		socket("netlink-netfilter", loaded, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER),
		socket("netlink-xfrm", loaded, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_XFRM),
		socket("netlink-diag", loaded, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_SOCK_DIAG),
		socket("netlink-diag-high", loaded, unix.AF_NETLINK|high, unix.SOCK_RAW, unix.NETLINK_SOCK_DIAG|high),
		socket("sctp", loaded, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP),
		socket("mptcp", loaded, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP),
		socket("udplite", loaded, unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE),
		socket("dccp", loaded, unix.AF_INET, 6, 33),
		socket("raw", root, unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW),
		socket("raw6", root, unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6),
		socket("unix-datagram", "", unix.AF_UNIX, unix.SOCK_DGRAM, 0),
		socket("unix-datagram-flags", "", unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0),
		socket("unix-datagram-high", "", unix.AF_UNIX|high, unix.SOCK_DGRAM|high, 0),
		socket("unix-raw", "", unix.AF_UNIX, unix.SOCK_RAW, 0),
		pair("datagram", unix.SOCK_DGRAM),
		pair("raw", unix.SOCK_RAW),
		pair("datagram-high", unix.SOCK_DGRAM|high),
	}
}
