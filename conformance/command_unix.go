// SPDX-License-Identifier: Apache-2.0

//go:build unix

package conformance

import (
	"os"
	"os/exec"
	"syscall"
)

// apart keeps a tool away from the suite's process group and terminal: in a
// session of its own, with its standard input as terminal where it is one.
func apart(cmd *exec.Cmd, terminal bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: terminal}
}

// endSignal is the number of the signal that ended a process, or 0.
func endSignal(s *os.ProcessState) int {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return int(w.Signal())
	}
	return 0
}

// asked is what a victim says to ask.
const asked = "window changed\n"

// ask sends a signal that no case uses.
func ask(p *os.Process) bool { return p.Signal(syscall.SIGWINCH) == nil }
