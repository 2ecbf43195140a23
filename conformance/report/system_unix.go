// SPDX-License-Identifier: Apache-2.0

//go:build unix

package report

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// system returns the kernel's release, see uname(2), and the distribution's
// name, see os-release(5).
func system() (kernel, name string) {
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	text, _ := os.ReadFile("/etc/os-release")
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			name = strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return kernel, name
}
