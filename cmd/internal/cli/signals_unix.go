// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// signals passes signals on to the command. What the terminal sends reaches
// the command by itself, as it is in the foreground too; the stop signals of
// the terminal are never caught, so that the shell sees caisson stop.
type signals struct {
	caught chan os.Signal
	done   chan struct{}
}

// catchSignals begins to hold signals back, so that none ends caisson between
// the start of the command and passTo. Ignored ones stay ignored.
func catchSignals() *signals {
	s := &signals{caught: make(chan os.Signal, 16), done: make(chan struct{})}
	for _, sig := range []os.Signal{
		syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGTERM,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGVTALRM, syscall.SIGPROF,
	} {
		if !signal.Ignored(sig) {
			signal.Notify(s.caught, sig)
		}
	}
	return s
}

// passTo passes what was caught, and what is from now on, to the command. What
// the terminal sent before the command was there did not reach it.
func (s *signals) passTo(cmd *sandbox.Cmd) {
	for range len(s.caught) {
		_ = cmd.Signal((<-s.caught).(syscall.Signal))
	}
	s.passBy(func(sig syscall.Signal) {
		if !fromTerminal(sig) {
			_ = cmd.Signal(sig) // it may have ended just now
		}
	})
}

// passBy passes what was caught, and what is from now on, to a function.
func (s *signals) passBy(pass func(syscall.Signal)) {
	go func() {
		for {
			select {
			case sig := <-s.caught:
				pass(sig.(syscall.Signal))
			case <-s.done:
				return
			}
		}
	}()
}

// stop ends the passing. Signals go on to be held back: caisson ends by itself
// now, and has said how the command ended. To have Go let them through one by
// one wakes two threads for each, a twentieth of a launch in all.
func (s *signals) stop() { close(s.done) }

// fromTerminal reports whether the terminal sent a signal, and so sent it to
// the command too. Go does not tell who sent a signal. While caisson is in the
// foreground of its terminal, an interrupt is taken for a key; a hangup is the
// terminal's where the terminal is gone.
func fromTerminal(sig syscall.Signal) bool {
	if sig != syscall.SIGINT && sig != syscall.SIGQUIT && sig != syscall.SIGHUP {
		return false
	}
	tty, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		// A terminal that hung up cannot be opened any more: EIO, tty(4).
		return sig == syscall.SIGHUP && err == unix.EIO
	}
	defer unix.Close(tty)
	group, err := unix.IoctlGetInt(tty, unix.TIOCGPGRP)
	if sig == syscall.SIGHUP {
		return err != nil
	}
	return err == nil && group == unix.Getpgrp()
}
