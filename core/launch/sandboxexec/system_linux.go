// SPDX-License-Identifier: Apache-2.0

package sandboxexec

import "golang.org/x/sys/unix"

// The requests of tcgetattr(3) and tcsetattr(3) with TCSADRAIN.
const (
	getModes = unix.TCGETS
	setModes = unix.TCSETSW
)

// renameNew moves a file to a name that nothing has, see renameat2(2).
func renameNew(from int, name string, to int, newName string) error {
	return unix.Renameat2(from, name, to, newName, unix.RENAME_NOREPLACE)
}
