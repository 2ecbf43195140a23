// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/journal"
	"github.com/caisson-sandbox/caisson/core/launch/gitstate"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// pollInterval is how often the paths are looked at where inotify cannot be
// had, because others use up the user's instances or watches.
const pollInterval = 50 * time.Millisecond

// notifyAfter is how old a sandbox is when it asks to be notified. A command
// that has ended by then is looked at once, at its end, and does not pay for
// what the kernel does at the end of notification: it waits for readers of its
// own, for 8 to 16 ms.
const notifyAfter = 25 * time.Millisecond

// watch looks, from the host's side, at names that must not appear and at
// protected paths that something outside may replace. Notification only says
// when to look; what counts is what look finds, and it looks once more when
// everything in the sandbox is dead.
type watch struct {
	sandbox  *Sandbox
	git      *gitstate.State
	initFD   int // pidfd of process 1
	stop     chan struct{}
	stopOnce sync.Once
	running  sync.WaitGroup // of the goroutines

	roots []string // what commands may write

	mu      sync.Mutex       // guards what follows while they run
	inotify *os.File         // nil: not yet, or it cannot be had
	mounts  *os.File         // the sandbox's mount table, nil: it is not followed
	parents map[string]int32 // directory → watch descriptor
	names   map[string]bool  // of the events in directories that matter
	whole   map[int32]bool   // watch descriptors of which every event matters
	ways    map[string]bool  // hidden paths and the directories above them
	onWay   map[string]bool  // their last names
	absent  []*absentPath
	guarded []*guardedPath
	hidden  []*hiddenPath
	renamed bool // something on the way to a hidden path was made or renamed
	blind   bool // a directory on the way to a hidden path is not watched
	ended   bool // watching has ended
	away    quarantine
	again   bool // look again soon
	broken  bool // the sandbox was killed
	over    bool // nothing in the sandbox is alive
}

// absentPath is a path that was absent at the start.
type absentPath struct {
	path string
	held *hold // its placeholder, nil: it is not held

	tracked *gitstate.Tracked // what commits hold there; nil: not looked up
	since   time.Time         // when it was first seen to be something else
	kept    bool              // what is there now is what a commit holds
	moved   int               // how often it was moved away
	failed  bool              // that it cannot be moved away was told
}

// guardedPath is a path that is mounted on itself inside.
type guardedPath struct {
	path string
	kind string
	id   journal.Identity
	told bool
	seen *fileSnapshot // what it must hold since it was replaced, nil: it was not
}

// startWatch begins to watch what the plan says. It must return before the
// first command starts; the slow part runs beside the command. The result is
// nil if there is nothing to watch.
func startWatch(s *Sandbox) (*watch, error) {
	w := &watch{
		sandbox: s, names: map[string]bool{}, whole: map[int32]bool{}, parents: map[string]int32{},
		ways: map[string]bool{}, onWay: map[string]bool{}, stop: make(chan struct{}), initFD: -1, git: s.git,
		roots: writableRoots(s.plan),
	}
	for _, step := range s.plan.Steps {
		switch st := step.(type) {
		case plan.Bind:
			if st.Role != "protect" && st.Role != "pin" {
				continue
			}
			id, _, err := journal.Look(unix.AT_FDCWD, st.Path)
			if err != nil {
				return nil, fmt.Errorf("look at %s: %w", st.Path, err)
			}
			kind := st.Kind
			if st.Role == "pin" {
				kind = "dir"
			}
			w.guarded = append(w.guarded, &guardedPath{path: st.Path, kind: kind, id: id})
		case plan.Watch:
			for _, name := range st.Hidden {
				w.hidden = append(w.hidden, &hiddenPath{path: name})
			}
		case plan.Cover:
			w.hidden = append(w.hidden, &hiddenPath{path: st.Path, optional: st.Optional})
		}
	}
	w.git.Wait()
	w.away.state = s.options.StateDir
	if s.holds != nil {
		for _, name := range s.holds.watched.Names {
			w.absent = append(w.absent, &absentPath{path: name})
		}
		for _, h := range s.holds.list {
			w.absent = append(w.absent, &absentPath{path: h.path, held: h})
		}
	}
	if len(w.absent) == 0 && len(w.guarded) == 0 && len(w.hidden) == 0 && w.git.Empty() {
		return nil, nil
	}
	var err error
	if w.initFD, err = unix.PidfdOpen(s.init, 0); err != nil {
		return nil, fmt.Errorf("pidfd_open: %w", err)
	}
	w.running.Go(w.run)
	return w, nil
}

// run looks until it is told to stop.
func (w *watch) run() {
	if len(w.hidden) > 0 {
		w.followMounts()
	}
	select {
	case <-w.stop:
		return
	case <-time.After(notifyAfter):
	}
	if !w.notify() {
		w.poll()
		return
	}
	w.look() // what happened before the watches were there
	buf := make([]byte, 16<<10)
	for w.arm() {
		n, err := w.inotify.Read(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			w.look()
		case err != nil:
			return
		case w.relevant(buf[:n]):
			w.look()
		}
	}
}

