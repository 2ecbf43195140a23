// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// isInherited is false: descriptor numbers are a matter of unix. A number of a
// handle means something in one process alone, and what inherits it is not said
// by the shell.
func isInherited(int) bool { return false }

// notInherited says what to do instead.
func notInherited(n int) error {
	return diag.New(diag.DescriptorDenied, fmt.Sprintf("--fd %d: Windows passes on no descriptors by their number, only the three standard streams", n),
		"pass what the command needs by its standard input, or as a file in the workspace")
}

func isTerminal(f *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil
}

// isOwn is true: on Windows users make nothing in a directory around another's
// files but in the root of a drive, which is never looked at.
func isOwn(os.FileInfo) bool { return true }

// sameOwner is true, likewise.
func sameOwner(os.FileInfo, os.FileInfo) bool { return true }
