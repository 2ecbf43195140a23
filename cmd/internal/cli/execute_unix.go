// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// execute becomes another program, with the same process id, streams and
// terminal. Where stdin is not nil it takes the place of the standard input.
func execute(path string, args, environ []string, stdin *os.File) error {
	if stdin != nil {
		if err := unix.Close(0); err != nil {
			return err
		}
		if _, err := unix.Dup(int(stdin.Fd())); err != nil { // the lowest free one is 0
			return err
		}
	}
	return syscall.Exec(path, args, environ)
}
