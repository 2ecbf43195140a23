// SPDX-License-Identifier: Apache-2.0

package host

import "golang.org/x/sys/windows"

// lives reports whether there is a process of an id, anybody's.
func lives(pid int) bool {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return err != windows.ERROR_INVALID_PARAMETER
	}
	_ = windows.CloseHandle(h)
	return true
}
