// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/launch/gitstate"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// A plan without namespaces is fenced: Landlock, a filter and the supervisor's
// answers confine the commands, and nothing gives them process ids of their
// own. What stands around them:
//
//   - an anchor, as for wrappers, outside of everything;
//   - the outer domain: the agent, a thread of the caller without capabilities,
//     which starts what follows and acts for the commands, and the ender, a
//     process that kills what is in the domain when the caller is gone;
//   - the inner domain, made inside the outer one: the nursery, a process that
//     forks the commands, and the commands.
//
// Landlock lets the outer domain signal and trace the inner one and not the
// other way round. No thread of the caller may ever be in the inner domain: its
// number can be named by the commands, and with it the caller could be traced.
type fence struct {
	agent   *thread  // the sandbox's thread
	scoped  bool     // the plan has Landlock keep signals in the outer domain
	apart   bool     // the agent is in the outer domain, and what is outside was seen to be out of its reach
	nursery int      // pid
	births  *control // to the nursery
	ender   int      // pid, 0: none
	end     *control // to the ender: its end is the sign
	tmp     tmpDir   // for temporary files
	rules   plan.Landlock

	protected []string // what the step metadata keeps as it is

	birth sync.Mutex // one at a time
	born  uint64     // number of the last
	kin   *kin       // of the sandbox

	sockets sockets // where the supervisor makes them

	mu   sync.Mutex
	live map[*Process]bool
}

// makeFenced makes what stands around the commands of a plan without
// namespaces.
func (s *Sandbox) makeFenced() (err error) {
	if err := s.readSteps(); err != nil {
		return err
	}
	f := &fence{live: map[*Process]bool{}, agent: s.thread, kin: &s.kin}
	s.fence = f
	s.git = gitstate.Begin(s.plan, false)
	defer func() {
		if err != nil {
			s.endFence()
			err = s.failed(err)
		}
	}()
	if s.holds, err = holdAbsent(s.plan, s.options.StateDir, s.options.Report); err != nil {
		return err
	}
	if err = f.read(s.plan); err != nil {
		return err
	}
	if s.keeper.do(func() { s.init, err = startAnchor() }); err != nil {
		return err
	}
	if err = s.holds.bind(s.init); err != nil {
		return err
	}
	if err = f.enterOuter(); err != nil {
		return err
	}
	if f.apart = true; f.holds(s.init) { // the anchor is outside
		f.apart = false
		return errors.New("the sandbox is not kept apart from what is outside by Landlock")
	}
	if f.scoped {
		if f.agent.do(func() { err = s.startEnder() }); err != nil {
			return err
		}
	}
	if s.cgroup, err = newCgroup(s.plan, s.options); err != nil {
		return err
	}
	if f.agent.do(func() { err = s.startNursery() }); err != nil {
		return err
	}
	diag, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return fmt.Errorf("a socket for unix_diag: %w", err)
	}
	s.diag = &unixDiag{fd: diag}
	s.watch, err = startWatch(s)
	return err
}

// read takes from the plan what the fence needs, and makes the directory for
// temporary files.
func (f *fence) read(p *plan.Plan) (err error) {
	for _, step := range p.Steps {
		switch st := step.(type) {
		case plan.TempDir:
			if f.tmp, err = makeTmp(st.Parent); err != nil {
				return err
			}
		case plan.Metadata:
			f.protected = st.Protect
		case plan.Landlock:
			f.rules = st
			f.scoped = slices.Contains(st.Scoped, "signal")
		}
	}
	f.rules.Rules = slices.Clone(f.rules.Rules)
	for i := range f.rules.Rules {
		if r := &f.rules.Rules[i]; r.Path == plan.TmpSymbol {
			r.Path = f.tmp.path
		}
	}
	return nil
}

// enterOuter puts the agent into the outer domain, where it has no
// capabilities: what it does for commands they could do themselves. Of files the
// domain restricts only what nobody does here. Moving files between directories
// is refused by every domain that does not allow it, see landlock(7).
func (f *fence) enterOuter() error {
	scoped, err := landlockBits(f.rules.Scoped, landlockScopes)
	if err != nil {
		return err
	}
	refer := landlockRights["refer"]
	if !slices.Contains(f.rules.Handled, "refer") {
		refer = 0 // this kernel never allows it
	}
	ruleset, err := createRuleset(landlockRights["make_block"]|landlockRights["make_char"]|refer, scoped)
	if err != nil {
		return err
	}
	defer unix.Close(ruleset)
	if refer != 0 {
		if err := allowBeneath(ruleset, "/", refer); err != nil {
			return err
		}
	}
	f.agent.do(func() {
		if err = restrictThread(ruleset); err == nil {
			err = dropThreadCapabilities()
		}
	})
	return err
}

var errNoNursery = errors.New("the process that makes commands was ended from inside; open a new sandbox")

// startFenced makes a command.
func (s *Sandbox) startFenced(ctx context.Context, p *Process, c Command, in *inherited) error {
	f := s.fence
	c.Env = withTmp(c.Env, f.tmp.path)
	sp := p.specOf(c, in)
	sp.alone, sp.reopen = true, nil
	for n, fd := range in.fds {
		if fd < 0 {
			sp.closed = append(sp.closed, n)
		}
	}
	list, err := enterProgram(s.plan, 0, s.filter, sp)
	if err != nil {
		return err
	}
	list.serve = func(listener int) error { return s.serve(listener, s.diag, c.Attempted) }
	image, err := list.memfd()
	if err != nil {
		return err
	}
	defer unix.Close(image)
	ctl, err := newControl()
	if err != nil {
		return err
	}
	defer ctl.close()
	fds := append(slices.Clone(in.fds), ctl.other, image)
	for i, fd := range fds {
		if fd < 0 {
			fds[i] = ctl.other // in its place until the list closes it
		}
	}
	if p.pid, err = f.bear(ctx, fds); err != nil {
		return err
	}
	ctl.handedOver()
	if err := list.followUntil(ctx, ctl, p, s.plan); err != nil {
		_ = unix.Kill(p.pid, unix.SIGKILL)
		reap(p.pid)
		return err
	}
	f.mu.Lock()
	f.live[p] = true
	f.mu.Unlock()
	return nil
}

