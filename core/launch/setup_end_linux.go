// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// readyMessage places the message of process 1: its kind, then one bit per
// step that was applied.
func (s *setup) readyMessage() arg {
	return s.words(append([]arg{num(msgReady), num(0), num(0)}, make([]arg, len(s.plan.Steps)/64)...)...)
}

func (s *setup) readySize() int { return 8 * (3 + len(s.plan.Steps)/64) }

// finish restricts process 1, tells the supervisor, and waits to be killed.
func (s *setup) finish() error {
	var fds []cell
	for _, kind := range s.kinds {
		fd := s.cell(0)
		s.call("open the "+kind+" namespace", unix.SYS_OPENAT, atFDCWD, s.str("/proc/1/ns/"+nsFile(kind)), num(unix.O_RDONLY|unix.O_CLOEXEC)).to(fd)
		fds = append(fds, fd)
	}
	diag := s.cell(0)
	s.call("make a socket for unix_diag", unix.SYS_SOCKET, num(unix.AF_NETLINK), num(unix.SOCK_RAW|unix.SOCK_CLOEXEC), num(unix.NETLINK_SOCK_DIAG)).to(diag)
	fds = append(append(fds, diag), s.covers...)

	ignore := s.words(num(1), num(0), num(0), num(0)) // SIG_IGN: orphans are reaped by the kernel
	s.call("reap orphans", unix.SYS_RT_SIGACTION, num(int(unix.SIGCHLD)), ignore, num(0), num(8))
	s.hideMemory()
	for i, step := range s.plan.Steps {
		s.step = i
		switch st := step.(type) {
		case plan.Privileges:
			s.dropPrivileges()
		case plan.Landlock:
			if err := s.landlockRules(st, setupRuleset); err != nil {
				return err
			}
			s.call("restrict process 1 by Landlock", unix.SYS_LANDLOCK_RESTRICT_SELF, num(setupRuleset), num(0))
		case plan.Seccomp:
			s.filter(onlyWaiting(), 0)
		default:
			continue
		}
		s.done(i)
	}
	s.step = -1
	s.sendDescriptors("tell the supervisor", setupControl, s.message, s.readySize(), fds...)
	s.call("close everything", unix.SYS_CLOSE_RANGE, num(0), num(1<<32-1), num(0))
	s.call("wait to be killed", unix.SYS_PPOLL, num(0), num(0), num(0), num(0), num(8)).with(flagIgnore)
	again := s.call("wait again", nrCheck, s.words(num(0)), num(0), num(1)).with(flagOnError)
	again.jump = len(s.entries) - 2
	return nil
}
