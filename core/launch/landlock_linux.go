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

// allowBeneath is landlock_add_rule(2) for what lies beneath a path.
func allowBeneath(ruleset int, name string, access uint64) error {
	dir, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	defer unix.Close(dir)
	attr := struct { // struct landlock_path_beneath_attr
		access uint64
		dir    int32
	}{access, int32(dir)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("landlock_add_rule: %w", errno)
	}
	return nil
}
