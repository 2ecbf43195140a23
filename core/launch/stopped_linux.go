// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Commands can stop what is inside beside them: the process that executes the
// list of a further command, and the nursery of a fence. SIGSTOP cannot be
// blocked, so who was stopped is told to go on.

// mostStops is how often that is done during one start. What stops a process
// once is a mistake, or an attack that is over; what does it a hundred times
// will not let a command start.
const mostStops = 100

// stops counts them.
type stops int

// goOn has a child of the caller go on if it was stopped since the last look.
func (n *stops) goOn(pid int) error {
	var info unix.Siginfo
	if unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WNOHANG, nil) != nil || info.Signo == 0 {
		return nil // whether it ended is not learned here
	}
	if *n++; *n > mostStops {
		return diag.New(diag.LaunchFailed, "the command could not be started: a command inside stops the process that makes it, again and again", "end that command, or open a new sandbox")
	}
	_ = unix.Kill(pid, unix.SIGCONT) // not reaped, so the id is its own
	return nil
}
