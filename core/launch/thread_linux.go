// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// A thread is one operating system thread that makes the processes of one
// sandbox. Parent-death signals and Landlock domains belong to threads: it
// lives until the sandbox is closed and is restricted once, so that all
// commands inherit one domain and can signal and trace each other.
//
// It is never the main thread. A signal to a process group is checked against
// the domain of each process's main thread: a restricted one would be within
// the scope of the commands' signals.
type thread struct {
	work chan func()
	over chan struct{}
}

func newThread() *thread {
	t := &thread{work: make(chan func()), over: make(chan struct{})}
	go t.serve()
	return t
}

func (t *thread) serve() {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		done := make(chan struct{})
		go func() { t.serve(); close(done) }() // on another thread, for this one is taken
		<-done
		runtime.UnlockOSThread()
		return
	}
	for {
		select {
		case f := <-t.work:
			f()
		case <-t.over:
			return // still locked: the thread ends with the goroutine and with it the domain
		}
	}
}

// do runs f on the thread and waits for it. After end it does nothing.
func (t *thread) do(f func()) { <-t.begin(f) }

// begin has the thread run f and closes the channel then. After end it is closed,
// and nothing runs.
func (t *thread) begin(f func()) <-chan struct{} {
	done := make(chan struct{})
	select {
	case t.work <- func() { f(); close(done) }:
	case <-t.over:
		close(done)
	}
	return done
}

// end lets the thread end.
func (t *thread) end() { close(t.over) }

// dropThreadCapabilities empties the capability sets of the calling thread.
func dropThreadCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	return nil
}
