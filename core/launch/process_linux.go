// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a command that was started. Its methods may be called from
// several goroutines at once.
type Process struct {
	sandbox  *Sandbox
	pid      int
	ownGroup bool

	mu     sync.Mutex // held while the process is signalled, so that its id stays its own
	reaped bool
	done   chan struct{} // closed when status and err are set
	status Status
	err    error

	reopened  []int       // copies of files opened again, for their offsets
	sources   []*os.File  // the caller's, in the same order
	flags     []savedFlag // file status flags at the start
	tty       int         // descriptor of the terminal, -1 for none
	termios   *unix.Termios
	exclusive bool // nobody else might open the terminal at the start
	group     int  // foreground process group at the start
}

type savedFlag struct {
	file  *os.File
	flags int
}

// Pid is the process id of the command, in the caller's namespace.
func (p *Process) Pid() int { return p.pid }

// Wait waits for the command to end. What it may have changed of the caller's
// descriptors is restored then: terminal settings, status flags, offsets.
func (p *Process) Wait() (Status, error) {
	<-p.done
	return p.status, p.err
}

// reap waits for the command whether or not anyone calls Wait: process 1
// cannot end while a command that entered is not reaped.
func (p *Process) reap() {
	defer p.sandbox.running.end()
	p.sandbox.sweep()
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, p.pid, &info, unix.WEXITED|unix.WNOWAIT|p.stops(), nil)
		if err == nil && info.Code == cldTrapped {
			// It asked to be traced by who started it, see PTRACE_TRACEME in ptrace(2):
			// nobody would ever have it go on.
			_ = unix.Kill(p.pid, unix.SIGKILL)
			continue
		}
		if err == unix.EINTR || err == nil && p.ownGroup && p.stopped() {
			continue
		}
		break
	}
	p.mu.Lock()
	p.sandbox.kin.bury(p.pid, func() { _, p.err = syscall.Wait4(p.pid, &p.status.Wait, 0, &p.status.Usage) })
	p.reaped = true
	p.mu.Unlock()
	if p.sandbox.wrapped != nil {
		p.sandbox.wrapped.drop(p)
	}
	if p.sandbox.fence != nil {
		p.sandbox.fence.drop(p)
	}
	p.restoreFiles()
	close(p.done)
	p.sandbox.sweep()
}

// cldTrapped is CLD_TRAPPED of siginfo.h: a child that is traced has stopped.
const cldTrapped = 4

// Signal sends a signal to the command.
func (p *Process) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return os.ErrProcessDone
	}
	if p.ownGroup && sig != unix.SIGKILL {
		return unix.Kill(-p.pid, sig)
	}
	return unix.Kill(p.pid, sig)
}

// Kill kills the command and its descendants. What has left the tree (its
// parent ended) lives until the sandbox is closed.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return os.ErrProcessDone
	}
	if p.sandbox.wrapped != nil {
		_ = unix.Kill(-p.pid, unix.SIGKILL) // its group
		return unix.Kill(p.pid, unix.SIGKILL)
	}
	// Each one is stopped before its children are listed, so that none is
	// made behind our back, and killed only after the last was found.
	tree := []int{p.pid}
	for i := 0; i < len(tree); i++ {
		p.sandbox.signalInside(tree[i], unix.SIGSTOP)
		awaitStop(tree[i])
		tree = append(tree, children(tree[i])...)
	}
	var dying []unix.PollFd
	for _, pid := range tree {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			dying = append(dying, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
		p.sandbox.signalInside(pid, unix.SIGKILL)
	}
	awaitDeath(dying)
	reapThreads(p.pid)
	return nil
}

// deathPatience bounds the wait for processes that were killed.
const deathPatience = 500 * time.Millisecond

// awaitDeath waits until processes are dead, so that nothing of a tree is seen
// any more once its command was waited for, and closes their descriptors.
func awaitDeath(dying []unix.PollFd) {
	end := time.Now().Add(deathPatience)
	for _, one := range dying {
		if left := time.Until(end); left > 0 {
			_, _ = unix.Poll([]unix.PollFd{one}, int(left.Milliseconds())+1)
		}
		unix.Close(int(one.Fd))
	}
}

// stopPatience bounds the wait for one process to stop. Who sleeps in the kernel
// cannot fork meanwhile.
const stopPatience = 100 * time.Millisecond

// awaitStop waits until no thread of a process runs: a signal is only pending
// when kill(2) returns, and a fork that is under way would come to its end.
func awaitStop(pid int) {
	for end := time.Now().Add(stopPatience); running(pid) && time.Now().Before(end); {
		time.Sleep(100 * time.Microsecond)
	}
}

// running reports whether a thread of a process is neither stopped nor dead, see
// proc_pid_stat(5).
func running(pid int) bool {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return false
	}
	for _, t := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, t.Name()))
		if err != nil {
			continue
		}
		state := text[bytes.LastIndexByte(text, ')')+1:]
		if len(state) > 1 && !bytes.ContainsRune([]byte("TtZXx"), rune(state[1])) {
			return true
		}
	}
	return false
}

