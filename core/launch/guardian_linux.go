// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/binary"
	"fmt"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/journal"
)

// Descriptors of the guardian.
const (
	guardPipe    = iota // read end; written to once, by bind
	guardLock           // the journal's lock file
	guardJournal        // the journal's directory
	guardRecord         // the record of the names that are moved away, may be closed
	guardFirst          // lock, directory and pin of each placeholder, then the image
)

// guardianTimeout bounds the wait for the guardian at the end of a sandbox.
const guardianTimeout = 10 * time.Second

// Offsets of struct statx, see statx(2). Times are 16 bytes: seconds,
// nanoseconds of 32 bits and 32 bits that are zero, which is a timespec too.
const (
	statxSize8 = 0x28
	statxAtime = 0x40
	statxBtime = 0x50
	statxMtime = 0x70
)

// startGuardian starts the process that removes the placeholders when this
// process ends, however it does. It lives outside the sandbox, in a session of
// its own, and runs a launch list: it shares no memory with the caller and
// takes no orders but the end of the pipe. It starts while the sandbox is made;
// bind waits for it.
func (h *holds) startGuardian() {
	h.started = make(chan error, 1)
	go func() {
		h.started <- h.execGuardian()
		close(h.started)
	}()
}

func (h *holds) execGuardian() error {
	list := h.guardianProgram()
	image, err := list.memfd()
	if err != nil {
		return err
	}
	defer unix.Close(image)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(pipe[0])
	fds := []int{pipe[0], h.dir.LockFD(), h.dir.FD(), h.record}
	for _, one := range h.list {
		fds = append(fds, one.lock, one.parent, one.pin)
	}
	if h.guardian, err = execImage(image, fds...); err != nil {
		unix.Close(pipe[1])
		return err
	}
	h.pipe = pipe[1]
	return nil
}

// bind tells the guardian which process it must see dead before it removes
// anything: the pipe ends a moment before the sandbox does. No command may run
// before it returns.
func (h *holds) bind(init int) error {
	if h == nil || h.started == nil {
		return nil
	}
	if err := <-h.started; err != nil {
		return fmt.Errorf("start the guardian: %w", err)
	}
	_, err := unix.Write(h.pipe, binary.LittleEndian.AppendUint64(nil, uint64(init)))
	return err
}

func (h *holds) guardianProgram() *program {
	g := &program{step: -1, report: guardPipe} // a read end: reports go nowhere
	g.call("block all signals", unix.SYS_RT_SIGPROCMASK, num(unix.SIG_SETMASK), g.words(arg{value: ^uint64(0)}), num(0), num(8))
	g.call("leave the caller's session", unix.SYS_SETSID).with(flagIgnore)
	g.call("keep the listed descriptors only", unix.SYS_CLOSE_RANGE, num(guardFirst+3*len(h.list)), num(1<<32-1), num(0))
	g.call("go to /", unix.SYS_CHDIR, g.str("/"))

	init, pidfd := g.cell(0), g.cell(0)
	first := len(g.entries)
	g.call("wait for the sandbox", unix.SYS_READ, num(guardPipe), init.at, num(8)).with(flagRetry)
	open := len(g.entries)
	g.call("open process 1", unix.SYS_PIDFD_OPEN, init.value(), num(0)).with(flagOnError).to(pidfd)
	g.call("wait for the end of the caller", unix.SYS_READ, num(guardPipe), g.words(num(0)), num(8)).with(flagRetry)
	// Process 1 dies with the caller's thread; should that fail, it dies here.
	g.call("kill process 1", unix.SYS_PIDFD_SEND_SIGNAL, pidfd.value(), num(int(unix.SIGKILL)), num(0), num(0)).with(flagIgnore)
	poll := make([]byte, 8)
	binary.LittleEndian.PutUint16(poll[4:], unix.POLLIN)
	pollfd := g.bytes(poll)
	g.call("place process 1", nrMark, pollfd, pidfd.value())
	// Its end is seen only when whoever inherited the commands has reaped them,
	// which a careless first process of a container never does.
	g.call("wait for the end of process 1", unix.SYS_PPOLL, pollfd, num(1), g.words(num(1), num(0)), num(0), num(8)).with(flagIgnore)
	// A sandbox that ended before it was looked at still relies on its
	// placeholders until the caller says so. At the end of the pipe this returns
	// at once.
	g.entries[open].jump = len(g.entries)
	g.call("wait for the end of the caller, without process 1", unix.SYS_READ, num(guardPipe), g.words(num(0)), num(8)).with(flagRetry)
	g.entries[first].jump = len(g.entries)

	// Names that appear from now on were made by nobody inside.
	g.call("note the end", unix.SYS_WRITE, num(guardRecord), g.bytes([]byte(journal.Ended)), num(len(journal.Ended))).with(flagIgnore)
	g.call("lock the journal", unix.SYS_FLOCK, num(guardLock), num(unix.LOCK_EX)).with(flagRetry)
	for i := len(h.list) - 1; i >= 0; i-- { // what was made inside another goes first
		g.remove(h.list[i], guardFirst+3*i, guardFirst+3*i+1, journal.SpareName(i))
	}
	g.call("end", unix.SYS_EXIT_GROUP, num(0))
	return g
}

