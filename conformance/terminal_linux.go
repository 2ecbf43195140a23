// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"

	"golang.org/x/sys/unix"
)

// rawMode makes a terminal count what is typed at once, without waiting for a
// line.
func rawMode(f *os.File) error {
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	t.Lflag &^= unix.ECHO | unix.ICANON
	return unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t)
}

// waitingInput is how many bytes wait to be read from a terminal.
func waitingInput(f *os.File) int {
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

// cooked reports whether a terminal works line by line, with echo.
func cooked(f *os.File) bool {
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil && t.Lflag&unix.ICANON != 0 && t.Lflag&unix.ECHO != 0
}
