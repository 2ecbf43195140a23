// SPDX-License-Identifier: Apache-2.0

package sandboxexec

import "golang.org/x/sys/unix"

// The requests of tcgetattr(3) and tcsetattr(3) with TCSADRAIN.
const (
	getModes = unix.TIOCGETA
	setModes = unix.TIOCSETAW
)

// renameNew moves a file to a name that nothing has, see renameatx_np(2).
func renameNew(from int, name string, to int, newName string) error {
	return unix.RenameatxNp(from, name, to, newName, unix.RENAME_EXCL)
}
