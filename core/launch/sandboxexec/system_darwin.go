// SPDX-License-Identifier: Apache-2.0

package sandboxexec

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// The requests of tcgetattr(3) and tcsetattr(3) with TCSADRAIN.
const (
	getModes = unix.TIOCGETA
	setModes = unix.TIOCSETAW
)

// renameNew moves a file to a name that nothing has, see renameatx_np(2).
func renameNew(from int, name string, to int, newName string) error {
	return unix.RenameatxNp(from, name, to, newName, unix.RENAME_EXCL)
}

// TTYName returns the path of the terminal that a descriptor is, or "". It is
// found by its device number, as ttyname(3) does.
func TTYName(fd int) string {
	var st unix.Stat_t
	if _, err := unix.IoctlGetTermios(fd, getModes); err != nil || unix.Fstat(fd, &st) != nil {
		return ""
	}
	names, _ := os.ReadDir("/dev") // what was read before an error counts
	for _, n := range names {
		var dev unix.Stat_t
		name := "/dev/" + n.Name()
		if strings.HasPrefix(n.Name(), "ttys") && unix.Lstat(name, &dev) == nil && dev.Mode&unix.S_IFMT == unix.S_IFCHR && dev.Rdev == st.Rdev {
			return name
		}
	}
	return ""
}
