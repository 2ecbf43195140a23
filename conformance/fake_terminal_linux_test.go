// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"

	"golang.org/x/sys/unix"
)

// keepTerminal returns what sets a terminal back to how it is now.
func keepTerminal(f *os.File) func() {
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return func() {}
	}
	return func() { unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t) }
}
