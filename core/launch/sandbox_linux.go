// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/launch/gitstate"
	"github.com/caisson-sandbox/caisson/core/launch/seccomp"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Sandbox is a running sandbox: namespaces that process 1 keeps alive, and the
// thread that makes commands in it.
type Sandbox struct {
	plan     *plan.Plan
	options  Options
	keeper   *thread // parent of process 1, never restricted
	thread   *thread // parent of the commands
	init     int     // process 1
	spaces   []int   // namespace descriptors, in order of entering
	covers   covers
	pidSpace unix.Stat_t // identity of the pid namespace
	filter   []seccomp.Instruction
	ownGroup bool // commands get a process group of their own
	holds    *holds
	git      *gitstate.State
	watch    *watch
	wrapped  *wrapped // nil where the launcher confines the commands itself
	fence    *fence   // nil where the sandbox has namespaces
	cgroup   *cgroup  // nil where no limit needs one

	killed atomic.Bool // by the watch

	diag  *unixDiag // of the sandbox's network namespace; nil beside wrappers
	doors doors     // to its network

	kin     kin
	mu      sync.Mutex
	closed  bool
	running commands       // that are not reaped
	serving sync.WaitGroup // brokers whose filter has tasks left
}

// Open makes a sandbox as the plan says. It is ready when Open returns. An
// error is or wraps a *diag.Diagnostic; nothing is left then.
func Open(ctx context.Context, p *plan.Plan, o Options) (*Sandbox, error) {
	s, err := openSandbox(ctx, p, o)
	if err != nil {
		return nil, openError(err)
	}
	return s, nil
}

// failure is an error with what it means to the user.
type failure struct {
	told  *diag.Diagnostic
	cause error
}

func (f *failure) Error() string   { return f.told.Error() }
func (f *failure) Unwrap() []error { return []error{f.told, f.cause} }

// openError makes an error of Open tell the user what it means.
func openError(err error) error {
	var d *diag.Diagnostic
	if errors.As(err, &d) {
		return err
	}
	told := diag.New(diag.LaunchFailed, fmt.Sprintf("the sandbox could not be made: %v", err), "see what this host lacks with: caisson doctor")
	return &failure{told, err}
}

func openSandbox(ctx context.Context, p *plan.Plan, o Options) (*Sandbox, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &Sandbox{plan: p, options: o, covers: covers{root: -1, dir: -1, file: -1}}
	// The parent-death signal of process 1 is sent by the thread that dies: in
	// a Landlock domain that confines signals it would be refused. Both threads
	// come up while the lists are made.
	s.keeper, s.thread = newThread(), newThread()
	if err := s.make(); err != nil {
		s.thread.end()
		s.keeper.end()
		s.cgroup.remove()
		s.holds.release()
		return nil, err
	}
	return s, nil
}

// make makes what the plan says, and undoes all but the holds if that fails.
func (s *Sandbox) make() error {
	if step, ok := s.plan.Wrapped(); ok {
		if cgroupOf(s.plan) != nil {
			return diag.New(diag.PlanInvalid, "the plan limits by a control group what another program starts", "")
		}
		return s.makeWrapped(step)
	}
	if s.plan.Fenced() {
		return s.makeFenced()
	}
	if len(s.plan.Steps) == 0 {
		return diag.New(diag.PlanInvalid, "the plan has no step: it confines nothing", "")
	}
	if err := s.readSteps(); err != nil {
		return err
	}
	list, err := setupProgram(s.plan, callerIDs{os.Geteuid(), os.Getegid()}, s.options.Terminal)
	if err != nil {
		return err
	}
	ruleset, err := newRuleset(s.plan)
	if err != nil {
		return err
	}
	defer unix.Close(ruleset)
	if s.cgroup, err = newCgroup(s.plan, s.options); err != nil {
		return err
	}
	// The kernel makes the namespaces while the placeholders are made.
	var failed error
	held := make(chan error, 1)
	made := s.keeper.begin(func() { failed = s.setUp(list, ruleset, held) })
	s.git = gitstate.Begin(s.plan, false)
	s.holds, err = holdAbsent(s.plan, s.options.StateDir, s.options.Report)
	held <- err
	if <-made; failed != nil {
		return failed
	}
	if s.thread.do(func() { err = restrictThread(ruleset) }); err == nil {
		s.watch, err = startWatch(s)
	}
	if err != nil {
		return s.failed(err)
	}
	return nil
}

