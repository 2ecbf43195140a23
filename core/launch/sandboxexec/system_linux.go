// SPDX-License-Identifier: Apache-2.0

package sandboxexec

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The requests of tcgetattr(3) and tcsetattr(3) with TCSADRAIN.
const (
	getModes = unix.TCGETS
	setModes = unix.TCSETSW
)

// renameNew moves a file to a name that nothing has, see renameat2(2).
func renameNew(from int, name string, to int, newName string) error {
	return unix.Renameat2(from, name, to, newName, unix.RENAME_NOREPLACE)
}

// TTYName returns the path of the terminal that a descriptor is, or "".
func TTYName(fd int) string {
	if _, err := unix.IoctlGetTermios(fd, getModes); err != nil {
		return ""
	}
	name, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)) // "" where it has none
	return name
}
