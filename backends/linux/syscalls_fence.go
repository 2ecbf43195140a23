// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"slices"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// fenceOptions are what the rules depend on where commands have no namespaces.
type fenceOptions struct {
	Offline  bool
	Metadata bool // the supervisor answers calls about mode, owner and times
	Truncate bool // Landlock does not cover truncating
	Connect  bool // no socket can be connected
	Makes    bool // the supervisor makes the unix sockets
	Pairs    bool // there are no unix sockets but pairs
	Watch    bool // the supervisor answers calls that watch files
}

// fenceRules stand for what namespaces and read-only mounts do elsewhere.
func fenceRules(o fenceOptions) []plan.SeccompRule {
	rules := slices.Concat(sharedRules(), attributeRules())
	if o.Offline {
		const unix = 1 // AF_UNIX
		rules = append(rules, errno("EAFNOSUPPORT", "the network is the host's: a socket of the internet reaches it, its loopback too",
			calls("socket", "socketpair"), not(0, unix)))
	}
	rules = append(rules, errno("ENOSYS", "objects of the host with numbers and names of their own; as on a kernel without them",
		calls("shmget", "shmat", "shmdt", "shmctl", "semget", "semop", "semtimedop", "semctl", "msgget", "msgsnd", "msgrcv", "msgctl",
			"mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr")))
	if o.Truncate {
		const truncating, accessMode = 0o1000, 3 // O_TRUNC, O_ACCMODE
		const why = "this kernel's Landlock does not cover truncating"
		if truncate := calls("truncate"); o.Metadata {
			rules = append(rules, plan.SeccompRule{Calls: truncate, Action: "notify", Why: why})
		} else {
			rules = append(rules, errno("EPERM", why, truncate))
		}
		rules = append(rules,
			errno("EPERM", why, calls("openat"), masked(2, truncating|accessMode, truncating)),
			errno("EPERM", why, calls("open"), masked(1, truncating|accessMode, truncating)))
	}
	changing := calls("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchown", "fchownat",
		"utime", "utimes", "futimesat", "utimensat")
	if o.Metadata {
		rules = append(rules, plan.SeccompRule{Calls: changing, Action: "notify", Why: "Landlock does not cover mode, owner and times"})
	} else {
		rules = append(rules, errno("EPERM", "Landlock does not cover mode, owner and times, and nobody can answer the calls here", changing))
	}
	watching := calls("inotify_add_watch")
	if o.Watch {
		rules = append(rules, plan.SeccompRule{Calls: watching, Action: "notify", Why: "names in hidden directories would be told"})
	} else {
		rules = append(rules, errno("EACCES", "names in hidden directories would be told, and nobody can answer the call here", watching))
	}
	if o.Connect {
		rules = append(rules, errno("EACCES", "whoever listens cannot be told apart here", calls("connect")))
	}
	if o.Pairs {
		rules = append(rules, pairsOnly())
	}
	if o.Makes {
		rules = append(rules,
			plan.SeccompRule{Calls: calls("socket"), Action: "notify", When: []plan.SeccompCondition{is(0, 1)},
				Why: "the supervisor can connect only the sockets that it made: it cannot copy others"},
			plan.SeccompRule{Calls: calls("bind", "listen"), Action: "notify",
				Why: "a socket with a name is the command's alone: the name goes when the command closes it"})
	}
	return rules
}

// sharedRules hold processes outside apart where they have numbers inside.
// Signals and tracing are Landlock's to refuse.
func sharedRules() []plan.SeccompRule {
	return []plan.SeccompRule{
		errno("EPERM", "limits and scheduling of processes outside; 0, the caller itself, is kept",
			calls("prlimit64", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler"), not(0, 0)),
		errno("EPERM", "the priority of processes outside; 0, the caller itself, is kept",
			calls("setpriority", "ioprio_set"), not(1, 0)),
	}
}

// attributeRules refuse what else is changed of a file that can only be read:
// attributes with names, and flags, by the ioctls of ioctl_iflags(2) and of file
// systems. Their numbers have a letter in the second byte; the few that only
// look are kept, and so is cloning of content, which needs a writable file.
func attributeRules() []plan.SeccompRule {
	const (
		letter                               = 0xff00
		getFlags, fiemap                     = 0x80086601, 0xc020660b // FS_IOC_GETFLAGS, FS_IOC_FIEMAP
		getXattr                             = 0x801c581f             // FS_IOC_FSGETXATTR
		getVersion                           = 0x80087601             // FS_IOC_GETVERSION
		cloneFile, cloneRange, dedupe        = 0x40049409, 0x4020940d, 0xc0189436
		why                                  = "Landlock does not cover flags of files, subvolumes and the like"
		generic, xfs, version, btrfs  uint64 = 0x6600, 0x5800, 0x7600, 0x9400
	)
	return []plan.SeccompRule{
		errno("EOPNOTSUPP", "Landlock does not cover extended attributes; as on a file system without them",
			calls("setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr", "fremovexattr", "removexattrat")),
		errno("ENOSYS", why, calls("file_setattr")),
		errno("EOPNOTSUPP", why, calls("ioctl"), masked(1, letter, generic), not(1, getFlags), not(1, fiemap)),
		errno("EOPNOTSUPP", why, calls("ioctl"), masked(1, letter, xfs), not(1, getXattr)),
		errno("EOPNOTSUPP", why, calls("ioctl"), masked(1, letter, version), not(1, getVersion)),
		errno("EOPNOTSUPP", why, calls("ioctl"), masked(1, letter, btrfs), not(1, cloneFile), not(1, cloneRange), not(1, dedupe)),
	}
}
