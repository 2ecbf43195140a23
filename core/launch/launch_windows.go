// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/winrun"
)

// helperName is the program that executes plans; it lies beside caisson.
const helperName = "caisson-winhelper.exe"

// Sandbox is a running sandbox: a helper that holds it open, and ends it when
// its pipe ends, as the death of this process makes it.
type Sandbox struct {
	options Options
	plan    *plan.Windows
	helper  *helperProcess
	client  *winrun.Client
	closing sync.Once
	err     error
}

// Process is a command that was started.
type Process struct {
	remote  *winrun.Remote
	sandbox *Sandbox
	console *console // nil: the command has the caller's streams
	relays  sync.WaitGroup
	watch   func() bool // stops watching the context
}

// Open applies a plan: it starts the helper, and wants to hear from it that
// what it read back is what the plan says.
func Open(ctx context.Context, p *plan.Plan, o Options) (*Sandbox, error) {
	if p.OS != "windows" || p.Windows == nil {
		return nil, diag.New(diag.ModeUnsupported, "the plan is for "+p.OS, "")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := outOfReach(p.Windows); err != nil {
		return nil, err
	}
	helper, err := startHelper("run")
	if err != nil {
		return nil, err
	}
	s := &Sandbox{options: o, plan: p.Windows, helper: helper, client: winrun.NewClient(winrun.NewConn(helper.out, helper.in))}
	stop := context.AfterFunc(ctx, helper.kill)
	_, err = s.client.Open(p, o.StateDir, o.ProxyAt)
	if !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil {
		if strings.Contains(err.Error(), ErrChanged.Error()) {
			err = fmt.Errorf("%w: %w", ErrChanged, err)
		}
		return nil, errors.Join(err, helper.close())
	}
	return s, nil
}

// Try makes the sandbox of a plan and removes it.
func Try(p *plan.Plan) error {
	s, err := Open(context.Background(), p, Options{StateDir: os.TempDir()})
	if err != nil {
		return err
	}
	return s.Close()
}

// Syscalls refuses: plans for Windows are no list of system calls.
func Syscalls(*plan.Plan) (string, error) {
	return "", diag.New(diag.ModeUnsupported, "plans for Windows are no list of system calls", "print the plan with --json")
}

// Collect undoes what dead runs left.
func Collect(state string, report func(diag.Diagnostic)) error {
	helper, err := startHelper("recover")
	if err != nil {
		var d *diag.Diagnostic
		if errors.As(err, &d) && d.Code == diag.ModeUnsupported {
			return nil // without a helper nothing was ever left
		}
		return err
	}
	text, err := helper.ask(state)
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		report(diag.Diagnostic{Code: diag.LeftoverRemoved, Message: strings.TrimSpace(line)})
	}
	return nil
}

// Start starts a command.
func (s *Sandbox) Start(ctx context.Context, c Command) (*Process, error) {
	if len(c.Files) > 3 {
		return nil, diag.New(diag.DescriptorDenied, "only the standard streams can be passed in on Windows", "pass what the command needs by its standard input, or as a file in the workspace")
	}
	if c.NewSession {
		return nil, diag.New(diag.ModeUnsupported, "Windows has no sessions with terminals", "start the command without one")
	}
	if !c.Less.none() {
		return nil, lessUnsupported()
	}
	p := &Process{sandbox: s}
	m := winrun.Message{Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir}
	if err := s.pass(p, c, &m); err != nil {
		return nil, err
	}
	remote, err := s.client.Start(m)
	if err != nil {
		p.console.stop()
		return nil, err
	}
	p.remote = remote
	p.console.follow(remote)
	p.watch = context.AfterFunc(ctx, func() { _ = p.Kill() }) // it may have ended
	return p, nil
}

// pass puts the standard handles into the helper. Where the caller's input and
// output are a console, the command gets a pseudo console of its own, so that
// it cannot type into the caller's.
func (s *Sandbox) pass(p *Process, c Command, m *winrun.Message) error {
	files := append([]*os.File{}, c.Files...)
	if len(files) >= 2 && isConsole(files[0]) && isConsole(files[1]) {
		var err error
		if p.console, files, err = newConsole(files[0], files[1]); err != nil {
			return err
		}
		m.Console = true
		m.Columns, m.Rows = p.console.size()
	}
	defer func() {
		if p.console != nil {
			p.console.closeTheirs()
		}
	}()
	for i, f := range files {
		if f == nil {
			m.Handles = append(m.Handles, 0)
			continue
		}
		h, err := s.helper.give(windows.Handle(f.Fd()))
		if err != nil {
			return diag.New(diag.DescriptorDenied, fmt.Sprintf("stream %d cannot be passed in: %v", i, err), "")
		}
		m.Handles = append(m.Handles, h)
	}
	return nil
}