// bear has the nursery fork a child of the caller, which executes the last of
// the descriptors with all of them. After an error it may do so late: the list
// of the child ends then, since nobody reads what it reports.
func (f *fence) bear(ctx context.Context, fds []int) (pid int, err error) {
	if len(fds) > nurseryControl {
		return 0, fmt.Errorf("%d descriptors for a command, the most is %d", len(fds)-2, nurseryControl-2)
	}
	f.birth.Lock()
	defer f.birth.Unlock()
	f.born++
	word := binary.NativeEndian.AppendUint64(nil, uint64(len(fds)-1))
	word = binary.NativeEndian.AppendUint64(word, f.born)
	if err := unix.Sendmsg(f.births.fd, word, unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL); err != nil {
		return 0, errNoNursery
	}
	f.kin.expect() // until it is delivered
	var n stops
	f.births.nudge = func() error { return n.goOn(f.nursery) }
	err = f.births.until(ctx, func() error {
		if err := f.births.nudge(); err != nil { // it may stand since the last one
			return err
		}
		pid, err = f.delivered()
		return err
	})
	return pid, err
}

// delivered waits for the report on the last birth, which those on births that
// were given up come before.
func (f *fence) delivered() (int, error) {
	for {
		m, err := f.births.receive()
		switch {
		case err != nil:
			return 0, err
		case m == nil || len(m.words) != 3 || m.words[0] != msgBorn:
			return 0, errNoNursery
		case m.words[2] == f.born:
			f.kin.gone() // who asked expects it too
			return int(m.words[1]), nil
		}
		late := int(m.words[1]) // nobody else knows of it
		_ = unix.Kill(late, unix.SIGKILL)
		reap(late)
		f.kin.gone()
	}
}

// withTmp sets the variables that name the directory for temporary files.
func withTmp(env []string, tmp string) []string {
	if tmp == "" {
		return env
	}
	list := slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "TMPDIR" || name == "TMP" || name == "TEMP"
	})
	return append(list, "TMPDIR="+tmp, "TMP="+tmp, "TEMP="+tmp)
}

// fencePatience bounds the wait for the end of what was killed.
const fencePatience = 10 * time.Second

// endFence kills everything inside and waits until it is gone, which is when
// no filter has a task left.
func (s *Sandbox) endFence() {
	f := s.fence
	gone := make(chan struct{})
	go func() {
		s.running.Wait()
		s.serving.Wait()
		close(gone)
	}()
	if f.births != nil {
		f.births.close()
	}
	f.sockets.close() // who waits for one that only this process has left waits no longer
	if f.end != nil {
		f.end.close() // the ender kills all, whatever the agent waits for
	}
	for end := time.Now().Add(fencePatience); time.Now().Before(end); {
		s.cgroup.kill()
		s.killInside()
		select {
		case <-gone:
			end = time.Time{}
		case <-time.After(20 * time.Millisecond): // a start was under way
			s.reapStrays(false)
		}
	}
	s.awaitReaped()
	for _, pid := range []int{f.nursery, f.ender} {
		if pid != 0 {
			_ = unix.Kill(pid, unix.SIGKILL)
			reap(pid)
		}
	}
	for end := time.Now().Add(fencePatience); s.reapStrays(true) && time.Now().Before(end); time.Sleep(strayPause) {
		s.killInside() // what was made at the last moment, or is slow to die
	}
	f.tmp.remove()
}

// How far signals of the agent go.
type reach int

const (
	reachAnything reach = iota // nothing keeps them in: none may be sent
	reachAlike                 // what is inside is found one by one
	reachInside                // exactly what is inside
)

func (f *fence) reach() reach {
	switch {
	case !f.apart:
		return reachAnything
	case f.scoped:
		return reachInside
	}
	return reachAlike
}

// killInside kills what is in the sandbox: everything at once, where signals of
// the agent cannot leave it, else the commands and whatever is found. Before the
// agent is apart nothing was started, and nothing may be killed.
func (s *Sandbox) killInside() {
	switch s.fence.reach() {
	case reachAnything:
		return
	case reachInside:
		s.fence.agent.do(func() { _ = unix.Kill(-1, unix.SIGKILL) })
		return
	}
	s.fence.mu.Lock()
	live := make([]*Process, 0, len(s.fence.live))
	for p := range s.fence.live {
		live = append(live, p)
	}
	s.fence.mu.Unlock()
	for _, p := range live {
		_ = p.Kill()
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			s.signalInside(pid, unix.SIGKILL)
		}
	}
}

func (f *fence) drop(p *Process) {
	f.mu.Lock()
	delete(f.live, p)
	f.mu.Unlock()
}

// holds reports whether a process is in the sandbox. Landlock answers: the
// agent may signal, or look at, what is in its own domain or in one inside it;
// and itself, the caller.
func (f *fence) holds(pid int) (inside bool) {
	if pid == os.Getpid() || !f.apart {
		return false
	}
	f.agent.do(func() {
		if f.scoped {
			inside = unix.Kill(pid, 0) == nil
			return
		}
		_, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
		inside = err == nil
	})
	return inside
}
