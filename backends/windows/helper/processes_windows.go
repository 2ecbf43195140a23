// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
)

// sizeOfEntry is the size of PROCESSENTRY32W on 64-bit systems.
const sizeOfEntry = 568

// endProcesses ends every process that runs as an account, and counts them.
func endProcesses(sid string) (n int, err error) {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return 0, fmt.Errorf("list the processes: %w", err)
	}
	defer windows.CloseHandle(snapshot)
	entry := windows.ProcessEntry32{Size: sizeOfEntry}
	var errs []error
	for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		ended, err := endProcess(entry.ProcessID, sid)
		if ended {
			n++
		}
		errs = append(errs, err)
	}
	return n, errors.Join(errs...)
}

// endProcess ends a process if it runs as the account. One that cannot be
// opened is none of ours: an administrator opens those of an ordinary account.
func endProcess(pid uint32, sid string) (bool, error) {
	p, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.PROCESS_TERMINATE, false, pid)
	if err != nil {
		return false, nil
	}
	defer windows.CloseHandle(p)
	var token windows.Token
	if windows.OpenProcessToken(p, windows.TOKEN_QUERY, &token) != nil {
		return false, nil
	}
	defer token.Close()
	u, err := token.GetTokenUser()
	if err != nil || u.User.Sid.String() != sid {
		return false, nil
	}
	if err := windows.TerminateProcess(p, 1); err != nil && !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return false, fmt.Errorf("end process %d: %w", pid, err)
	}
	return true, nil
}
