// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// programs names the programs of a snapshot of the system, by process id, see
// CreateToolhelp32Snapshot.
func programs() (map[uint32]string, error) {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return nil, err
	}
	defer windows.CloseHandle(snapshot)
	all := map[uint32]string{}
	entry := windows.ProcessEntry32{}
	entry.Size = uint32(unsafe.Sizeof(entry))
	for err := windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		all[entry.ProcessID] = windows.UTF16ToString(entry.ExeFile[:])
	}
	return all, nil
}
