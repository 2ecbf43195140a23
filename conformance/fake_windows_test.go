// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"os/exec"

	"golang.org/x/sys/windows"
)

func processGroup() int { return 0 }

func alive(pid int) bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(h)
	event, err := windows.WaitForSingleObject(h, 0)
	return err == nil && event == uint32(windows.WAIT_TIMEOUT)
}

func closeDescriptors(int, bool) {}

func inBackground(*exec.Cmd) {}

// again opens a second handle of a file.
func again(f *os.File) (*os.File, error) {
	var h windows.Handle
	me := windows.CurrentProcess()
	if err := windows.DuplicateHandle(me, windows.Handle(f.Fd()), me, &h, 0, false, windows.DUPLICATE_SAME_ACCESS); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(h), f.Name()), nil
}
