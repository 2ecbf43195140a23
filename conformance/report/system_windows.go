// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// system returns the version of Windows, see RtlGetVersion.
func system() (kernel, name string) {
	v := windows.RtlGetVersion()
	return fmt.Sprintf("Windows %d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber), ""
}
