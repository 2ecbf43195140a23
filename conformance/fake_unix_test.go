// SPDX-License-Identifier: Apache-2.0

//go:build unix

package conformance

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

func processGroup() int { return unix.Getpgrp() }

func alive(pid int) bool { return unix.Kill(pid, 0) == nil }

// closeDescriptors keeps descriptors up to last from a command.
func closeDescriptors(last int, filesOnly bool) {
	for fd := 3; fd <= last; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil || filesOnly && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			continue
		}
		unix.CloseOnExec(fd)
	}
}

func inBackground(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// again opens a second descriptor of a file.
func again(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
