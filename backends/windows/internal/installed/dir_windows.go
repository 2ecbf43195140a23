// SPDX-License-Identifier: Apache-2.0

package installed

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// Dir is the directory below which setup keeps what belongs to the
// machine: logs, and a directory for each install.
func Dir() (string, error) {
	dir, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, windows.KF_FLAG_DONT_VERIFY)
	if err != nil {
		return "", fmt.Errorf("find ProgramData: %w", err)
	}
	return filepath.Join(dir, "caisson"), nil
}
