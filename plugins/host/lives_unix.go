// SPDX-License-Identifier: Apache-2.0

//go:build unix

package host

import "syscall"

// lives reports whether there is a process of an id, anybody's.
func lives(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }
