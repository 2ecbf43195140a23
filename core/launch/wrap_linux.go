// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/launch/gitstate"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// A plan with the step wrap has other programs confine the commands. The
// launcher then makes no namespaces. What it does:
//
//   - an anchor, a process that only waits, stands for the sandbox: it dies
//     with the caller, and the guardian of placeholders waits for its end;
//   - for each command a first list makes a process group, gives it the
//     terminal, ignores the signals that are meant for the command, and
//     executes the outermost wrapper without any environment;
//   - the innermost wrapper executes a second list, the stage (stage_linux.go),
//     which proves that the confinement holds and becomes the command.
type wrapped struct {
	step  plan.Wrap
	proof proof
	tmp   tmpDir // where an argument names it

	mu   sync.Mutex
	live map[*Process]bool // commands that are not reaped
	over bool              // the sandbox is closed: none is to live
}

// wrapperIgnores are the signals that end a program which does not expect them
// and are meant for the command: what a terminal, a shell or a caller sends.
// The stage gives the command the caller's dispositions back.
func wrapperIgnores() []syscall.Signal {
	return []syscall.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGTERM,
		syscall.SIGVTALRM, syscall.SIGPROF, syscall.SIGIO, syscall.SIGPWR, syscall.SIGXCPU, syscall.SIGXFSZ,
	}
}

// makeWrapped makes a sandbox of wrappers, in which no command runs yet.
func (s *Sandbox) makeWrapped(step plan.Wrap) (err error) {
	w := &wrapped{step: step, live: map[*Process]bool{}}
	s.wrapped, s.ownGroup = w, true
	if err = s.readSteps(); err != nil {
		return err
	}
	if w.proof, err = newProof(s.options.Prove); err != nil {
		return err
	}
	w.proof.filtered, w.proof.answers = s.filter != nil, notifies(s.filter)
	if w.proof.answers && !w.proof.offline {
		return diag.New(diag.PlanInvalid, "the plan has calls answered beside wrappers, where it is not proven that the network is the sandbox's own", "")
	}
	s.git = gitstate.Begin(s.plan, false)
	if s.holds, err = holdAbsent(s.plan, s.options.StateDir, s.options.Report); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			w.remove()
			err = s.failed(err)
		}
	}()
	for _, p := range step.Programs {
		for _, a := range p.Args {
			if kind, _ := plan.Symbol(a); kind == "tmp" && w.tmp.path == "" {
				if w.tmp, err = makeTmp(tmpDirs(s.options.StateDir)); err != nil {
					return err
				}
			}
		}
	}
	s.keeper.do(func() { s.init, err = startAnchor() })
	if err != nil {
		return err
	}
	if err = s.holds.bind(s.init); err != nil {
		return err
	}
	s.watch, err = startWatch(s)
	return err
}

// startAnchor starts the process that stands for the sandbox.
func startAnchor() (int, error) {
	a := &program{step: -1, report: 0}
	a.call("close all descriptors", unix.SYS_CLOSE_RANGE, num(0), num(1<<32-1), num(0))
	a.call("block all signals", unix.SYS_RT_SIGPROCMASK, num(unix.SIG_SETMASK), a.words(arg{value: ^uint64(0)}), num(0), num(8))
	a.call("leave the caller's session", unix.SYS_SETSID).with(flagIgnore)
	a.dieWith(os.Getpid())
	a.call("wait", unix.SYS_PPOLL, num(0), num(0), num(0), num(0), num(8)).with(flagIgnore)
	a.call("end", unix.SYS_EXIT_GROUP, num(0))
	image, err := a.memfd()
	if err != nil {
		return 0, err
	}
	defer unix.Close(image)
	return execImage(image)
}

// dieWith has the process die with its parent, the thread that made it, and
// end now if that is gone already.
func (p *program) dieWith(parent int) {
	p.call("die with the caller", unix.SYS_PRCTL, num(unix.PR_SET_PDEATHSIG), num(int(unix.SIGKILL)))
	is := p.cell(0)
	p.call("look whether the caller lives", unix.SYS_GETPPID).to(is)
	p.check("the caller lives", is.at, ^uint64(0), uint64(parent))
}

