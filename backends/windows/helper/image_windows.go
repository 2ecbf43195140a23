// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// otherWriters names who may change a file or a directory, besides the system,
// administrators, the installer of Windows and the user who runs this.
func otherWriters(path string) ([]string, error) {
	h, err := open(path, windows.READ_CONTROL)
	if err != nil {
		return nil, err
	}
	defer windows.CloseHandle(h)
	s, err := winapi.FileSecurity(h)
	if err != nil {
		return nil, err
	}
	self, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, err
	}
	return Writers(s.Owner, s.List, self.User.Sid.String())
}
