// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// apart keeps a tool away from the suite's console group.
func apart(cmd *exec.Cmd, _ bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// endSignal is 0: no signal ends a process on Windows.
func endSignal(*os.ProcessState) int { return 0 }

const asked = ""

func ask(*os.Process) bool { return false }
