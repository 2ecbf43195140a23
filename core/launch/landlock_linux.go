// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// createRuleset is landlock_create_ruleset(2). Fields that are zero are left
// out, so that a kernel that does not know them accepts the rest.
func createRuleset(handled, scoped uint64) (int, error) {
	attr := struct{ fs, net, scoped uint64 }{fs: handled, scoped: scoped}
	size := uintptr(8)
	if scoped != 0 {
		size = unsafe.Sizeof(attr)
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return -1, fmt.Errorf("landlock_create_ruleset: %w", errno)
	}
	return int(fd), nil
}
