// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// findTerminal returns the path of the terminal that one of the standard
// streams is connected to, or "". It is found by its device number, as
// ttyname(3) does.
func findTerminal() string {
	for fd := range 3 {
		if _, err := unix.IoctlGetTermios(fd, unix.TIOCGETA); err != nil {
			continue
		}
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil {
			continue
		}
		names, err := os.ReadDir("/dev")
		if err != nil {
			return ""
		}
		for _, n := range names {
			var dev unix.Stat_t
			name := "/dev/" + n.Name()
			if strings.HasPrefix(n.Name(), "ttys") && unix.Lstat(name, &dev) == nil && dev.Mode&unix.S_IFMT == unix.S_IFCHR && dev.Rdev == st.Rdev {
				return name
			}
		}
	}
	return ""
}
