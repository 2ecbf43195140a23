// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"os"

	"golang.org/x/sys/unix"
)

// findTerminal returns the path of the terminal that one of the standard
// streams is connected to, or "". See ioctl_tty(2).
func findTerminal() string {
	for _, name := range []string{"0", "1", "2"} {
		if _, err := unix.IoctlGetTermios(int(name[0]-'0'), unix.TCGETS); err != nil {
			continue
		}
		if path, err := os.Readlink("/proc/self/fd/" + name); err == nil {
			return path
		}
	}
	return ""
}
