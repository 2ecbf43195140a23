// SPDX-License-Identifier: Apache-2.0

package linux

import "golang.org/x/sys/unix"

// landlockABI asks for the version of Landlock, see landlock_create_ruleset(2).
func landlockABI() int {
	const version = 1 // LANDLOCK_CREATE_RULESET_VERSION
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, version)
	if errno != 0 {
		return 0
	}
	return int(abi)
}

// notifies asks whether the kernel knows WAIT_KILLABLE_RECV (Linux 5.19). The
// kernel looks at the flags first: with no filter it answers EFAULT if it knows
// them and EINVAL if not, and nothing is installed.
func notifies() bool {
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 0)
	return errno == unix.EFAULT
}

// copiesDescriptors asks whether descriptors of another process can be copied,
// by copying one of this process. Filters of containers refuse the call.
func copiesDescriptors() bool {
	self, err := unix.PidfdOpen(unix.Getpid(), 0)
	if err != nil {
		return false
	}
	defer unix.Close(self)
	fd, err := unix.PidfdGetfd(self, self, 0)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}
