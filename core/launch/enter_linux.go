// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/launch/seccomp"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// entering is the list that makes one command in a running sandbox. A first
// process joins the namespaces, restricts itself and forks the command as a
// child of the caller; it is invisible inside and shares no memory with
// anything. The command's process restores what it must and executes.
type entering struct {
	program
	control int // descriptor of the socket to the supervisor
	message arg // "attest" and what follows, see attestation
	mask    arg // the caller's signal mask
	steps   int
	less    bool                     // the command is to have less than its sandbox
	serve   func(listener int) error // what answers the calls of the command
}

// spec is what the supervisor knows of one command.
type spec struct {
	paths      []string // candidates, tried in order
	argv, env  []string
	dir        string
	std        int   // descriptors 0 … std-1 are the command's own; the rest are the launcher's
	closed     []int // those that the command is to have closed, where the launcher filled them
	reopen     []reopen
	terminal   int // descriptor to take as the terminal's foreground, -1: none
	ownGroup   bool
	newSession int // descriptor of the terminal of a session of its own, -1: none
	callerPID  int
	alone      bool // the process that runs the list becomes the command
	less       *lessened
}

// forkEntry is where the limits of a sandbox are met by its next command.
const forkEntry = "fork the command"

func enterProgram(p *plan.Plan, kinds int, filter []seccomp.Instruction, c spec) (*entering, error) {
	e := &entering{control: c.std, steps: len(p.Steps), less: c.less != nil}
	e.step = -1
	e.report = e.control
	words := append([]arg{num(msgAttest)}, make([]arg, attestWords+1+len(p.Steps)/64)...)
	words[1+attestReads], words[1+attestWrites] = arg{value: stageFailed}, arg{value: stageFailed}
	e.message = e.words(words...)
	domain := e.control + 1 + kinds
	image := domain
	if e.less {
		image++
	}
	e.call("keep the listed descriptors only", unix.SYS_CLOSE_RANGE, num(image), num(1<<32-1), num(0))
	// A key pressed now reaches this process too. Were it to die between the
	// fork and its report, nobody would know the command that it made.
	e.mask = e.words(num(0))
	e.call("block signals", unix.SYS_RT_SIGPROCMASK, num(unix.SIG_BLOCK), e.words(num(-1)), e.mask, num(8))
	e.call("die with the caller", unix.SYS_PRCTL, num(unix.PR_SET_PDEATHSIG), num(int(unix.SIGKILL)))
	parent := e.cell(0)
	e.call("look whether the caller lives", unix.SYS_GETPPID).to(parent)
	e.check("the caller lives", parent.at, ^uint64(0), uint64(c.callerPID))
	e.hideMemory()
	for i := range kinds {
		e.call(fmt.Sprintf("enter namespace %d", i), unix.SYS_SETNS, num(e.control+1+i), num(0))
	}
	if e.less {
		e.lessen(domain, c.less.readOnly)
	}
	e.call("go to "+c.dir, unix.SYS_CHDIR, e.str(c.dir))
	e.reopen(c.reopen)
	e.call("keep the command's descriptors only", unix.SYS_CLOSE_RANGE, num(e.control+1), num(1<<32-1), num(0))
	e.limits(p, c)
	for i, step := range p.Steps {
		e.step = i
		switch step.(type) {
		case plan.Privileges:
			if c.alone { // the nursery has none left
				break
			}
			e.boundCapabilities()
			e.dropPrivileges()
		case plan.Seccomp:
			e.install(filter)
		default:
			continue
		}
		e.done(i)
	}
	e.step = -1
	if c.alone {
		e.tryOutside(c)
		e.command(c)
		return e, nil
	}
	pid := e.cell(0)
	fork := e.call(forkEntry, unix.SYS_CLONE, num(unix.CLONE_PARENT|unix.CLONE_VM|int(unix.SIGCHLD))).to(pid)
	fork.jump = len(e.entries) + 2
	e.call("report the id of the command", unix.SYS_WRITE, num(e.control), pid.at, num(8))
	e.call("end the first process", unix.SYS_EXIT_GROUP, num(0))
	e.command(c)
	return e, nil
}

