// SPDX-License-Identifier: Apache-2.0

//go:build unix

package host

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
)

// keepDescriptors marks what this process inherited as its own: a terminal or
// the socket of an agent, say, that its caller left open for its children.
// Descriptors that a command is granted are passed to it by number all the same.
func keepDescriptors() error {
	dir := "/dev/fd"
	if runtime.GOOS == "linux" {
		dir = "/proc/self/fd"
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 2 {
			syscall.CloseOnExec(n)
		}
	}
	return nil
}