// closeWrapped ends the commands, each with what is in its wrapper.
func (s *Sandbox) closeWrapped() {
	s.wrapped.mu.Lock()
	s.wrapped.over = true
	for p := range s.wrapped.live {
		_ = p.Kill()
	}
	s.wrapped.mu.Unlock()
}

func (w *wrapped) remove() {
	if w != nil {
		w.tmp.remove()
	}
}

func (w *wrapped) add(p *Process) {
	w.mu.Lock()
	w.live[p] = true
	if w.over {
		_ = p.Kill()
	}
	w.mu.Unlock()
}

func (w *wrapped) drop(p *Process) {
	w.mu.Lock()
	delete(w.live, p)
	w.mu.Unlock()
}

// startWrapped makes a command; it runs on the sandbox's thread.
func (s *Sandbox) startWrapped(ctx context.Context, p *Process, c Command, in *inherited) error {
	started, attested, err := newControls()
	if err != nil {
		return err
	}
	defer started.close()
	defer attested.close()
	proving, err := s.wrapped.proof.listen()
	if err != nil {
		return err
	}
	defer proving.close()
	stage := stageProgram(c, in, proving, s.filter)
	image, err := stage.memfd()
	if err != nil {
		return err
	}
	fds := append(append([]int{}, in.fds...), attested.other, image)
	argv, files, err := s.wrapped.arguments(len(in.fds)+1, &fds)
	defer closeAll(append(files, image))
	if err != nil {
		return err
	}
	control := len(fds)
	fds = append(fds, started.other)
	first := wrapperProgram(argv, control, p.ownTerminal(c), c.sessionTerminal())
	start, err := first.memfd()
	if err != nil {
		return err
	}
	defer unix.Close(start)
	if p.pid, err = execImage(start, fds...); err != nil {
		return err
	}
	started.handedOver()
	attested.handedOver()
	var answering []int
	err = first.followWrapper(ctx, started)
	if err == nil {
		answering, err = stage.followStage(ctx, attested, proving, p)
	}
	if err == nil && answering != nil {
		diag := &unixDiag{fd: answering[1]}
		if err = s.serve(answering[0], diag, c.Attempted); err != nil {
			diag.close()
		}
		answering = nil
	}
	if err != nil {
		closeAll(answering)
		_ = unix.Kill(-p.pid, unix.SIGKILL)
		_ = unix.Kill(p.pid, unix.SIGKILL)
		var status syscall.WaitStatus
		_, _ = syscall.Wait4(p.pid, &status, 0, nil)
		if errors.Is(err, errUnattested) && status.Exited() {
			return diag.New(diag.AttestFailed, fmt.Sprintf("the wrapper %s ended with status %d before it executed the command", diag.Quote(argv[0]), status.ExitStatus()),
				"what it wrote to the standard error says why")
		}
		return err
	}
	s.wrapped.add(p)
	return nil
}

// newControls makes the sockets of the two lists of a command.
func newControls() (one, two *control, err error) {
	if one, err = newControl(); err != nil {
		return nil, nil, err
	}
	if two, err = newControl(); err != nil {
		one.close()
		return nil, nil, err
	}
	return one, two, nil
}

// ownTerminal is the descriptor of the terminal that the command gets, or -1.
func (p *Process) ownTerminal(c Command) int {
	if c.Foreground && p.tty >= 0 {
		return 0
	}
	return -1
}

