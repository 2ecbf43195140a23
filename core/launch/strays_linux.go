// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The caller is the parent of the commands, so two calls of theirs hand it what
// it did not make: clone(2) with CLONE_PARENT makes further children of the
// caller, and PTRACE_TRACEME makes the caller the tracer of a thread. Both stay
// when they are dead until the caller waits for them: a thread keeps its command,
// and everything keeps process 1, from coming to an end.

// strayPause is how long an end may take before somebody looks for strays.
const strayPause = 5 * time.Millisecond

// reapUntil looks for strays until a channel is closed. Where the children of
// the caller are known to be strays, those are reaped as well as threads.
func (s *Sandbox) reapUntil(done <-chan struct{}, all bool) {
	for {
		select {
		case <-done:
			return
		case <-time.After(strayPause):
			s.reapStrays(all)
		}
	}
}

// awaitReaped waits until every command that was killed is reaped.
func (s *Sandbox) awaitReaped() {
	reaped := make(chan struct{})
	go func() { s.running.Wait(); close(reaped) }()
	s.reapUntil(reaped, false)
}

// reapStrays reaps the dead threads that the caller traces, and with all the
// dead children that are of the sandbox: no command may be left then that
// somebody else waits for.
func (s *Sandbox) reapStrays(all bool) {
	for _, pid := range children(os.Getpid()) {
		if pid == s.init || !s.inside(pid) {
			continue
		}
		reapThreads(pid)
		if all {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG|unix.WALL, nil) // it may live
		}
	}
}

// reapThreads reaps the dead threads of a child that the caller traces. To wait
// for any other thread is an error.
func reapThreads(pid int) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return
	}
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil && tid != pid {
			_, _ = unix.Wait4(tid, nil, unix.WNOHANG|unix.WALL, nil)
		}
	}
}
