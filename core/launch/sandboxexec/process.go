// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sandboxexec

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a command that was started, in a process group of its own. Its
// methods may be called from several goroutines.
type Process struct {
	box  *Box
	pid  int
	tree *tree

	mu     sync.Mutex // held while the process is signalled, so that its id stays its own
	reaped bool
	done   chan struct{} // closed when what follows is set
	status syscall.WaitStatus
	usage  syscall.Rusage
	err    error

	terminal *terminal // nil where the command is none of a terminal's
}

// Pid is the process id of the command.
func (p *Process) Pid() int { return p.pid }

// Wait waits for the command to end and gives how it did.
func (p *Process) Wait() (syscall.WaitStatus, syscall.Rusage, error) {
	<-p.done
	return p.status, p.usage, p.err
}

// reap waits for the command, and stops and goes on with it where it has the
// terminal: a shell outside must see its job stop.
func (p *Process) reap() {
	defer p.box.running.Done()
	options := syscall.WNOHANG
	if p.terminal != nil {
		options |= syscall.WUNTRACED
	}
	// Waiting in the kernel would reap the process before the lock is held, and
	// its id could become another one's while it is signalled.
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGCHLD)
	defer signal.Stop(changed)
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		var status syscall.WaitStatus
		var usage syscall.Rusage
		p.mu.Lock()
		pid, err := syscall.Wait4(p.pid, &status, options, &usage)
		if pid == p.pid && !status.Stopped() || err != nil && err != syscall.EINTR {
			p.status, p.usage, p.err, p.reaped = status, usage, err, true
			p.mu.Unlock()
			break
		}
		p.mu.Unlock()
		if pid == p.pid {
			p.terminal.stopped(p.pid, status.StopSignal(), orphaned(p.box.options.System))
			continue
		}
		select {
		case <-changed:
		case <-tick.C:
			if p.terminal != nil {
				p.terminal.hangUp(p.pid)
			}
		}
	}
	p.tree.leave()
	p.terminal.restore(p.pid, p.tree.hasGroup)
	p.box.watch.look()
	close(p.done)
}

// Signal sends a signal to the command's process group.
func (p *Process) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return os.ErrProcessDone
	}
	return unix.Kill(-p.pid, sig)
}

// Kill kills the command and what it started.
func (p *Process) Kill() error {
	p.mu.Lock()
	gone := p.reaped
	if !gone {
		_ = unix.Kill(-p.pid, unix.SIGKILL) // the tree is gone through below
	}
	p.mu.Unlock()
	if gone {
		return os.ErrProcessDone
	}
	return p.tree.end()
}
