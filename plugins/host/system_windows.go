// SPDX-License-Identifier: Apache-2.0

package host

import (
	"strings"

	"golang.org/x/sys/windows"
)

// ofSystem reports whether a program lies in the system's directory.
func ofSystem(name string) bool {
	dir, err := windows.GetSystemDirectory()
	return err == nil && strings.HasPrefix(strings.ToLower(name), strings.ToLower(dir)+`\`)
}
