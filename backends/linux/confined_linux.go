// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// confinement is what is seen of how this process is confined: the capabilities
// that it has, what is mounted over parts of /proc and /dev, and where a filter is
// on it, what that answers. A namespace's number does not tell one container from
// the next, which may have the same home and another filter.
func (f *Facts) confinement() []string {
	var parts []string
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) == nil {
		for _, d := range data {
			parts = append(parts, strconv.FormatUint(uint64(d.Permitted), 16), strconv.FormatUint(uint64(d.Effective), 16))
		}
	}
	for _, line := range f.Mounts {
		fields := strings.Fields(line)
		if point := fields[4]; within("/proc", point) || within("/dev", point) {
			parts = append(parts, strings.Join(fields[3:], " ")) // without numbers
		}
	}
	if filtered, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0); filtered != 0 || err != nil {
		parts = append(parts, answers()...)
	}
	return parts
}

// answers are the errors of calls that a sandbox needs, with arguments that the
// kernel refuses before it looks at who calls: what else is answered is a
// filter's. Clone is not tried: were it to work all the same, this process would
// be there twice.
func answers() []string {
	const none = ^uintptr(0) // -1 as a descriptor, and flags that there are not
	var list []string
	for _, call := range [][]uintptr{
		{unix.SYS_UNSHARE, unix.CLONE_NEWUSER | 1},
		{unix.SYS_SETNS, none, 0},
		{unix.SYS_MOUNT, 0, 0, 0, 0, 0},
		{unix.SYS_UMOUNT2, 0, none},
		{unix.SYS_OPEN_TREE, none, 0, none},
		{unix.SYS_MOUNT_SETATTR, none, 0, none, 0, 0},
		{unix.SYS_PIDFD_GETFD, none, none, none},
	} {
		call = append(call, 0, 0, 0, 0, 0)
		_, _, errno := unix.Syscall6(call[0], call[1], call[2], call[3], call[4], call[5], 0)
		list = append(list, strconv.Itoa(int(errno)))
	}
	return list
}
