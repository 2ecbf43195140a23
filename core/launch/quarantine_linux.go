// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/journal"
)

// maxMoves bounds what one sandbox can put into the quarantine while it runs.
// Names that appear later are moved at the end, one time each.
const maxMoves = 64

// checkoutTime is how long a name that a commit holds may be something else:
// git makes a file first and fills it then.
const checkoutTime = time.Second

// stays says whether what appeared may stay, at least for now: it is what a
// commit from before the run holds at this path.
func (w *watch) stays(a *absentPath) bool {
	if a.tracked == nil {
		a.tracked = w.git.Find(a.path)
	}
	if !a.tracked.Known() {
		return false
	}
	if a.kept = a.tracked.Holds(a.path); a.kept {
		a.since = time.Time{}
		if !w.over && w.inotify != nil {
			wd, err := w.add(a.path, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_CLOSE_WRITE)
			if err == nil {
				w.whole[wd] = true
			}
		}
		return true
	}
	if a.since.IsZero() {
		a.since = time.Now()
	}
	w.again = time.Since(a.since) < checkoutTime && !w.over
	return w.again
}

// quarantine moves away what appeared under a name that tools outside trust,
// and says how it is brought back. It does so whoever made it: the host cannot
// tell a command's file from one of the user. Of a name that appears again and
// again the first time is told, and at the end how often.
func (w *watch) quarantine(a *absentPath) {
	if w.away.moved >= maxMoves && !w.over {
		return
	}
	to, err := w.away.move(a.path)
	switch {
	case errors.Is(err, unix.ENOENT): // gone by itself
	case err != nil:
		if !a.failed {
			w.tell(notMovedAway(a.path, err))
		}
		a.failed = true
	default:
		if a.moved++; a.moved == 1 {
			w.tell(movedAway(a.path, to, "during the run"))
		}
	}
}

// tellMoves says how often names were moved away after the first time.
func (w *watch) tellMoves() {
	for _, a := range w.absent {
		if a.moved > 1 {
			w.tell(diag.Diagnostic{Code: diag.Quarantined,
				Message: fmt.Sprintf("%s appeared %d times during the run; all are in %s or, on another file system, beside it", diag.Quote(a.path), a.moved, diag.Quote(w.away.store))})
		}
	}
}

// tellKept names what stays at the end because a commit holds it. The commit is
// from before this run, which says nothing of who made it: an earlier run may
// have.
func (w *watch) tellKept() {
	for _, a := range w.absent {
		if _, _, err := journal.Look(unix.AT_FDCWD, a.path); err == nil && a.kept {
			w.tell(checkedOut(a.path, "during the run"))
		}
	}
}

func checkedOut(name, when string) diag.Diagnostic {
	return diag.Diagnostic{Code: diag.CheckedOut,
		Message: fmt.Sprintf("%s appeared %s, as a commit from before it holds it, and stays; it may run code outside the sandbox", diag.Quote(name), when),
		Remedy:  "look at it before any tool does, if the commit is not yours"}
}

func movedAway(name, to, when string) diag.Diagnostic {
	grant := diag.NewGrant(diag.GrantUnprotect, name)
	return diag.Diagnostic{Code: diag.Quarantined, Grant: &grant,
		Message: fmt.Sprintf("%s appeared %s and may run code outside the sandbox; it was moved to %s", diag.Quote(name), when, diag.Quote(to)),
		Remedy:  "if it is wanted: mv -nT -- " + diag.Quote(to) + " " + diag.Quote(name)}
}

func notMovedAway(name string, err error) diag.Diagnostic {
	return diag.Diagnostic{Code: diag.Quarantined,
		Message: fmt.Sprintf("%s appeared during the run, may run code outside the sandbox and could not be moved away: %v", diag.Quote(name), err),
		Remedy:  "look at it before any tool does, or remove it: rm -r -- " + diag.Quote(name)}
}

// quarantine is where the names of one sandbox are moved to.
type quarantine struct {
	state string // caisson's state
	store string // the sandbox's directory, "" before the first name
	moved int    // how many names were moved
}

// move moves a path into the quarantine or, where that is on another file
// system, to a name beside it that no tool reads. A link is moved, not
// followed. What is at the new path is as hostile as before.
func (q *quarantine) move(name string) (string, error) {
	parent, err := openParent(path.Dir(name))
	if err != nil {
		return "", err
	}
	defer unix.Close(parent)
	if err := q.makeStore(); err != nil {
		return "", err
	}
	q.moved++
	to, err := q.rename(parent, name)
	if err == unix.EACCES { // who made it can have taken the right to from its owner
		relock := unlock([]string{name}, nil)
		defer relock()
		if fd, err := unix.Openat(parent, path.Base(name), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err == nil {
			giveOwner(fd) // a directory that changes its parent is written to
			unix.Close(fd)
		}
		to, err = q.rename(parent, name)
	}
	if err != nil {
		return "", fmt.Errorf("move %s: %w", name, err)
	}
	return to, nil
}

// rename does the move. A name beside another is one that nobody foresees, so
// that none is there.
func (q *quarantine) rename(parent int, name string) (to string, err error) {
	label := strconv.Itoa(q.moved) + "-" + path.Base(name)
	to = filepath.Join(q.store, label)
	err = unix.Renameat2(parent, path.Base(name), unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if err == unix.EXDEV {
		label = ".caisson-quarantine-" + rand.Text() + "-" + label
		to = path.Join(path.Dir(name), label)
		err = unix.Renameat2(parent, path.Base(name), parent, label, unix.RENAME_NOREPLACE)
	}
	return to, err
}

// makeStore makes the directory of this sandbox in the quarantine, once.
func (q *quarantine) makeStore() error {
	if q.store != "" {
		return nil
	}
	all := filepath.Join(q.state, "quarantine")
	if err := os.MkdirAll(all, 0o700); err != nil {
		return err
	}
	store, err := os.MkdirTemp(all, time.Now().UTC().Format("20060102T150405Z-"))
	if err == nil {
		q.store = store
	}
	return err
}
