// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"slices"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// newestCall is the highest system call number whose call was read and judged
// for the rules below: rseq_slice_yield. Later ones are ENOSYS until somebody
// has gone through them and raised it.
const newestCall = 471

// filterOptions are what the system call rules depend on.
type filterOptions struct {
	// Broker has the supervisor answer connect.
	Broker bool
	// Fence is set where the commands have no namespaces of their own.
	Fence *fenceOptions
	// Observe has the supervisor see calls that name files.
	Observe bool
}

// Filter returns the system call rules of a sandbox for backends that have other
// programs confine commands in a pid namespace. Where answered is set the
// supervisor answers connect; elsewhere there are no unix sockets but pairs.
func Filter(answered bool) plan.Seccomp {
	s := filter(filterOptions{Broker: answered})
	if !answered {
		s.Rules = slices.Insert(s.Rules, 0, pairsOnly())
	}
	return s
}

// pairsOnly leaves of unix sockets pairs, which are connected.
func pairsOnly() plan.SeccompRule {
	return errno("EACCES", "a socket of the host cannot be told from one of the sandbox", calls("socket"), is(0, 1))
}

// filter returns the system call rules of a sandbox. An errno is chosen by what
// real programs do with it: ENOSYS where they go on as on an older kernel, the
// kernel's own refusal where they print a hint or give up politely.
//
// A filter sees registers, not memory. What is behind a pointer cannot be
// judged, so calls with such flags (clone3, openat2) are refused whole. The
// rules need Linux 4.8, where a tracer can no longer change a call after the
// filter has seen it; ptrace is allowed for that reason. A filter that a
// command adds for itself can only refuse more.
func filter(o filterOptions) plan.Seccomp {
	rules := slices.Concat(namespaceRules(), surfaceRules(), adminRules(), processRules(), modeRules(), leaseRules(), fileSystemRules(), socketRules(), terminalRules())
	if o.Fence != nil {
		rules = append(rules, fenceRules(*o.Fence)...)
	}
	if o.Broker {
		rules = append(rules, plan.SeccompRule{Calls: calls("connect"), Action: "notify",
			Why: "a unix socket is reached only if a process of the sandbox listens on it or it is granted"})
	}
	if o.Observe {
		rules = append(rules, observeRules()...)
	}
	return plan.Seccomp{Newest: newestCall, Rules: rules}
}

// namespaceRules keep commands from making or changing namespaces and mounts,
// the door to most of the kernel for those without privileges.
func namespaceRules() []plan.SeccompRule {
	const (
		making    = 0x7e020000 // CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}; clone cannot make time namespaces
		unsharing = 0x00050f00 // CLONE_{VM,FS,FILES,SIGHAND,THREAD,SYSVSEM}
	)
	return []plan.SeccompRule{
		errno("EPERM", "a new namespace gives capabilities over further parts of the kernel; EPERM as on a hardened kernel, so that browsers print their own hint",
			calls("clone"), anyOf(0, making)),
		errno("EPERM", "as clone; to stop sharing files and directories with other threads stays possible",
			calls("unshare"), anyOf(0, ^uint64(unsharing))),
		errno("ENOSYS", "as clone, with the flags behind a pointer; C libraries fall back to clone",
			calls("clone3")),
		errno("EPERM", "enters the namespaces of others",
			calls("setns")),
		errno("EPERM", "mounts decide what is writable, protected and hidden",
			calls("mount", "umount2", "pivot_root", "chroot")),
		errno("ENOSYS", "the newer mount calls; tools fall back to mount, whose refusal they explain",
			calls("open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr")),
	}
}

// surfaceRules close large interfaces that few programs need and that have been
// a way out of sandboxes before.
func surfaceRules() []plan.SeccompRule {
	const keptFilterFlags = 0x17 // SECCOMP_FILTER_FLAG_{TSYNC,LOG,SPEC_ALLOW,TSYNC_ESRCH}
	return []plan.SeccompRule{
		errno("ENOSYS", "does opens, connects and sends that no filter sees; programs fall back to ordinary calls",
			calls("io_uring_setup", "io_uring_enter", "io_uring_register")),
		errno("ENOSYS", "keyrings are shared by all processes of a user; tools go on as on a kernel without them",
			calls("add_key", "request_key", "keyctl")),
		errno("EPERM", "programs and tables inside the kernel; EPERM as where kernel.unprivileged_bpf_disabled is set",
			calls("bpf")),
		errno("EPERM", "stalls the kernel at a place of the caller's choice, the tool of many exploits; EPERM as where vm.unprivileged_userfaultfd is 0",
			calls("userfaultfd")),
		errno("EPERM", "counters of the processor, with a long record of flaws; perf explains EPERM",
			calls("perf_event_open")),
		errno("EPERM", "watches whole file systems; EPERM as on an older kernel",
			calls("fanotify_init", "fanotify_mark")),
		errno("EPERM", "opens files past the directories that lead to them",
			calls("open_by_handle_at")),
		errno("EPERM", "segments of the processor that only 16-bit programs need",
			calls("modify_ldt")),
		errno("EPERM", "old interfaces that nothing uses any more",
			calls("uselib", "_sysctl", "lookup_dcookie", "nfsservctl", "create_module", "query_module")),
		errno("EPERM", "personalities that make memory executable or mappable at 0; the 32-bit ones and switching off address randomization, as debuggers do, are kept",
			calls("personality"), anyOf(0, 0xffffffff&^(0x0008|0x20000|0x40000)), not(0, 0xffffffff)),
		errno("EINVAL", "a listener would decide over calls inside, and flags unknown here may do more; EINVAL as on an older kernel",
			calls("seccomp"), anyOf(1, 0xffffffff&^keptFilterFlags)),
	}
}

// adminRules refuse what is for administrators of the machine. Most of it needs
// capabilities that no command has; the code behind is out of reach as well.
func adminRules() []plan.SeccompRule {
	return []plan.SeccompRule{
		errno("EPERM", "runs another kernel", calls("kexec_load", "kexec_file_load", "reboot")),
		errno("EPERM", "loads code into the kernel", calls("init_module", "finit_module", "delete_module")),
		errno("EPERM", "swap, accounting and quotas of the machine", calls("swapon", "swapoff", "acct", "quotactl", "quotactl_fd")),
		errno("EPERM", "the kernel's log tells addresses and what others do", calls("syslog")),
		errno("EPERM", "the clock of the machine", calls("settimeofday", "clock_settime")),
		errno("EPERM", "names of the machine", calls("sethostname", "setdomainname")),
		errno("EPERM", "direct access to devices", calls("iopl", "ioperm")),
		errno("EPERM", "takes the terminal away from its session", calls("vhangup")),
	}
}

// processRules are about processes and groups beyond the caller itself.
func processRules() []plan.SeccompRule {
	const (
		prioProcess   = 0 // PRIO_PROCESS of setpriority(2)
		ioprioProcess = 1 // IOPRIO_WHO_PROCESS of ioprio_set(2)
	)
	return []plan.SeccompRule{
		errno("ENOSYS", "the memory of other processes; debuggers fall back to ptrace, which checks more",
			calls("process_vm_readv", "process_vm_writev", "process_madvise")),
		errno("EPERM", "takes descriptors out of other processes",
			calls("pidfd_getfd")),
		errno("EPERM", "compares kernel objects of two processes, which tells addresses",
			calls("kcmp")),
		errno("EPERM", "the process group may hold processes outside, and a user's processes are not all inside",
			calls("setpriority"), not(0, prioProcess)),
		errno("EPERM", "as setpriority",
			calls("ioprio_set"), not(0, ioprioProcess)),
	}
}
