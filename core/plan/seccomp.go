// SPDX-License-Identifier: Apache-2.0

package plan

import "slices"

// Seccomp filters the system calls of the commands, see seccomp(2). Rules are
// looked at in order; a call for which none holds is allowed if its number is
// at most Newest, the newest one known when the plan was made, and ENOSYS
// otherwise. The calls of 32-bit programs kill the process; those of x32 are
// beyond Newest.
type Seccomp struct {
	Newest int           `json:"newest"`
	Rules  []SeccompRule `json:"rules"`
}

// SeccompRule says what happens with some system calls. Action is "errno"
// (the call fails with Errno), "notify" (the supervisor answers), "observe"
// (the supervisor is told, and the kernel goes on) or "kill". Only calls of
// [Observed] can be observed: what "observe" says decides nothing.
// If When is not empty the action is taken only where every condition holds;
// several rules may name one call, the first that matches is taken.
type SeccompRule struct {
	Calls  []string           `json:"calls"` // names as in the manual; unknown on an architecture: left out
	Action string             `json:"action"`
	Errno  string             `json:"errno,omitempty"` // "EPERM"
	When   []SeccompCondition `json:"when,omitempty"`
	Why    string             `json:"why"`
}

// SeccompCondition compares one argument of the call: (argument & Mask) Op
// Value, with all 64 bits unless Mask says otherwise. A comparison of a 32-bit
// argument must have the Mask 0xffffffff: the kernel ignores the upper bits,
// and a filter that did not would be passed by garbage there. Op is "==" or
// "!=".
type SeccompCondition struct {
	Arg   int    `json:"arg"`
	Mask  uint64 `json:"mask"`
	Op    string `json:"op"`
	Value uint64 `json:"value"`
}

// Observed lists the system calls that a rule may observe: those that name
// files, to open, look at, execute or change. The caller owns the slice.
func Observed() []string {
	return slices.Concat(
		[]string{"open", "openat", "creat"},
		[]string{"execve", "execveat"},
		[]string{"stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "chdir"},
		[]string{"mkdir", "mkdirat", "mknod", "mknodat", "symlink", "symlinkat", "link", "linkat"},
		[]string{"unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2"},
		[]string{"chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat", "utime", "utimes", "futimesat", "utimensat"},
		[]string{"truncate", "setxattr", "lsetxattr", "removexattr", "lremovexattr"},
	)
}