// readSteps takes from the plan what commands need.
func (s *Sandbox) readSteps() error {
	for _, step := range s.plan.Steps {
		if f, ok := step.(plan.Seccomp); ok {
			code, err := seccomp.Compile(f, s.plan.Arch)
			if err != nil {
				return err
			}
			s.filter = code
		}
		if g, ok := step.(plan.ProcessGroup); ok {
			s.ownGroup = g.Own
		}
	}
	return nil
}

func newRuleset(p *plan.Plan) (int, error) {
	handled, scoped, err := landlockHandled(p)
	if err != nil {
		return -1, err
	}
	return createRuleset(handled, scoped)
}

// landlockHandled is what the rules of a plan speak of.
func landlockHandled(p *plan.Plan) (handled, scoped uint64, err error) {
	for _, step := range p.Steps {
		l, ok := step.(plan.Landlock)
		if !ok {
			continue
		}
		if handled, err = landlockBits(l.Handled, landlockRights); err != nil {
			return 0, 0, err
		}
		scoped, err = landlockBits(l.Scoped, landlockScopes)
		return handled, scoped, err
	}
	return 0, 0, errors.New("the plan has no landlock step")
}

// setUp runs on the keeper. Process 1 mounts nothing until it is known that
// everything is held.
func (s *Sandbox) setUp(list *setup, ruleset int, held <-chan error) error {
	image, err := list.memfd()
	if err != nil {
		return err
	}
	defer unix.Close(image)
	caller, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(caller)
	ctl, err := newControl()
	if err != nil {
		return err
	}
	defer ctl.close()
	first, err := s.cgroup.execImage(image, ctl.other, caller, ruleset)
	if err != nil {
		return err
	}
	ctl.handedOver()
	defer reap(first)
	// Both may come before the id of process 1, without which it is not reaped.
	var ready *message
	var failure error
	for ready == nil || s.init == 0 {
		m, err := ctl.receive()
		if err != nil {
			return s.failed(err)
		}
		switch {
		case m == nil && failure != nil:
			return s.failed(failure)
		case m == nil:
			return s.failed(errors.New("process 1 ended"))
		case len(m.words) == 1:
			s.init = int(m.words[0])
			if failure == nil {
				if err := s.goOn(list, ctl, held); err != nil {
					return s.failed(err)
				}
			}
		case len(m.words) == 2:
			failure = list.failure(m.words)
		case len(m.words) == 3 && m.words[0] == msgPort && ready == nil:
			if err := s.doors.take(m.fds); err != nil {
				return s.failed(err)
			}
		case ready == nil && m.words[0] == msgReady && len(m.fds) == len(list.kinds)+1+len(list.covers):
			ready = m
			n := len(list.kinds)
			s.spaces, s.diag = m.fds[:n], &unixDiag{fd: m.fds[n]}
			if len(list.covers) > 0 {
				if err := s.covers.fill(m.fds[n+1:]); err != nil {
					return s.failed(err)
				}
			}
		default:
			return s.failed(errors.New("unexpected message of process 1"))
		}
	}
	for i, kind := range list.kinds {
		if kind == "pid" {
			if err := unix.Fstat(s.spaces[i], &s.pidSpace); err != nil {
				return s.failed(fmt.Errorf("look at the pid namespace: %w", err))
			}
		}
	}
	if err := list.compare(ready.words[1:]); err != nil {
		return s.failed(err)
	}
	if err := s.holds.bind(s.init); err != nil {
		return s.failed(err)
	}
	return nil
}

