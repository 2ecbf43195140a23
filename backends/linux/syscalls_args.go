// SPDX-License-Identifier: Apache-2.0

package linux

import "github.com/caisson-sandbox/caisson/core/plan"

// modeRules keep files from becoming setuid or setgid: outside, where the mount
// is not nosuid, they would run with the rights of the user. A directory is
// made setgid by chmod, as shared repositories need it, so that much is open.
func modeRules() []plan.SeccompRule {
	const (
		setuid   = 0o4000
		setid    = 0o6000
		creating = 0x400040 // O_CREAT and O_TMPFILE's own bit; without them the mode is not looked at and may be garbage
		why      = "a setuid file made inside would be one outside"
	)
	return []plan.SeccompRule{
		errno("EPERM", why, calls("openat"), anyOf(2, creating), anyOf(3, setid)),
		errno("EPERM", why, calls("open"), anyOf(1, creating), anyOf(2, setid)),
		errno("EPERM", why, calls("creat", "mknod"), anyOf(1, setid)),
		errno("EPERM", why, calls("mknodat"), anyOf(2, setid)),
		errno("EPERM", why, calls("chmod", "fchmod"), anyOf(1, setuid)),
		errno("EPERM", why, calls("fchmodat", "fchmodat2"), anyOf(2, setuid)),
		errno("ENOSYS", why+", and the mode is behind a pointer; programs fall back to openat", calls("openat2")),
	}
}

// leaseRules keep commands from making programs outside wait for files that the
// commands can only read: whoever opens a file under a lease waits until its
// holder gives it up, up to lease-break-time of proc_sys_fs(5), 45 seconds. A
// delegation is a lease on a directory too (Linux 6.19).
func leaseRules() []plan.SeccompRule {
	const setLease, setDelegation = 1024, 1040 // F_SETLEASE, F_SETDELEG
	const why = "a lease on a file that can be read makes whoever opens it outside wait; EINVAL as on a file system without leases"
	return []plan.SeccompRule{
		errno("EINVAL", why, calls("fcntl"), is(1, setLease)),
		errno("EINVAL", why, calls("fcntl"), is(1, setDelegation)),
	}
}

// fileSystemRules refuse requests whose harm is not where they are made: any
// directory of the file system that can be opened will do, and mounts are not
// asked. The numbers are those of linux/btrfs.h and linux/fscrypt.h.
func fileSystemRules() []plan.SeccompRule {
	const (
		snapshot, snapshotV2 = 0x50009401, 0x50009417 // BTRFS_IOC_SNAP_CREATE, _V2
		destroyV2            = 0x5000943f             // BTRFS_IOC_SNAP_DESTROY_V2
		removeKey            = 0xc0406618             // FS_IOC_REMOVE_ENCRYPTION_KEY
	)
	const copies = "a snapshot of a subvolume of the user's, as a home can be, holds what is hidden in it under a name that is not"
	return []plan.SeccompRule{
		errno("EPERM", copies, calls("ioctl"), is(1, snapshot)),
		errno("EPERM", copies, calls("ioctl"), is(1, snapshotV2)),
		errno("EPERM", "deletes a subvolume by its number, wherever it is, where the mount lets users (user_subvol_rm_allowed)",
			calls("ioctl"), is(1, destroyV2)),
		errno("EPERM", "locks the user's encrypted directories outside",
			calls("ioctl"), is(1, removeKey)),
	}
}

// socketRules leave the families that ordinary programs use. The network
// namespace decides what they reach.
func socketRules() []plan.SeccompRule {
	const (
		unix, inet, inet6, netlink = 1, 2, 10, 16 // AF_*
		stream, seqpacket, packet  = 1, 5, 10     // SOCK_*
		typeMask                   = 0xf          // SOCK_TYPE_MASK: the rest are flags
		icmp, tcp, udp, icmpv6     = 1, 6, 17, 58 // IPPROTO_*
		optionLevelTCP, tcpULP     = 6, 31
	)
	open := calls("socket", "socketpair")
	return []plan.SeccompRule{
		errno("EAFNOSUPPORT", "families that few programs use are loaded on demand and have a long record of flaws; some reach past the network namespace (vsock)",
			open, not(0, unix), not(0, inet), not(0, inet6), not(0, netlink)),
		errno("EPROTONOSUPPORT", "likewise protocols (sctp, dccp, l2tp); mptcp would pass by rules for tcp, and programs fall back from it",
			open, not(2, 0), not(2, icmp), not(2, tcp), not(2, udp), not(2, icmpv6)),
		errno("EPROTONOSUPPORT", "of netlink only the routing part, protocol 0, which lists interfaces",
			open, is(0, netlink), not(2, 0)),
		errno("EPROTONOSUPPORT", "an old way to a packet socket within the internet family",
			open, masked(1, typeMask, packet)),
		errno("EPROTONOSUPPORT", "datagrams name their receiver with each send, behind a pointer, so they would reach sockets outside",
			open, is(0, unix), notMasked(1, typeMask, stream), notMasked(1, typeMask, seqpacket)),
		errno("ENOPROTOOPT", "makes another protocol of a tcp socket (smc, tls); tls libraries do it themselves then",
			calls("setsockopt"), is(1, optionLevelTCP), is(2, tcpULP)),
	}
}

// terminalRules keep commands from typing into the terminal and from loading
// line disciplines. The terminal's other requests stay.
func terminalRules() []plan.SeccompRule {
	const tiocsti, tioclinux, tiocsetd = 0x5412, 0x541c, 0x5423
	return []plan.SeccompRule{
		errno("EPERM", "types into the terminal (TIOCSTI)", calls("ioctl"), is(1, tiocsti)),
		errno("EPERM", "pastes into a console (TIOCLINUX)", calls("ioctl"), is(1, tioclinux)),
		errno("EPERM", "line disciplines are loaded on demand and outlive the command (TIOCSETD)", calls("ioctl"), is(1, tiocsetd)),
	}
}

func calls(names ...string) []string { return names }

func errno(name, why string, calls []string, when ...plan.SeccompCondition) plan.SeccompRule {
	return plan.SeccompRule{Calls: calls, Action: "errno", Errno: name, When: when, Why: why}
}

// anyOf holds where the argument has any of the bits.
func anyOf(arg int, bits uint64) plan.SeccompCondition {
	return plan.SeccompCondition{Arg: arg, Mask: bits, Op: "!=", Value: 0}
}

func masked(arg int, mask, value uint64) plan.SeccompCondition {
	return plan.SeccompCondition{Arg: arg, Mask: mask, Op: "==", Value: value}
}

func notMasked(arg int, mask, value uint64) plan.SeccompCondition {
	return plan.SeccompCondition{Arg: arg, Mask: mask, Op: "!=", Value: value}
}

// is and not compare an argument that the kernel takes as 32 bits.
func is(arg int, value uint64) plan.SeccompCondition  { return masked(arg, 0xffffffff, value) }
func not(arg int, value uint64) plan.SeccompCondition { return notMasked(arg, 0xffffffff, value) }
