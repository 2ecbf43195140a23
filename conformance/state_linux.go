// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func flagsOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" flags %#x", flags)
}
