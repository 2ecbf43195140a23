// SPDX-License-Identifier: Apache-2.0

package launch

import (
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
}

func newThread() *thread {
	t := &thread{work: make(chan func())}
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
	for f := range t.work {
		f()
	}
	// Still locked: the thread ends with the goroutine and with it the domain.
}

// do runs f on the thread and waits for it.
func (t *thread) do(f func()) {
	done := make(chan struct{})
	t.work <- func() { f(); close(done) }
	<-done
}

// end lets the thread end. Nothing may be done after it.
func (t *thread) end() { close(t.work) }
