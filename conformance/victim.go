// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// victim is a process of the host's that acts are aimed at: the helper, run
// without any sandbox.
type victim struct {
	cmd *exec.Cmd
	in  io.Closer
	out *os.File

	mu   sync.Mutex
	said string
	done chan struct{}
}

// victim starts a process that waits and says which signal it got.
func (t *T) victim(env ...string) *victim {
	v := &victim{done: make(chan struct{})}
	args := t.helperArgs("trap")
	v.cmd = exec.Command(args[0], args[1:]...)
	v.cmd.Env = append(os.Environ(), env...)
	apart(v.cmd, false)
	in, err := v.cmd.StdinPipe()
	t.must(err)
	r, w, err := os.Pipe()
	t.must(err)
	v.in, v.out, v.cmd.Stdout = in, r, w
	err = v.cmd.Start()
	w.Close()
	t.must(err)
	ready := make(chan struct{})
	go func() {
		defer close(v.done)
		b := make([]byte, 256)
		for first := true; ; {
			n, err := r.Read(b)
			v.mu.Lock()
			v.said += string(b[:n])
			v.mu.Unlock()
			if first && n > 0 {
				close(ready)
				first = false
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		v.cmd.Process.Kill()
		v.cmd.Wait()
		r.Close()
		in.Close()
	})
	select {
	case <-ready:
	case <-time.After(5 * time.Second):
		t.Fatal("the victim did not start")
	}
	return v
}

func (v *victim) pid() int { return v.cmd.Process.Pid }

// hit reports whether a signal came or the process is gone. It asks the victim
// by another signal, which a busy kernel hands over after the first one: the
// lower number goes first, see signal(7).
func (v *victim) hit() bool {
	if !ask(v.cmd.Process) {
		// No such signal on this system, or the victim is gone: wait a moment.
		select {
		case <-v.done:
			return true
		case <-time.After(300 * time.Millisecond):
			return v.heard() != "ready\n"
		}
	}
	select {
	case <-v.done:
	case <-time.After(5 * time.Second):
	}
	return v.heard() != "ready\n"+asked
}

func (v *victim) heard() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.said
}