func (e *entering) done(i int) {
	e.mark(e.message.plus(8*(1+attestWords)+i/64*8), 1<<(i%64))
}

// install adds the filter; with a listener where the supervisor answers calls,
// which is handed over with what else it needs for that.
func (e *entering) install(code []seccomp.Instruction, with ...cell) {
	if !notifies(code) {
		e.filter(code, 0)
		return
	}
	listener := e.cell(0)
	e.filter(code, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV).to(listener)
	e.sendDescriptors("hand over the listener", e.control, e.words(num(msgListener), num(0), num(0)), 24, append([]cell{listener}, with...)...)
	e.call("close the listener", unix.SYS_CLOSE, listener.value())
}

func (e *entering) limits(p *plan.Plan, c spec) {
	for i, step := range p.Steps {
		if l, ok := step.(plan.Limits); ok {
			e.step = i
			core := e.words(num(int(l.Core)), num(int(l.Core)))
			e.call("limit core files", unix.SYS_PRLIMIT64, num(0), num(unix.RLIMIT_CORE), core, num(0))
			if l.ProcessesBy == "rlimit" {
				n := e.words(num(l.Processes), num(l.Processes))
				e.call("limit processes", unix.SYS_PRLIMIT64, num(0), num(unix.RLIMIT_NPROC), n, num(0))
			}
			e.done(i)
		}
	}
	e.step = -1
}

// reopen opens a file again through the sandbox's own mounts, so that nothing
// of the caller's mount comes in with it. The supervisor gets the descriptor
// too where the offset matters: it reads the offset when the command has ended.
func (e *entering) reopen(list []reopen) {
	var kept []cell
	for _, r := range list {
		fd := e.cell(0)
		e.call("open again "+r.path, unix.SYS_OPENAT, atFDCWD, e.str(r.path), num(r.flags|unix.O_CLOEXEC)).to(fd)
		e.checkIdentity(r.path, fd.value(), r.dev, r.ino)
		if r.offset >= 0 {
			e.call("seek to the caller's offset", unix.SYS_LSEEK, fd.value(), num(int(r.offset)), num(unix.SEEK_SET))
			kept = append(kept, fd)
		}
		e.call(fmt.Sprintf("put it at descriptor %d", r.fd), unix.SYS_DUP3, fd.value(), num(r.fd), num(0))
	}
	if len(kept) > 0 {
		e.sendDescriptors("hand over reopened files", e.control, e.words(num(msgReopened), num(0), num(0)), 24, kept...)
	}
}

// attestation: what the command's process reads back of itself before it
// executes, as words behind the kind of the message.
const (
	attestNoNewPrivs = iota // PR_GET_NO_NEW_PRIVS
	attestSeccomp           // PR_GET_SECCOMP
	attestRootFlags         // f_flags of statfs("/")
	attestCapsLow           // effective and permitted of capget(2), low and high
	attestCapsHigh
	attestParent // getppid(), 0 in a pid namespace of its own
	attestReads  // its own /proc/self/comm opened for reading, where Landlock alone confines files
	attestWrites // the same for writing, which no rule allows
	attestLess   // 1 where what the command has less was looked at and its domain entered
	attestWords
)

// statfsFlags is the offset of f_flags in struct statfs of 64-bit systems.
const statfsFlags = 80

// tryOutside opens a file that Landlock lets every command read and none write.
func (e *entering) tryOutside(c spec) {
	for _, fd := range c.closed {
		e.call(fmt.Sprintf("close descriptor %d", fd), unix.SYS_CLOSE, num(fd))
	}
	name := e.str("/proc/self/comm")
	at := func(n int) arg { return e.message.plus(8 * (1 + n)) }
	e.call("open a file for reading", unix.SYS_OPENAT, atFDCWD, name, num(unix.O_RDONLY|unix.O_CLOEXEC)).toField(at(attestReads)).with(flagIgnore)
	e.call("open it for writing", unix.SYS_OPENAT, atFDCWD, name, num(unix.O_WRONLY|unix.O_CLOEXEC)).toField(at(attestWrites)).with(flagIgnore)
}