// Close ends everything in the sandbox, waits until the helper has undone what
// it did, and moves away what must not stay.
func (s *Sandbox) Close() error {
	s.closing.Do(func() {
		s.err = errors.Join(s.client.Close(), s.helper.close())
		s.sweep()
	})
	return s.err
}

// Pid is the number of the command's process.
func (p *Process) Pid() int { return p.remote.PID }

// Wait waits for the end of the command and of its output.
func (p *Process) Wait() (Status, error) {
	code, err := p.remote.Wait()
	p.watch()
	p.console.stop()
	return Status{Wait: syscall.WaitStatus{ExitCode: code}}, err
}

// Signal passes an interrupt or a kill on.
func (p *Process) Signal(sig syscall.Signal) error {
	if sig == syscall.SIGINT {
		if p.console.interrupt() {
			return nil
		}
		return p.remote.Signal("interrupt")
	}
	return p.Kill()
}

// Kill ends the command.
func (p *Process) Kill() error { return p.remote.Signal("kill") }

// inPlace reports whether a directory is where its name says, with no link or
// junction on the way. A command can put one there, to have something of the
// user moved away.
func inPlace(dir string) bool {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return false
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	h, err := windows.CreateFile(name, windows.FILE_READ_ATTRIBUTES, share, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return false
	}
	defer windows.CloseHandle(h)
	buffer := make([]uint16, windows.MAX_LONG_PATH)
	n, err := windows.GetFinalPathNameByHandle(h, &buffer[0], uint32(len(buffer)), 0)
	return err == nil && int(n) <= len(buffer) && strings.EqualFold(strings.TrimPrefix(windows.UTF16ToString(buffer[:n]), `\\?\`), filepath.Clean(dir))
}

// outOfReach refuses a plan under which commands could write where the helper
// is, which this program starts by the place that it is in.
func outOfReach(w *plan.Windows) error {
	path, err := helperPath()
	if err != nil {
		return err
	}
	for _, a := range w.ACL {
		if kind, _, who, _ := a.Parts(); kind == "A" && who != "{user}" && a.Why != plan.WhyShown && pathspec.Windows.Within(a.Path, path) {
			return diag.New(diag.WorkspaceInvalid, fmt.Sprintf("%s lies in %s, which commands may write: they could replace it", diag.Quote(path), diag.Quote(a.Path)),
				"install caisson elsewhere, or work elsewhere")
		}
	}
	return nil
}

// sweep moves what appeared under a name that tools outside trust to caisson's
// state, and reports what else appeared.
func (s *Sandbox) sweep() {
	tell := s.options.Report
	if tell == nil {
		tell = func(diag.Diagnostic) {}
	}
	store := filepath.Join(s.options.StateDir, "quarantine", time.Now().UTC().Format("20060102T150405.000000000Z"))
	for _, path := range s.plan.Quarantine {
		if _, err := os.Lstat(path); err != nil {
			continue
		}
		if !inPlace(filepath.Dir(path)) {
			tell(diag.Diagnostic{Code: diag.Quarantined, Message: fmt.Sprintf("%s appeared during the run by way of a link or junction above it, and was left where that leads", diag.Quote(path)),
				Remedy: "look at the directories above it before any tool does"})
			continue
		}
		to := filepath.Join(store, filepath.Base(path))
		err := os.MkdirAll(store, 0o700)
		if err == nil {
			err = os.Rename(path, to)
		}
		if err != nil { // another volume: a name beside it that no tool reads
			to = path + ".caisson-quarantine-" + filepath.Base(store)
			err = os.Rename(path, to)
		}
		if err != nil {
			tell(diag.Diagnostic{Code: diag.Quarantined, Message: fmt.Sprintf("%s appeared during the run, may run code outside the sandbox and could not be moved away: %v", diag.Quote(path), err),
				Remedy: "look at it before any tool does, or remove it"})
			continue
		}
		tell(diag.Diagnostic{Code: diag.Quarantined, Message: fmt.Sprintf("%s appeared during the run and may run code outside the sandbox; it was moved to %s", diag.Quote(path), diag.Quote(to)),
			Remedy: fmt.Sprintf("if it is wanted: move %s %s", diag.Quote(to), diag.Quote(path))})
	}
	for _, path := range s.plan.Report {
		if _, err := os.Lstat(path); err == nil {
			tell(diag.Diagnostic{Code: diag.RepositoryMade, Message: diag.Quote(path) + " appeared during the run"})
		}
	}
}

// Reached is zero: nothing is counted on this system.
func (s *Sandbox) Reached() Reached { return Reached{} }