// children lists the children of a process, see proc_pid_task(5).
func children(pid int) []int {
	var list []int
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	for _, t := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(f); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// signalInside signals a process if it is of the sandbox. The id may have
// become another process's meanwhile: the descriptor is opened first, then its
// namespace is compared.
func (s *Sandbox) signalInside(pid int, sig unix.Signal) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if s.inside(pid) {
		_ = unix.PidfdSendSignal(fd, sig, nil, 0)
	}
}

// inside reports whether a process is in the sandbox: in its pid namespace,
// where it has one.
func (s *Sandbox) inside(pid int) bool {
	if s.fence != nil {
		return s.fence.holds(pid)
	}
	var theirs unix.Stat_t
	if unix.Stat(fmt.Sprintf("/proc/%d/ns/pid", pid), &theirs) != nil {
		return false
	}
	return theirs.Ino == s.pidSpace.Ino && theirs.Dev == s.pidSpace.Dev
}

// saveFiles notes what of the caller's descriptors the command can change.
func (p *Process) saveFiles(c Command, in *inherited) {
	p.tty = -1
	for _, r := range in.reopen {
		if r.offset >= 0 {
			p.sources = append(p.sources, c.Files[r.fd])
		}
	}
	for n, f := range c.Files {
		if f == nil || n > 2 {
			continue
		}
		if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); err == nil {
			p.flags = append(p.flags, savedFlag{f, flags})
		}
		if t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil && p.tty < 0 && !c.NewSession {
			p.tty, p.termios = int(f.Fd()), t
			p.group, _ = unix.IoctlGetInt(p.tty, unix.TIOCGPGRP)
			exclusive, _ := unix.IoctlGetInt(p.tty, unix.TIOCGEXCL)
			p.exclusive = exclusive != 0
		}
	}
}

// restoreFiles undoes what the command left on the caller's descriptors.
func (p *Process) restoreFiles() {
	for i, fd := range p.reopened {
		if off, err := unix.Seek(fd, 0, unix.SEEK_CUR); err == nil && i < len(p.sources) {
			_, _ = unix.Seek(int(p.sources[i].Fd()), off, unix.SEEK_SET)
		}
		unix.Close(fd)
	}
	p.reopened = nil
	for _, s := range p.flags {
		_, _ = unix.FcntlInt(s.file.Fd(), unix.F_SETFL, s.flags)
	}
	// Only who was in the foreground has a terminal to get back: from the
	// background the ioctls would stop the caller.
	if p.tty >= 0 && p.group == unix.Getpgrp() && p.holdsTerminal() {
		p.sandbox.thread.do(func() {
			withoutTTOU(func() {
				_ = unix.IoctlSetPointerInt(p.tty, unix.TIOCSPGRP, p.group)
				// First what else would make others wait or fail: output that is
				// held, see tcflow in termios(3), and a terminal that nobody may open.
				_ = unix.IoctlSetInt(p.tty, unix.TCXONC, flowOn)
				if !p.exclusive {
					_ = unix.IoctlSetInt(p.tty, unix.TIOCNXCL, 0)
				}
				_ = unix.IoctlSetTermios(p.tty, unix.TCSETSW, p.termios)
			})
		})
	}
}

// flowOn is TCOON of tcflow in termios(3), the same on every architecture.
const flowOn = 1

// holdsTerminal reports whether the caller's terminal is still with the caller,
// or with something of the sandbox, alive or gone. A shell outside may have
// taken it since, as after Ctrl-Z and bg; without it that shell would end.
func (p *Process) holdsTerminal() bool {
	group, err := unix.IoctlGetInt(p.tty, unix.TIOCGPGRP)
	if err != nil || group <= 0 {
		return false
	}
	return group == p.group || group == p.pid || p.sandbox.inside(group) || unix.Kill(-group, 0) == unix.ESRCH
}

// withoutTTOU runs f with SIGTTOU blocked for the calling thread.
func withoutTTOU(f func()) {
	var set, old unix.Sigset_t
	set.Val[0] = 1 << (unix.SIGTTOU - 1)
	if unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old) != nil {
		return
	}
	f()
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
}

// stops is WSTOPPED where the command has a process group of its own, so that
// the caller must stop and go on with it.
func (p *Process) stops() int {
	if p.ownGroup && p.tty >= 0 {
		return unix.WSTOPPED
	}
	return 0
}

// stopped handles a stop of a command in its own process group: the caller's
// group takes the terminal, stops as a shell expects, and gives the terminal
// back when it goes on.
func (p *Process) stopped() bool {
	var info unix.Siginfo // an end is left for who reaps
	if unix.Waitid(unix.P_PID, p.pid, &info, unix.WSTOPPED|unix.WNOHANG, nil) != nil || info.Signo != int32(unix.SIGCHLD) {
		return false
	}
	own := unix.Getpgrp()
	set := func(group int) {
		p.sandbox.thread.do(func() {
			withoutTTOU(func() { _ = unix.IoctlSetPointerInt(p.tty, unix.TIOCSPGRP, group) })
		})
	}
	set(own)
	_ = unix.Kill(0, unix.SIGSTOP)
	set(p.pid)
	_ = unix.Kill(-p.pid, unix.SIGCONT)
	return true
}
