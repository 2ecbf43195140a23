// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// callShape says how a system call is printed: its name, how many arguments it
// has, and which of them are strings.
type callShape struct {
	name    string
	args    int
	strings string
}

func shapeOf(nr int) callShape {
	switch nr {
	case nrCheck:
		return callShape{"check", 3, ""}
	case unix.SYS_CLOSE_RANGE:
		return callShape{"close_range", 3, ""}
	case unix.SYS_CLONE:
		return callShape{"clone", 1, ""}
	case unix.SYS_WRITE:
		return callShape{"write", 3, ""}
	case unix.SYS_READ:
		return callShape{"read", 3, ""}
	case unix.SYS_EXIT_GROUP:
		return callShape{"exit_group", 1, ""}
	case unix.SYS_PRCTL:
		return callShape{"prctl", 2, ""}
	case unix.SYS_PPOLL:
		return callShape{"ppoll", 3, ""}
	case unix.SYS_SETSID:
		return callShape{"setsid", 0, ""}
	case unix.SYS_UMASK:
		return callShape{"umask", 1, ""}
	case unix.SYS_OPENAT:
		return callShape{"openat", 3, "1"}
	case unix.SYS_OPENAT2:
		return callShape{"openat2", 4, "1"}
	case unix.SYS_CLOSE:
		return callShape{"close", 1, ""}
	case unix.SYS_SOCKET:
		return callShape{"socket", 3, ""}
	case unix.SYS_IOCTL:
		return callShape{"ioctl", 3, ""}
	case unix.SYS_MOUNT_SETATTR:
		return callShape{"mount_setattr", 5, "1"}
	case unix.SYS_OPEN_TREE:
		return callShape{"open_tree", 3, "1"}
	case unix.SYS_MOVE_MOUNT:
		return callShape{"move_mount", 5, "13"}
	case unix.SYS_MOUNT:
		return callShape{"mount", 5, "0124"}
	case unix.SYS_MKDIRAT:
		return callShape{"mkdirat", 3, "1"}
	case unix.SYS_MKNODAT:
		return callShape{"mknodat", 4, "1"}
	case unix.SYS_SYMLINKAT:
		return callShape{"symlinkat", 3, "02"}
	case unix.SYS_STATX:
		return callShape{"statx", 5, "1"}
	case unix.SYS_STATFS:
		return callShape{"statfs", 2, "0"}
	case unix.SYS_CHDIR:
		return callShape{"chdir", 1, "0"}
	case unix.SYS_SETNS:
		return callShape{"setns", 2, ""}
	case unix.SYS_GETPPID:
		return callShape{"getppid", 0, ""}
	case unix.SYS_GETPID:
		return callShape{"getpid", 0, ""}
	case unix.SYS_SETPGID:
		return callShape{"setpgid", 2, ""}
	case unix.SYS_RT_SIGACTION:
		return callShape{"rt_sigaction", 4, ""}
	case unix.SYS_RT_SIGPROCMASK:
		return callShape{"rt_sigprocmask", 4, ""}
	case unix.SYS_CAPSET:
		return callShape{"capset", 2, ""}
	case unix.SYS_CAPGET:
		return callShape{"capget", 2, ""}
	case unix.SYS_SECCOMP:
		return callShape{"seccomp", 3, ""}
	case unix.SYS_LANDLOCK_ADD_RULE:
		return callShape{"landlock_add_rule", 4, ""}
	case unix.SYS_LANDLOCK_RESTRICT_SELF:
		return callShape{"landlock_restrict_self", 2, ""}
	case unix.SYS_SENDMSG:
		return callShape{"sendmsg", 3, ""}
	case unix.SYS_PRLIMIT64:
		return callShape{"prlimit64", 4, ""}
	case unix.SYS_FCNTL:
		return callShape{"fcntl", 3, ""}
	case unix.SYS_DUP3:
		return callShape{"dup3", 3, ""}
	case unix.SYS_RECVMSG:
		return callShape{"recvmsg", 3, ""}
	case unix.SYS_KILL:
		return callShape{"kill", 2, ""}
	case unix.SYS_EXECVEAT:
		return callShape{"execveat", 5, "1"}
	case unix.SYS_LSEEK:
		return callShape{"lseek", 3, ""}
	case unix.SYS_EXECVE:
		return callShape{"execve", 3, "0"}
	}
	return callShape{fmt.Sprintf("call_%d", nr), 6, ""}
}
