// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/cmd/internal/serve"
	"github.com/caisson-sandbox/caisson/cmd/internal/session"
	"github.com/caisson-sandbox/caisson/core/diag"
)

// The descriptors that session start gives the holder.
const (
	readyFD = 3 // a pipe: the name is written to it when the session can be reached
	ownerFD = 4 // a descriptor of the owner's process, where one is named
)

// startHolder starts the process that holds the session, with the same flags, and
// waits until it does.
func (p *program) startHolder(f *startFlags) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("this program cannot be found: %w", err)
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("a pipe: %w", err)
	}
	defer ready.Close()
	files := []*os.File{p.stdin, p.stderr, p.stderr, theirs}
	if f.owner > 0 {
		owner, err := openOwner(f.owner)
		if err != nil {
			theirs.Close()
			return err
		}
		defer owner.Close()
		files = append(files, owner)
	}
	// It is caisson itself, which makes its sandbox as every caisson does.
	holder, err := os.StartProcess(self, append([]string{self, "session", "hold"}, p.args[2:]...), &os.ProcAttr{
		Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	theirs.Close()
	if err != nil {
		return fmt.Errorf("start the process that holds the session: %w", err)
	}
	name, err := io.ReadAll(ready)
	if err == nil && len(name) > 0 {
		_, err = p.stdout.Write(name)
		return err
	}
	end, err := holder.Wait() // it has said why
	if err == nil && end.ExitCode() > 0 {
		return status(end.ExitCode())
	}
	return diag.New(diag.LaunchFailed, "the process that holds the session was killed", "")
}

// openOwner opens the process whose end ends the session. From then on no other
// one can take its id.
func openOwner(pid int) (*os.File, error) {
	refuse := func(why string) error {
		return diag.New(diag.UsageInvalid, fmt.Sprintf("--owner %d: %s", pid, why), "name a process of yours that lives")
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, refuse("there is no such process")
	}
	f := os.NewFile(uintptr(fd), "owner")
	var st unix.Stat_t
	if unix.Stat(fmt.Sprintf("/proc/%d", pid), &st) != nil || over(f) {
		f.Close()
		return nil, refuse("it has ended")
	}
	if int(st.Uid) != os.Geteuid() {
		f.Close()
		return nil, refuse("it belongs to another user")
	}
	return f, nil
}

// over reports whether a process has ended, see pidfd_open(2).
func over(process *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(process.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// hold opens the sandbox and holds it until the session ends.
func (p *program) hold(ctx context.Context, f *startFlags) error {
	if !isInherited(readyFD) {
		return diag.New(diag.UsageInvalid, "session hold is what session start runs", "write caisson session start")
	}
	ready := os.NewFile(readyFD, "ready")
	unix.CloseOnExec(readyFD)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if f.owner > 0 {
		unix.CloseOnExec(ownerFD)
		var end context.CancelFunc
		ctx, end = context.WithCancel(ctx)
		go func() {
			defer end()
			awaitEnd(os.NewFile(ownerFD, "owner"))
		}()
	}
	if f.name == "" {
		f.name = session.NewName()
	}
	j := &job{program: p, flags: f.flags}
	prepared, err := j.prepare(ctx, nil)
	if err != nil {
		return err
	}
	holder, err := session.Claim(stateDir(), f.name)
	if err != nil {
		return err
	}
	defer holder.Release()
	sb, err := prepared.Open(ctx)
	p.endPlugins()
	if err != nil {
		return err
	}
	defer sb.Close()
	if d := sb.Resolved().Limits().Time; d > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, d)
		defer end()
	}
	info := session.Info{Workspace: sb.Resolved().Workspace(), Backend: sb.Backend(), Owner: f.owner}
	if err := holder.Listen(info, f.idle); err != nil {
		return err
	}
	if err := detach(); err != nil {
		return fmt.Errorf("leave the terminal: %w", err)
	}
	if _, err := ready.WriteString(f.name + "\n"); err != nil {
		return err // who started it is gone
	}
	ready.Close()
	holder.Serve(ctx, serve.Held{Sandbox: sb, Prepared: prepared, Reason: f.reason}, outcome.Version())
	return nil
}

// awaitEnd waits for the end of a process.
func awaitEnd(process *os.File) {
	for {
		fds := []unix.PollFd{{Fd: int32(process.Fd()), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, -1); err != unix.EINTR && (err != nil || n > 0) {
			return
		}
	}
}

// detach lets go of the streams and the directory of who started the session.
func detach() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup2(int(null.Fd()), fd); err != nil {
			return err
		}
	}
	return os.Chdir("/")
}
