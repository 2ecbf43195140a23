// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/journal"
	"github.com/caisson-sandbox/caisson/core/launch/gitstate"
)

// dyingTime is how long the processes of a sandbox may still run after both
// caisson and the guardian were killed. Killing them takes some milliseconds.
const dyingTime = 50 * time.Millisecond

// pendingTime bounds the age, relative to its record, of a placeholder that
// was made when its maker was killed before it could note what it made.
const pendingTime = time.Second

// endingTime bounds the wait for what holds records, and holdPause is how often
// it is looked at: the guardian of a run that was killed just now ends by itself,
// other sandboxes live on.
const (
	endingTime = time.Second
	holdPause  = 10 * time.Millisecond
)

// Collect removes the placeholders that killed runs left, and their records,
// and moves away what they left under names that must not appear.
// What has become something else, such as a directory that is no longer empty,
// stays. Each removal is reported, and whether sandboxes are left that still have
// to remove something. It may run beside any number of sandboxes.
func Collect(stateDir string, report func(diag.Diagnostic)) error {
	collectTmp(tmpDirs(stateDir), report)
	collectCgroups(stateDir, report)
	d, err := journal.OpenExisting(stateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the journal: %w", err)
	}
	defer d.Close()
	for deadline := time.Now().Add(endingTime); ; time.Sleep(holdPause) {
		last := time.Now().After(deadline)
		held, err := collectUnheld(d, last, report)
		if err != nil || held == 0 {
			return err
		}
		if last {
			tell(report, leftover(fmt.Sprintf("names are still held (%d) by sandboxes that live or are being ended, which remove them", held)))
			return nil
		}
	}
}

// collectUnheld is collect where nothing is held, or where it is the last time.
// The journal is not locked afterwards: a guardian needs it to end.
func collectUnheld(d *journal.Dir, last bool, report func(diag.Diagnostic)) (held int, err error) {
	if err := d.Lock(); err != nil {
		return 0, err
	}
	defer d.Unlock()
	if held, err = d.Held(); err != nil || held > 0 && !last {
		return held, err
	}
	return held, collect(d, report)
}

// collect is Collect with the journal locked.
func collect(d *journal.Dir, report func(diag.Diagnostic)) error {
	names, err := d.List()
	if err != nil {
		return err
	}
	waited := false
	for _, name := range names {
		if journal.IsWatched(name) {
			collectWatched(d, name, &waited, report)
			continue
		}
		id, ours := journal.ParseName(name)
		if !ours && name != journal.Pending {
			tell(report, leftover("the journal holds "+diag.Quote(name)+", which caisson did not write; it is left alone"))
			continue
		}
		r, made, dead, err := d.Dead(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && !dead:
			continue
		case err != nil && name == journal.Pending: // cut short: before anything was made
			d.Drop(name)
			continue
		case err != nil:
			tell(report, leftover("the journal's "+diag.Quote(name)+" is left alone: "+err.Error()))
			continue
		}
		waitOnce(&waited)
		removed, err := removeLeft(r, id, made)
		switch {
		case err != nil:
			tell(report, leftover(diag.Quote(r.Path)+" was left by a killed run and cannot be removed: "+err.Error()))
			continue
		case removed:
			tell(report, leftover("removed "+diag.Quote(r.Path)+", which a killed run left"))
		}
		d.Drop(name)
	}
	return nil
}

func waitOnce(waited *bool) {
	if !*waited {
		time.Sleep(dyingTime)
		*waited = true
	}
}

// collectWatched moves away what a killed run left under the names that it
// watched, unless it was made after that run or a commit from before it holds
// it. A record whose names cannot all be moved stays for the next time.
func collectWatched(d *journal.Dir, name string, waited *bool, report func(diag.Diagnostic)) {
	r, written, dead, err := d.DeadWatched(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !dead:
		return
	case err != nil && dead: // cut short: before anything ran
		d.Drop(name)
		return
	case err != nil:
		tell(report, leftover("the journal's "+diag.Quote(name)+" is left alone: "+err.Error()))
		return
	}
	waitOnce(waited)
	away := quarantine{state: d.StateDir()}
	git := gitstate.Since(r.Since, r.Git)
	left := false
	for _, at := range r.Names {
		id, _, err := journal.Look(unix.AT_FDCWD, at)
		if err != nil || r.Ended && id.Born > written.UnixNano() {
			continue
		}
		held := git.Find(at)
		stays := held.Holds(at)
		held.Close()
		if stays {
			tell(report, checkedOut(at, "during a run that was killed"))
			continue
		}
		switch to, err := away.move(at); {
		case err == nil:
			tell(report, movedAway(at, to, "during a run that was killed"))
		case !errors.Is(err, unix.ENOENT):
			left = true
			tell(report, notMovedAway(at, err))
		}
	}
	if !left {
		d.Drop(name)
	}
}

func leftover(message string) diag.Diagnostic {
	return diag.Diagnostic{Code: diag.LeftoverRemoved, Message: message}
}

// removeLeft removes the placeholder of a record if it is still what the
// record means: of this identity or, for the zero identity, made just after
// the record by this user. An error means that it may work later.
func removeLeft(r journal.Record, id journal.Identity, made unix.StatxTimestamp) (bool, error) {
	parent, err := openParent(path.Dir(r.Path))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(parent)
	base := path.Base(r.Path)
	now, st, err := journal.Look(parent, base)
	if err == unix.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if st.Mode&unix.S_IFMT != kindMode(r.Kind) {
		return false, nil
	}
	content := r.Content
	if id == (journal.Identity{}) {
		age := time.Duration(now.Born - time.Unix(made.Sec, int64(made.Nsec)).UnixNano())
		if now.Born == 0 || age < 0 || age > pendingTime || int(st.Uid) != unix.Geteuid() {
			return false, nil
		}
		if st.Size < uint64(len(content)) {
			content = content[:st.Size] // killed while it was written
		}
	} else if now != id {
		return false, nil
	}
	flags := unix.AT_REMOVEDIR
	if r.Kind != journal.KindDir {
		flags = 0
		if !holdsContent(r.Kind, parent, base, content) {
			return false, nil
		}
	}
	var times unix.Statx_t
	if err := unix.Statx(parent, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &times); err != nil {
		return false, err
	}
	err = unix.Unlinkat(parent, base, flags)
	if err == unix.EACCES {
		relock := unlock([]string{r.Path}, nil)
		err = unix.Unlinkat(parent, base, flags)
		relock()
	}
	switch err {
	case nil:
		setTimes(parent, &times)
		return true, nil
	case unix.ENOENT, unix.ENOTEMPTY, unix.EEXIST:
		return false, nil
	default:
		return false, fmt.Errorf("remove %s: %w", strings.TrimSuffix(r.Path, "/"), err)
	}
}
