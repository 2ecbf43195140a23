// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sandboxexec

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Info is one process of the system.
type Info struct {
	PID, Parent, Group int
	Start              int64 // tells it from an earlier process of the same id
	Dead               bool  // it ended and was not reaped
}

// System is what a box needs to know of the processes of the system.
type System interface {
	// List lists all processes.
	List() ([]Info, error)
	// Environ returns the environment that a process was executed with, as
	// NAME=VALUE with NUL between, or "" where that cannot be known.
	Environ(pid int) string
}

// tree is a command and all that it started, as far as it was seen. macOS has
// no set of processes that none can leave, so members are found by looking: a
// process belongs to the tree if its parent or the leader of its group does, or
// did when it was seen, or if it was executed with the mark of its box. What
// starts, leaves and hides the mark between two looks is missed.
type tree struct {
	root   int
	mark   string // what only the environment of its members holds
	system System

	mu     sync.Mutex
	known  map[int]int64 // id → start of members, alive or gone
	other  map[int]int64 // of processes that have no mark
	silent map[int]int   // how often a process that shows no environment was asked
	began  int64         // start of the root, once it was seen
	gone   bool          // the root was reaped: its id may become another one's
}

// newTree begins with a root that was not seen yet, but is older than all that
// it starts.
func newTree(root int, mark string, system System) *tree {
	return &tree{root: root, mark: mark, system: system, known: map[int]int64{root: 0}, other: map[int]int64{}, silent: map[int]int{}}
}

// leftTree is what is left of the commands of a box whose owner was killed: what
// has its mark, and what that started.
func leftTree(mark string, system System) *tree {
	return &tree{root: -1, gone: true, mark: mark, system: system, known: map[int]int64{}, other: map[int]int64{}, silent: map[int]int{}}
}

// leave says that the root was reaped.
func (t *tree) leave() {
	t.mu.Lock()
	t.gone = true
	t.mu.Unlock()
}

// hasGroup reports whether a process group is led by a member.
func (t *tree) hasGroup(group int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.known[group]
	return ok
}

// left reports whether the root was reaped.
func (t *tree) left() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gone
}

// see finds new members in a list of all processes, and returns the members
// that live.
func (t *tree) see(all []Info) []Info {
	t.mu.Lock()
	defer t.mu.Unlock()
	grouped := false
	for _, i := range all {
		if i.PID == t.root && !t.gone {
			t.known[i.PID], t.began = i.Start, i.Start
		}
		grouped = grouped || i.Group == t.root && i.PID != t.root
	}
	if t.gone && !grouped {
		delete(t.known, t.root) // a group keeps its id from being used again; there is none
	}
	for grew := true; grew; {
		grew = false
		for _, i := range all {
			if start, ok := t.known[i.PID]; ok && start == i.Start || i.PID == os.Getpid() {
				continue
			}
			if t.older(i.Parent, i.Start) || t.older(i.Group, i.Start) && i.Group != i.PID || t.marked(i) {
				t.known[i.PID] = i.Start
				grew = true
			}
		}
	}
	var alive []Info
	for _, i := range all {
		if start, ok := t.known[i.PID]; ok && start == i.Start && !i.Dead {
			alive = append(alive, i)
		}
	}
	return alive
}

// older reports whether an id is a member's that began no later.
func (t *tree) older(pid int, start int64) bool {
	known, ok := t.known[pid]
	return ok && pid > 1 && known <= start
}

// marked reports whether a process that began since the root did carries the
// mark. Each is asked once: what a process was executed with can only be lost.
// One that shows nothing, as it does while it is being executed, is asked again.
func (t *tree) marked(i Info) bool {
	if start, ok := t.other[i.PID]; ok && start == i.Start || i.Dead || i.Start < t.began {
		return false
	}
	environ := t.system.Environ(i.PID)
	if strings.Contains("\x00"+environ+"\x00", t.mark) {
		return true
	}
	if t.silent[i.PID]++; environ != "" || t.silent[i.PID] == maxSilent {
		t.other[i.PID] = i.Start
		delete(t.silent, i.PID)
	}
	return false
}

const (
	maxSilent    = 5                     // looks
	lookInterval = 50 * time.Millisecond // between looks for new members
	endPatience  = 10 * time.Second      // until a tree that does not die is given up
)

// errLeft is the error of a tree that does not die.
var errLeft = errors.New("processes of the sandbox are left")

// end kills the members until none is left. Each is stopped first, so that
// none is made while the others are killed.
func (t *tree) end() error {
	for began := time.Now(); time.Since(began) < endPatience; time.Sleep(time.Millisecond) {
		all, err := t.system.List()
		if err != nil {
			return err
		}
		alive := t.see(all)
		if len(alive) == 0 {
			return nil
		}
		for _, i := range alive {
			_ = unix.Kill(i.PID, unix.SIGSTOP)
		}
		for _, i := range alive {
			_ = unix.Kill(i.PID, unix.SIGKILL)
		}
	}
	return errLeft
}

// follow looks for new members until the box is closed.
func (b *Box) follow() {
	defer close(b.stopped)
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-tick.C:
		}
		b.look()
	}
}

// look looks for new members once, and forgets trees of which nothing is left.
func (b *Box) look() {
	b.mu.Lock()
	trees := slices.Clone(b.trees)
	b.mu.Unlock()
	if len(trees) == 0 {
		return
	}
	ended := map[*tree]bool{} // before the list was made
	for _, t := range trees {
		ended[t] = t.left()
	}
	all, err := b.options.System.List()
	if err != nil {
		return // the end asks again, and fails if it cannot
	}
	for _, t := range trees {
		ended[t] = len(t.see(all)) == 0 && ended[t]
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trees = slices.DeleteFunc(b.trees, func(t *tree) bool { return ended[t] })
}

// busy reports whether a command runs.
func (b *Box) busy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.trees, func(t *tree) bool { return !t.left() })
}
