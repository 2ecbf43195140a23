// SPDX-License-Identifier: Apache-2.0

// Package testkit is what the tests of several commands share. No command
// imports it.
package testkit

import (
	"io"
	"os"
	"syscall"
)

// CopyFile copies a file to a new one of the mode, less the umask. Tests copy
// their own executable so, /proc/self/exe, to where another user or a sandbox
// can execute it.
func CopyFile(to, from string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	syscall.ForkLock.RLock() // a child that still had it open would make it busy, see ETXTBSY in execve(2)
	defer syscall.ForkLock.RUnlock()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}
