// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sandboxexec

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// terminal is the caller's terminal while a command has, or may get, it. A
// command is a process group of its own, so it is to caisson what a job is to
// a shell: it is given the terminal, it stops and goes on together with the
// caller, and what it leaves the terminal in is repaired.
type terminal struct {
	fd    int           // of its own; closed by restore
	group int           // the caller's
	modes *unix.Termios // at the start
	told  bool          // that it hung up
}

// openTerminal returns the terminal that a file is, or nil where it is none of
// the caller's session.
func openTerminal(f *os.File) *terminal {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	fd := -1 // a copy, for the caller may close its file
	err = raw.Control(func(n uintptr) { fd, _ = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 3) })
	if err != nil || fd < 0 {
		return nil
	}
	t := &terminal{fd: fd, group: unix.Getpgrp()}
	if t.modes, err = unix.IoctlGetTermios(fd, getModes); err == nil {
		_, err = unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	}
	if err != nil {
		unix.Close(fd)
		return nil
	}
	return t
}

// holder is the process group that has the terminal, 0 where it hung up.
func (t *terminal) holder() int {
	group, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	if err != nil {
		return 0
	}
	return group
}

// handOver has a command that is being started get the terminal, if the caller
// has it. It happens in the child, so that no key goes to the caller once the
// command runs.
func (t *terminal) handOver(attr *syscall.ProcAttr) {
	if t.holder() == t.group {
		attr.Sys.Foreground, attr.Sys.Ctty = true, t.fd
	}
}

// set makes a group that of the terminal. From the background that sends
// SIGTTOU, which would stop the caller. Go cannot block a signal for one thread
// of macOS, so it is ignored for a moment, and nothing is forked meanwhile: a
// command would inherit that.
func (t *terminal) set(group int) {
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	if !signal.Ignored(unix.SIGTTOU) {
		signal.Ignore(unix.SIGTTOU)
		defer signal.Reset(unix.SIGTTOU)
	}
	_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, group) // it may be gone
}

// hangUp tells a command, once, that the terminal is gone. The kernel tells the
// leader of the session, a shell its jobs; to them the job is the caller.
func (t *terminal) hangUp(command int) {
	if !t.told && t.holder() == 0 {
		t.told = true
		_ = unix.Kill(-command, unix.SIGHUP)
	}
}

// restore takes the terminal back from a command that ended, with the modes
// that it had. A shell outside may have it by now, as after Ctrl-Z and bg:
// then it stays with the shell.
func (t *terminal) restore(command int, inside func(group int) bool) {
	if t == nil {
		return
	}
	defer unix.Close(t.fd)
	holder := t.holder()
	lost := holder > 0 && unix.Kill(-holder, 0) == unix.ESRCH
	if holder != t.group && holder != command && !lost && !inside(holder) {
		return
	}
	if holder != t.group {
		t.set(t.group)
	}
	if t.holder() == t.group {
		_ = unix.IoctlSetTermios(t.fd, setModes, t.modes)
	}
}

// stopped follows a stop of the command. One that wants the terminal while the
// caller has it, for it was started in the background and brought to the
// foreground since, gets it. Otherwise the caller stops as well, as the shell
// outside expects, which takes the terminal, and goes on with the command. Where no
// shell could have it go on, the command goes on at once, as the kernel would
// not have stopped it in the caller's group: its keys do nothing, and who waits
// for a terminal that it cannot get is hung up.
func (t *terminal) stopped(command int, by syscall.Signal, orphaned bool) {
	wants := by == unix.SIGTTIN || by == unix.SIGTTOU
	switch {
	case wants && t.holder() == t.group:
	case orphaned && wants:
		_ = unix.Kill(-command, unix.SIGHUP)
	case orphaned:
	default:
		stopGroup()
	}
	if t.holder() == t.group { // not after bg
		t.set(command)
	}
	_ = unix.Kill(-command, unix.SIGCONT)
}

// stopGroup stops the caller's process group and returns when it goes on. The
// calling thread may run for a while after it sent the signal: a command that
// it had go on then would read what is typed for the shell.
func stopGroup() {
	goesOn := make(chan os.Signal, 1)
	signal.Notify(goesOn, unix.SIGCONT)
	defer signal.Stop(goesOn)
	if unix.Kill(0, unix.SIGSTOP) == nil {
		<-goesOn
	}
}

// orphaned reports whether the caller's process group is: no member has a
// parent in its session that is of another group, as a shell with jobs is. It
// is the definition of POSIX.
func orphaned(system System) bool {
	all, err := system.List()
	if err != nil {
		return false
	}
	groups := map[int]int{}
	for _, i := range all {
		groups[i.PID] = i.Group
	}
	own := unix.Getpgrp()
	session, _ := unix.Getsid(0) // of this process there is always one
	for _, i := range all {
		if i.Group != own || groups[i.Parent] == own {
			continue
		}
		if of, err := unix.Getsid(i.Parent); err == nil && of == session {
			return false
		}
	}
	return true
}
