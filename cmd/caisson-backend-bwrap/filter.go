// SPDX-License-Identifier: Apache-2.0

package main

import "encoding/binary"

// The filter of system calls that bwrap installs before it executes the
// command: a program of classic BPF over struct seccomp_data, see seccomp(2).
// It refuses what kernels had holes in, new namespaces and mounts, unix
// sockets, and what types into the terminal; the rest is allowed.

// Numbers of errors, equal on both architectures.
const (
	eperm           = 1
	eacces          = 13
	enosys          = 38
	eprotonosupport = 93
	eafnosupport    = 97
)

// condition compares the lower half of an argument, masked.
type condition struct {
	arg   int
	mask  uint32
	equal bool // else: differs
	value uint32
}

// rule refuses calls with an error where all conditions are true.
type rule struct {
	calls []string
	errno uint32
	when  []condition
}

const all = 1<<32 - 1

func is(arg int, value uint32) condition  { return condition{arg, all, true, value} }
func not(arg int, value uint32) condition { return condition{arg, all, false, value} }
func has(arg int, mask uint32) condition  { return condition{arg, mask, false, 0} }

func rules() []rule {
	const (
		namespaces = 0x7e020080 // CLONE_NEW*
		setid      = 0o6000     // S_ISUID, S_ISGID
		create     = 0o100 | 0o20000000
	)
	return []rule{
		{[]string{"unshare", "clone"}, eperm, []condition{has(0, namespaces)}},
		{[]string{"clone3", "openat2"}, enosys, nil}, // arguments behind pointers; programs fall back
		{[]string{"setns", "mount", "umount2", "pivot_root", "chroot"}, eperm, nil},
		{[]string{"open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr"}, enosys, nil},
		{[]string{"io_uring_setup", "io_uring_enter", "io_uring_register", "add_key", "request_key", "keyctl"}, enosys, nil},
		{[]string{"bpf", "userfaultfd", "perf_event_open", "fanotify_init", "open_by_handle_at", "pidfd_getfd", "kcmp", "modify_ldt", "iopl", "ioperm"}, eperm, nil},
		{[]string{"process_vm_readv", "process_vm_writev", "process_madvise"}, enosys, nil},
		{[]string{"kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "swapon", "swapoff", "acct", "reboot", "syslog", "settimeofday", "clock_settime", "quotactl", "vhangup", "sethostname", "setdomainname"}, eperm, nil},
		{[]string{"ioctl"}, eperm, []condition{is(1, 0x5412)}}, // TIOCSTI
		{[]string{"ioctl"}, eperm, []condition{is(1, 0x541c)}}, // TIOCLINUX
		{[]string{"ioctl"}, eperm, []condition{is(1, 0x5423)}}, // TIOCSETD
		{[]string{"socket"}, eacces, []condition{is(0, 1)}},    // AF_UNIX
		{[]string{"socket"}, eafnosupport, []condition{not(0, 1), not(0, 2), not(0, 10), not(0, 16)}},
		{[]string{"socket"}, eprotonosupport, []condition{is(0, 16), not(2, 0)}},                       // of netlink only the part that lists interfaces
		{[]string{"socketpair"}, eprotonosupport, []condition{{1, 0xf, false, 1}, {1, 0xf, false, 5}}}, // a datagram names its receiver
		{[]string{"chmod", "fchmod"}, eperm, []condition{has(1, setid)}},
		{[]string{"fchmodat", "fchmodat2"}, eperm, []condition{has(2, setid)}},
		{[]string{"creat", "mknod"}, eperm, []condition{has(1, setid)}},
		{[]string{"mknodat"}, eperm, []condition{has(2, setid)}},
		{[]string{"open"}, eperm, []condition{has(1, create), has(2, setid)}},
		{[]string{"openat"}, eperm, []condition{has(2, create), has(3, setid)}},
	}
}

// syscalls gives the numbers of the calls of an architecture, nil for one that
// has no filter. A call that it does not have is left out.
func syscalls(arch string) map[string]uint32 {
	both := map[string]uint32{
		"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442, "open_tree_attr": 467,
		"clone3": 435, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "process_madvise": 440, "pidfd_getfd": 438, "openat2": 437, "fchmodat2": 452,
	}
	var own map[string]uint32
	switch arch {
	case "amd64":
		own = map[string]uint32{
			"mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "clone": 56, "setns": 308, "add_key": 248, "request_key": 249, "keyctl": 250,
			"bpf": 321, "userfaultfd": 323, "perf_event_open": 298, "fanotify_init": 300, "open_by_handle_at": 304, "kexec_load": 246, "kexec_file_load": 320,
			"init_module": 175, "finit_module": 313, "delete_module": 176, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "swapon": 167, "swapoff": 168,
			"acct": 163, "reboot": 169, "syslog": 103, "settimeofday": 164, "clock_settime": 227, "quotactl": 179, "iopl": 172, "ioperm": 173, "modify_ldt": 154,
			"ioctl": 16, "socket": 41, "socketpair": 53, "openat": 257, "open": 2, "creat": 85, "mknod": 133, "mknodat": 259, "chmod": 90, "fchmod": 91, "fchmodat": 268,
			"setdomainname": 171, "sethostname": 170, "vhangup": 153,
		}
	case "arm64":
		own = map[string]uint32{
			"mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97, "clone": 220, "setns": 268, "add_key": 217, "request_key": 218, "keyctl": 219,
			"bpf": 280, "userfaultfd": 282, "perf_event_open": 241, "fanotify_init": 262, "open_by_handle_at": 265, "kexec_load": 104, "kexec_file_load": 294,
			"init_module": 105, "finit_module": 273, "delete_module": 106, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "swapon": 224, "swapoff": 225,
			"acct": 89, "reboot": 142, "syslog": 116, "settimeofday": 170, "clock_settime": 112, "quotactl": 60,
			"ioctl": 29, "socket": 198, "socketpair": 199, "openat": 56, "mknodat": 33, "fchmod": 52, "fchmodat": 53,
			"setdomainname": 162, "sethostname": 161, "vhangup": 58,
		}
	default:
		return nil
	}
	for name, nr := range both {
		own[name] = nr
	}
	return own
}

// Instructions of classic BPF, and what seccomp makes of a result.
const (
	loadWord    = 0x20 // BPF_LD | BPF_W | BPF_ABS
	and         = 0x54 // BPF_ALU | BPF_AND | BPF_K
	jumpEqual   = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	jumpAtLeast = 0x35 // BPF_JMP | BPF_JGE | BPF_K
	give        = 0x06 // BPF_RET | BPF_K

	allow     = 0x7fff0000
	withErrno = 0x00050000 // SECCOMP_RET_ERRNO
)

// filter returns the program for an architecture, nil where there is none.
func filter(arch string) []byte {
	numbers := syscalls(arch)
	if numbers == nil {
		return nil
	}
	var code []byte
	emit := func(op uint16, jt, jf uint8, k uint32) {
		code = binary.LittleEndian.AppendUint16(code, op)
		code = append(code, jt, jf)
		code = binary.LittleEndian.AppendUint32(code, k)
	}
	audit := uint32(0xc000003e) // AUDIT_ARCH_X86_64
	if arch == "arm64" {
		audit = 0xc00000b7
	}
	emit(loadWord, 0, 0, 4)
	emit(jumpEqual, 1, 0, audit)
	emit(give, 0, 0, withErrno|enosys) // calls of another architecture
	emit(loadWord, 0, 0, 0)
	emit(jumpAtLeast, 0, 1, 0x40000000)
	emit(give, 0, 0, withErrno|enosys) // x32
	for _, r := range rules() {
		for _, name := range r.calls {
			nr, ok := numbers[name]
			if !ok {
				continue
			}
			rest := 3*len(r.when) + 1 // what follows, of this rule
			emit(loadWord, 0, 0, 0)
			emit(jumpEqual, 0, uint8(rest), nr)
			for _, c := range r.when {
				rest -= 3
				emit(loadWord, 0, 0, 16+8*uint32(c.arg)) // the lower half of a little-endian argument
				emit(and, 0, 0, c.mask)
				if c.equal {
					emit(jumpEqual, 0, uint8(rest), c.value)
				} else {
					emit(jumpEqual, uint8(rest), 0, c.value)
				}
			}
			emit(give, 0, 0, withErrno|r.errno)
		}
	}
	emit(give, 0, 0, allow)
	return code
}