// arguments fills in the symbols of the wrappers' command lines and appends the
// image of the stage, which is descriptor n in the wrappers. What it opens for
// the wrappers is appended to fds, and returned to be closed.
func (w *wrapped) arguments(n int, fds *[]int) (argv []string, opened []int, err error) {
	path := func(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }
	add := func(fd int) int {
		opened = append(opened, fd)
		*fds = append(*fds, fd)
		return len(*fds) - 1
	}
	number := map[string]int{}
	for _, f := range w.step.Files {
		fd, err := contentFD(f)
		if err != nil {
			return nil, opened, err
		}
		number[f.Name] = add(fd)
	}
	for _, p := range w.step.Programs {
		word := p.Path
		if p.SHA256 != "" {
			fd, err := openHashed(p)
			if err != nil {
				return nil, opened, err
			}
			word = path(add(fd))
		}
		argv = append(argv, word)
		for _, a := range p.Args {
			switch kind, name := plan.Symbol(a); kind {
			case "fd":
				a = fmt.Sprint(number[name])
			case "file":
				a = path(number[name])
			case "tmp":
				a = w.tmp.path + name
			}
			argv = append(argv, a)
		}
	}
	return append(argv, path(n)), opened, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// wrapperProgram is the list that executes the outermost wrapper.
func wrapperProgram(argv []string, control, terminal, newSession int) *entering {
	e := &entering{}
	e.step, e.report = -1, control
	e.call("keep the listed descriptors only", unix.SYS_CLOSE_RANGE, num(control+1), num(1<<32-1), num(0))
	e.call("report only until the wrapper is executed", unix.SYS_FCNTL, num(control), num(unix.F_SETFD), num(unix.FD_CLOEXEC))
	mask := e.words(num(0))
	e.call("block signals", unix.SYS_RT_SIGPROCMASK, num(unix.SIG_BLOCK), e.words(num(-1)), mask, num(8))
	e.dieWith(os.Getpid())
	if newSession >= 0 {
		e.newSession(newSession)
	} else {
		e.ownGroup(spec{terminal: terminal})
	}
	for _, sig := range wrapperIgnores() {
		e.disposition(sig, sigIgnore)
	}
	e.call("restore the signal mask", unix.SYS_RT_SIGPROCMASK, num(unix.SIG_SETMASK), mask, num(0), num(8))
	e.call("execute "+argv[0], unix.SYS_EXECVE, e.str(argv[0]), e.vector(argv), e.vector(nil))
	return e
}

// Dispositions of struct sigaction.
const (
	sigDefault = 0
	sigIgnore  = 1
)

// disposition adds rt_sigaction(2): handler, flags, restorer, mask.
func (p *program) disposition(sig syscall.Signal, to int) {
	p.call(fmt.Sprintf("set the disposition of signal %d", int(sig)), unix.SYS_RT_SIGACTION, num(int(sig)), p.words(num(to), num(0), num(0), num(0)), num(0), num(8))
}

// callerDispositions gives back what the wrappers ignored.
func (p *program) callerDispositions() {
	for _, sig := range wrapperIgnores() {
		if !signal.Ignored(sig) {
			p.disposition(sig, sigDefault)
		}
	}
}

// followWrapper follows the first list until the wrapper executes.
func (e *entering) followWrapper(ctx context.Context, ctl *control) error {
	m, err := receiveUntil(ctx, ctl)
	switch {
	case err != nil:
		return err
	case m == nil:
		return nil
	case len(m.words) == 2:
		err := e.failureOf(m.words, nil)
		var step *StepError
		if errors.As(err, &step) && step.Entry == e.entries[len(e.entries)-1].what {
			return diag.New(diag.LaunchFailed, fmt.Sprintf("the wrapper cannot be executed: %v", step), "see what this host lacks with: caisson doctor")
		}
		return err
	}
	return errors.New("unexpected message of a launch list")
}

// receiveUntil receives one message; the end of ctx ends the wait.
func receiveUntil(ctx context.Context, ctl *control) (*message, error) {
	if ctx.Done() == nil {
		return ctl.receive()
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	defer unix.Close(wake)
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_, _ = unix.Write(wake, binary.NativeEndian.AppendUint64(nil, 1)) // the counter is 0: it cannot block
		close(woken)
	})
	ctl.wake = wake
	m, err := ctl.receive()
	ctl.wake = -1
	if !stop() {
		<-woken
	}
	if errors.Is(err, errWoken) {
		err = ctx.Err()
	}
	return m, err
}