func (e *entering) command(c spec) {
	e.call("set close-on-exec", unix.SYS_FCNTL, num(e.control), num(unix.F_SETFD), num(unix.FD_CLOEXEC))
	switch {
	case c.newSession >= 0:
		e.newSession(c.newSession)
	case c.ownGroup:
		e.ownGroup(c)
	}
	at := func(n int) arg { return e.message.plus(8 * (1 + n)) }
	e.call("read no_new_privs", unix.SYS_PRCTL, num(unix.PR_GET_NO_NEW_PRIVS), num(0), num(0), num(0), num(0)).toField(at(attestNoNewPrivs))
	e.call("read the seccomp mode", unix.SYS_PRCTL, num(unix.PR_GET_SECCOMP)).toField(at(attestSeccomp))
	st := e.bytes(make([]byte, 128))
	e.call("look at the root", unix.SYS_STATFS, e.str("/"), st)
	e.call("note its flags", nrCopy, st.plus(statfsFlags), at(attestRootFlags))
	header := make([]byte, 8)
	binary.LittleEndian.PutUint32(header, unix.LINUX_CAPABILITY_VERSION_3)
	caps := e.bytes(make([]byte, 24))
	e.call("read the capabilities", unix.SYS_CAPGET, e.bytes(header), caps)
	e.call("note them", nrCopy, caps, at(attestCapsLow))
	e.call("note them", nrCopy, caps.plus(12), at(attestCapsHigh))
	e.call("read the parent", unix.SYS_GETPPID).toField(at(attestParent))
	size := 8 * (2 + attestWords + e.steps/64)
	e.call("attest", unix.SYS_WRITE, num(e.control), e.message, num(size))
	e.awaitVerdict()
	e.call("restore the signal mask", unix.SYS_RT_SIGPROCMASK, num(unix.SIG_SETMASK), e.mask, num(0), num(8))
	e.execute(c.paths, c.argv, c.env)
}

// awaitVerdict has the list go on only when the supervisor has judged what the
// list attested. The end of the supervisor, too, is the end of the list.
func (e *entering) awaitVerdict() {
	said, verdict := e.cell(0), e.words(num(0))
	e.call("wait for the verdict", unix.SYS_READ, num(e.control), verdict, num(verdictSize)).to(said).with(flagRetry)
	e.check("the supervisor lets the command go on", said.at, ^uint64(0), verdictSize)
}

// execute adds the execution of the first of the files that is one.
func (e *entering) execute(paths, args, environ []string) {
	argv, env := e.vector(args), e.vector(environ)
	for i, p := range paths {
		x := e.call("execute "+p, unix.SYS_EXECVE, e.str(p), argv, env)
		if i < len(paths)-1 {
			x.flags |= flagIgnore
		}
	}
}

func (e *entering) vector(list []string) arg {
	ptrs := make([]arg, 0, len(list)+1)
	for _, s := range list {
		ptrs = append(ptrs, e.str(s))
	}
	return e.words(append(ptrs, num(0))...)
}

// ownGroup gives the command a process group and the terminal. Taking it from
// the background raises SIGTTOU, which is blocked.
func (e *entering) ownGroup(c spec) {
	e.call("make a process group", unix.SYS_SETPGID, num(0), num(0))
	if c.terminal >= 0 {
		group := e.cell(0)
		e.call("read the process group", unix.SYS_GETPID).to(group)
		e.call("take the terminal", unix.SYS_IOCTL, num(c.terminal), num(unix.TIOCSPGRP), group.at).with(flagIgnore)
	}
}

// newSession makes the process the leader of a session whose terminal is the
// descriptor, as login programs do; see ioctl_tty(2).
func (e *entering) newSession(terminal int) {
	e.call("make a session", unix.SYS_SETSID)
	e.call("take its terminal", unix.SYS_IOCTL, num(terminal), num(unix.TIOCSCTTY), num(0))
}