// failed ends what setUp began.
func (s *Sandbox) failed(err error) error {
	if s.init != 0 {
		_ = unix.Kill(s.init, unix.SIGKILL)
		reap(s.init)
	}
	for _, fd := range s.spaces {
		unix.Close(fd)
	}
	s.diag.close()
	s.covers.close()
	s.doors.close()
	return err
}

// goOn lets process 1 go on, which waits in its namespaces.
func (s *Sandbox) goOn(list *setup, ctl *control, held <-chan error) error {
	if list.plan.Steps[0].(plan.Namespaces).IDs == "all" {
		if err := mapAllIDs(s.init); err != nil {
			return err
		}
	}
	err := <-held
	if err == nil {
		_ = ctl.letGo() // where that fails the list has, and says why
	}
	return err
}

// mapAllIDs maps every id that there is here onto itself. In a container of an
// ordinary user there are only some.
func mapAllIDs(pid int) error {
	for _, name := range []string{"uid_map", "gid_map"} {
		own, err := os.ReadFile("/proc/self/" + name)
		if err != nil {
			return fmt.Errorf("map ids: %w", err)
		}
		if err := os.WriteFile("/proc/"+strconv.Itoa(pid)+"/"+name, ontoItself(string(own)), 0); err != nil {
			return fmt.Errorf("map ids: %w", err)
		}
	}
	return nil
}

// ontoItself makes the map of a user namespace below one that has the map own,
// see user_namespaces(7): the ids that there are, with the same numbers.
func ontoItself(own string) []byte {
	var text []byte
	for line := range strings.Lines(own) {
		if f := strings.Fields(line); len(f) == 3 {
			text = append(text, f[0]+" "+f[0]+" "+f[2]+"\n"...)
		}
	}
	return text
}

// restrictThread puts the calling thread, and what it makes from now on, into
// the Landlock domain of the sandbox.
func restrictThread(ruleset int) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return fmt.Errorf("landlock_restrict_self: %w", errno)
	}
	return nil
}

// execImage starts an image with descriptors 0, 1, … and the image behind them.
func execImage(image int, fds ...int) (int, error) { return (*cgroup)(nil).execImage(image, fds...) }

// execImage is the function, with the process and all that it makes in the
// control group from their first moment on.
func (c *cgroup) execImage(image int, fds ...int) (int, error) {
	files := make([]uintptr, 0, len(fds)+1)
	for _, fd := range append(fds, image) {
		files = append(files, uintptr(fd)) // -1 is closed
	}
	name := "/proc/self/fd/" + strconv.Itoa(len(fds))
	pid, err := syscall.ForkExec(name, []string{"caisson"}, &syscall.ProcAttr{Files: files, Env: []string{}, Sys: c.attributes()})
	if err != nil {
		return 0, fmt.Errorf("execute the launch list: %w", err)
	}
	return pid, nil
}

func reap(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// Close kills everything in the sandbox and waits until it is gone.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.wrapped != nil {
		s.closeWrapped()
	}
	if s.fence != nil {
		s.endFence()
	}
	_ = unix.Kill(s.init, unix.SIGKILL)
	// Process 1 blocks in its exit until commands that entered are reaped.
	s.awaitReaped()
	ended := make(chan struct{})
	go func() { reap(s.init); close(ended) }()
	s.reapUntil(ended, true)
	defer unlock(append(s.keptNames(), guardedNames(s.plan)...), writableRoots(s.plan))()
	s.watch.finish()
	for _, fd := range s.spaces {
		unix.Close(fd)
	}
	s.diag.close()
	s.covers.close()
	s.doors.close()
	s.wrapped.remove()
	s.thread.end()
	s.keeper.end()
	s.cgroup.remove()
	s.holds.release()
	return nil
}
