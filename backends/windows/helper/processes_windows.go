// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/windows"
)

// sizeOfEntry is the size of PROCESSENTRY32W on 64-bit systems.
const sizeOfEntry = 568

// endAccount ends every process that runs as an account, until none is left but
// those that keep reports.
func endAccount(sid string, keep func(windows.ProcessEntry32) bool) error {
	for range 20 {
		n, err := endProcesses(sid, keep)
		if err != nil || n == 0 {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("programs of the account start anew as fast as they are ended")
}

// itself reports whether a process is this one, or the host of its console: a
// process of the system's, that runs as the same account. What has this process
// as its parent and is a command is in the job.
func itself(e windows.ProcessEntry32) bool {
	self := uint32(os.Getpid())
	return e.ProcessID == self || e.ParentProcessID == self && strings.EqualFold(windows.UTF16ToString(e.ExeFile[:]), "conhost.exe")
}

// endProcesses ends the processes that run as an account but for those that
// keep reports, and counts them.
func endProcesses(sid string, keep func(windows.ProcessEntry32) bool) (n int, err error) {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return 0, fmt.Errorf("list the processes: %w", err)
	}
	defer windows.CloseHandle(snapshot)
	entry := windows.ProcessEntry32{Size: sizeOfEntry}
	var errs []error
	for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		if keep(entry) {
			continue
		}
		ended, err := endProcess(entry.ProcessID, sid)
		if ended {
			n++
		}
		errs = append(errs, err)
	}
	return n, errors.Join(errs...)
}

// endProcess ends a process if it runs as the account. One that cannot be
// opened is none of ours: an administrator opens those of an ordinary account,
// and the account itself those of its own.
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