// remove adds the removal of one placeholder, unless another sandbox holds its
// record, and the end of the record. A path that is something else by now is left.
func (g *program) remove(one *hold, lock, parent int, spare string) {
	var skip, gone []int // entries that jump behind all, and to the removal of the record
	orElse := func(list *[]int) {
		e := &g.entries[len(g.entries)-1]
		e.flags |= flagOnError
		*list = append(*list, len(g.entries)-1)
	}
	same := func(at arg, want uint64) {
		g.call(one.path+" is the placeholder", nrCheck, at, arg{value: ^uint64(0)}, arg{value: want})
		orElse(&gone)
	}
	st, dir, base := g.bytes(make([]byte, statxSize)), g.bytes(make([]byte, statxSize)), g.str(path.Base(one.path))
	g.call("nobody else relies on "+one.path, unix.SYS_FLOCK, num(lock), num(unix.LOCK_EX|unix.LOCK_NB))
	orElse(&skip)
	g.call("look at "+one.path, unix.SYS_STATX, num(parent), base, num(unix.AT_SYMLINK_NOFOLLOW), num(unix.STATX_BASIC_STATS|unix.STATX_BTIME), st)
	orElse(&gone)
	same(st.plus(statxIno), one.id.Ino)
	same(st.plus(statxDevMajor), uint64(one.st.Dev_major)|uint64(one.st.Dev_minor)<<32)
	if one.id.Born != 0 {
		same(st.plus(statxBtime), uint64(one.st.Btime.Sec))
		same(st.plus(statxBtime+8), uint64(one.st.Btime.Nsec))
	}
	flags := unix.AT_REMOVEDIR
	if one.kind != journal.KindDir {
		flags = 0
		same(st.plus(statxSize8), one.st.Size)
		same(st.plus(statxMtime), uint64(one.st.Mtime.Sec))
		same(st.plus(statxMtime+8), uint64(one.st.Mtime.Nsec))
	}
	g.call("look at the directory", unix.SYS_STATX, num(parent), g.str(""), num(unix.AT_EMPTY_PATH), num(unix.STATX_BASIC_STATS), dir)
	g.call("remove "+one.path, unix.SYS_UNLINKAT, num(parent), base, num(flags))
	orElse(&skip)
	times := g.words(num(0), num(0), num(0), num(0))
	for i, at := range []int{statxAtime, statxAtime + 8, statxMtime, statxMtime + 8} {
		g.call("note the times", nrCopy, dir.plus(at), times.plus(8*i))
	}
	g.call("set the directory's times back", unix.SYS_UTIMENSAT, num(parent), g.str("."), times, num(0)).with(flagIgnore)
	for _, i := range gone {
		g.entries[i].jump = len(g.entries)
	}
	if spare != "" {
		g.call("keep the record as a spare", unix.SYS_RENAMEAT2, num(guardJournal), g.str(one.id.Name()), num(guardJournal), g.str(spare), num(0)).with(flagIgnore)
	} else {
		g.call("remove the record", unix.SYS_UNLINKAT, num(guardJournal), g.str(one.id.Name()), num(0)).with(flagIgnore)
	}
	for _, i := range skip {
		g.entries[i].jump = len(g.entries)
	}
}

// release has the guardian remove the placeholders and waits for it. What it
// did not remove, and no other sandbox relies on, is removed or reported here.
// Nothing of the sandbox may be alive.
func (h *holds) release() {
	if h == nil {
		return
	}
	if h.started != nil {
		<-h.started
	}
	if h.record >= 0 { // the watch has done it all
		h.dir.Drop(h.name)
		_ = unix.Flock(h.record, unix.LOCK_UN)
		unix.Close(h.record)
	}
	if h.guardian != 0 {
		unix.Close(h.pipe)
		waitOrKill(h.guardian, guardianTimeout)
	}
	left := false
	for _, one := range h.list {
		_ = unix.Flock(one.lock, unix.LOCK_UN) // a fork may hold a copy for a moment
		unix.Close(one.lock)
		unix.Close(one.pin)
		left = left || h.dir.Has(one.id)
	}
	for _, fd := range h.parents {
		unix.Close(fd)
	}
	if left {
		err := h.dir.Lock()
		if err == nil {
			err = collect(h.dir, h.report)
			h.dir.Unlock()
		}
		if err != nil {
			tell(h.report, *diag.New(diag.LeftoverRemoved, "placeholders may be left: "+err.Error(), "run caisson gc"))
		}
	}
	h.dir.Close()
}

// waitOrKill reaps a child, which is killed if it does not end in time.
func waitOrKill(pid int, timeout time.Duration) {
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		deadline := time.Now().Add(timeout)
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(time.Until(deadline).Milliseconds()))
			if err == unix.EINTR && time.Now().Before(deadline) {
				continue
			}
			if n == 0 || err != nil {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
			break
		}
		unix.Close(fd)
	}
	reap(pid)
}

// tell reports a finding to whoever listens.
func tell(report func(diag.Diagnostic), d diag.Diagnostic) {
	if report != nil {
		report(d)
	}
}
