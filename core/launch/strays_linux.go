// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The caller is the parent of the commands, so two calls of theirs hand it what
// it did not make: clone(2) with CLONE_PARENT makes further children of the
// caller, and PTRACE_TRACEME makes the caller the tracer of a thread. Both stay
// when they are dead until the caller waits for them: a thread keeps its command,
// and everything keeps process 1, from coming to an end.

// What is dead of the first kind while the sandbox is open is reaped when a command
// starts or ends: a command leaves no more behind with the caller than it could
// leave unreaped itself.

// kin are the children of the caller that somebody waits for. Who reaps a stray
// must take none of them.
type kin struct {
	mu     sync.Mutex
	unborn int          // that are being made, and whose ids are not known
	known  map[int]bool // by id
}

// expect says that a child is being made. It ends with gone.
func (k *kin) expect() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unborn++
}

// know makes a child known.
func (k *kin) know(pid int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.known = map[int]bool{}
	}
	k.known[pid] = true
}

// gone says that a child that was expected is known, reaped, or was not made.
func (k *kin) gone() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unborn--
}

// bury reaps a known child that is dead. Its id is free then for another one.
func (k *kin) bury(pid int, wait func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	wait()
	delete(k.known, pid)
}

// sweep reaps what is dead of the sandbox and nobody waits for. It costs one call
// where no child of the caller is dead.
func (s *Sandbox) sweep() {
	if s.wrapped != nil { // its processes are not known from the caller's
		return
	}
	s.kin.mu.Lock()
	defer s.kin.mu.Unlock()
	var dead unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &dead, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG|unix.WALL, nil)
	if s.kin.unborn > 0 || err != nil || dead.Signo == 0 {
		return
	}
	for _, pid := range children(os.Getpid()) {
		if pid != s.init && !s.kin.known[pid] && s.inside(pid) {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG|unix.WALL, nil) // it may live
		}
	}
}

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
// somebody else waits for. It says whether one of those lives.
func (s *Sandbox) reapStrays(all bool) (lives bool) {
	for _, pid := range children(os.Getpid()) {
		if pid == s.init || !s.inside(pid) {
			continue
		}
		reapThreads(pid)
		if all {
			got, err := unix.Wait4(pid, nil, unix.WNOHANG|unix.WALL, nil)
			lives = lives || got == 0 && err == nil
		}
	}
	return lives
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