// arm says until when to wait for notification, and whether to.
func (w *watch) arm() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	var deadline time.Time
	if w.again || w.blind { // look again without being notified
		deadline = time.Now().Add(pollInterval)
	}
	return !w.ended && w.inotify.SetReadDeadline(deadline) == nil
}

// poll looks again and again while something is alive in the sandbox that could
// make or use what is found. A thousand idle sandboxes would keep every processor
// busy otherwise, and more than a hundred of one user find no notification left.
func (w *watch) poll() {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if !w.sandbox.idle() {
				w.look()
			}
		case <-w.stop:
			return
		}
	}
}

// notify begins notification, and returns false if a path cannot be watched.
func (w *watch) notify() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return false
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return false
	}
	w.inotify = os.NewFile(uintptr(fd), "inotify")
	ok := true
	for _, a := range w.absent {
		ok = w.watchName(a.path) && ok
	}
	for _, g := range w.guarded {
		ok = w.watchSelf(g.path) && ok
		if g.seen != nil {
			w.watchContent(g.path)
		}
	}
	w.watchHidden()
	return ok
}

// watchName watches for a name to appear in its directory.
func (w *watch) watchName(name string) bool {
	dir := path.Dir(name)
	w.names[path.Base(name)] = true
	if _, ok := w.parents[dir]; ok {
		return true
	}
	wd, err := w.add(dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ONLYDIR)
	w.parents[dir] = wd
	return err == nil || err == unix.ENOENT
}

// watchSelf watches for a path to become another file: a rename over it or a
// removal changes the link count of what was there.
func (w *watch) watchSelf(name string) bool {
	_, err := w.add(name, unix.IN_ATTRIB|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF)
	return err == nil || err == unix.ENOENT
}

// watchContent watches a file, besides, for being written to.
func (w *watch) watchContent(name string) {
	if w.watchSelf(name) {
		_, _ = w.add(name, unix.IN_MODIFY)
	}
}

func (w *watch) add(name string, mask uint32) (wd int32, err error) {
	raw, connErr := w.inotify.SyscallConn()
	if connErr != nil {
		return -1, connErr
	}
	connErr = raw.Control(func(fd uintptr) {
		var n int
		n, err = unix.InotifyAddWatch(int(fd), name, mask|unix.IN_DONT_FOLLOW|unix.IN_MASK_ADD)
		wd = int32(n)
	})
	if connErr != nil {
		return -1, connErr
	}
	return wd, err
}

// relevant says whether events are a reason to look, see inotify(7): those
// about a watched path itself have no name. Commands make, rename and touch a
// lot in the watched directories.
func (w *watch) relevant(events []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	const header = 16
	matter := false
	for len(events) >= header {
		wd, size := int32(binary.NativeEndian.Uint32(events)), int(binary.NativeEndian.Uint32(events[12:]))
		name := string(bytes.TrimRight(events[header:header+size], "\x00"))
		events = events[header+size:]
		matter = matter || name == "" || w.names[name] || w.whole[wd]
		w.renamed = w.renamed || name == "" || w.onWay[name]
	}
	return matter
}

// look compares all paths with what they should be, and acts.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended && !w.over {
		return // what is dead cannot be protected again; the last look reports it
	}
	w.again = false
	w.lookHidden()
	for _, a := range w.absent {
		id, _, err := journal.Look(unix.AT_FDCWD, a.path)
		w.again = w.again || w.shut(a.path, err)
		if err != nil || a.held != nil && (id == a.held.id || a.held.matches()) || w.stays(a) {
			continue
		}
		w.quarantine(a)
	}
	for _, g := range w.guarded {
		id, _, err := journal.Look(unix.AT_FDCWD, g.path)
		if w.shut(g.path, err) && w.stands(g) {
			w.again = true
		} else if err != nil || id != g.id {
			w.detached(g)
		} else if g.seen != nil {
			w.verify(g)
		}
	}
}

// finish stops watching, looks for the last time and reports what appeared.
// Nothing of the sandbox may be alive.
func (w *watch) finish() {
	if w == nil {
		return
	}
	w.stopOnce.Do(func() { close(w.stop) })
	w.mu.Lock()
	w.ended = true
	if w.inotify != nil {
		_ = w.inotify.SetReadDeadline(time.Unix(1, 0)) // wakes the reader
	}
	w.mu.Unlock()
	if w.mounts != nil {
		w.mounts.Close() // waits for a look that is under way
	}
	w.running.Wait()
	if w.inotify != nil {
		go w.inotify.Close() // takes long, and nothing depends on it
	}
	w.over = true
	w.look()
	w.tellMoves()
	w.tellKept()
	for _, g := range w.guarded {
		if w.broken && g.seen != nil {
			w.restore(g)
		}
	}
	w.git.Tell(w.tell)
	for _, a := range w.absent {
		if a.tracked != nil {
			a.tracked.Close()
		}
	}
	unix.Close(w.initFD)
}

func (w *watch) tell(d diag.Diagnostic) { tell(w.sandbox.options.Report, d) }

// kill ends the sandbox: its commands wait to be reaped, Start fails.
func (w *watch) kill() {
	w.broken = true
	if !w.over {
		w.sandbox.killed.Store(true) // nothing is started while it dies
		_ = unix.PidfdSendSignal(w.initFD, unix.SIGKILL, nil, 0)
	}
}
