// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/journal"
	"github.com/caisson-sandbox/caisson/core/launch/gitstate"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// holds are the placeholders that one sandbox relies on, its own and those of
// others, and the guardian that removes the ones that nobody else relies on.
type holds struct {
	dir      *journal.Dir
	report   func(diag.Diagnostic)
	list     []*hold
	parents  map[string]int // O_PATH descriptors of the directories
	started  chan error     // how the start of the guardian went; nil: nobody starts it
	guardian int            // process, 0: none
	pipe     int            // to the guardian; its end starts the removal

	watched journal.Watched // names that are moved away
	record  int             // their record, with a shared lock, -1: none
	name    string          // of the record
}

// hold is one placeholder.
type hold struct {
	path    string
	kind    string
	content string
	parent  int // descriptor of the directory
	id      journal.Identity
	st      unix.Statx_t // as it was when it was made or shared
	lock    int          // shared lock on the record
	pin     int          // O_PATH descriptor; its inode number is given to no other meanwhile
}

// matches says whether the path is like the placeholder, as one that the user
// made in its place may be, and so does no harm.
func (h *hold) matches() bool {
	if h.kind != journal.KindDir {
		return holdsContent(h.kind, h.parent, path.Base(h.path), h.content)
	}
	fd, err := unix.Openat(h.parent, path.Base(h.path), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	dir := os.NewFile(uintptr(fd), h.path)
	defer dir.Close()
	_, err = dir.Readdirnames(1)
	return err == io.EOF
}

// holdAbsent makes a placeholder for each absent path that the plan holds, or
// relies on the one that another sandbox made. With what a killed run left it
// deals first. The error wraps ErrChanged if a path is there that is no
// placeholder. Without anything to hold it returns nil.
//
// A placeholder is on the host and visible there as long as a sandbox relies
// on it: an empty directory, or a file with neutral content. The times of the
// directory that it is in are set back.
func holdAbsent(p *plan.Plan, stateDir string, report func(diag.Diagnostic)) (*holds, error) {
	if stateDir != "" {
		collectTmp(tmpDirs(stateDir), report)
	}
	dir, err := openJournal(p, stateDir)
	if dir == nil {
		return nil, err
	}
	h := &holds{dir: dir, report: report, parents: map[string]int{}, pipe: -1, record: -1}
	if err := h.begin(p); err != nil {
		h.release()
		return nil, err
	}
	return h, nil
}

// openJournal opens the journal if the plan holds anything or moves anything
// away, or if there is one that may tell that a path of the plan is a
// placeholder of another sandbox.
func openJournal(p *plan.Plan, stateDir string) (*journal.Dir, error) {
	for _, step := range p.Steps {
		w, isWatch := step.(plan.Watch)
		if _, ok := step.(plan.Hold); ok || isWatch && len(w.Quarantine) > 0 {
			d, err := journal.Open(stateDir)
			if err != nil {
				return nil, fmt.Errorf("open the journal: %w", err)
			}
			return d, nil
		}
	}
	d, err := journal.OpenExisting(stateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	return d, nil
}

func (h *holds) begin(p *plan.Plan) error {
	if err := h.dir.Lock(); err != nil {
		return err
	}
	defer h.dir.Unlock()
	if err := collect(h.dir, h.report); err != nil {
		return err
	}
	var err error
	for _, step := range p.Steps {
		switch st := step.(type) {
		case plan.Hold:
			err = h.hold(st)
		case plan.Bind:
			// The policy may have seen a placeholder of another sandbox, which
			// may be gone, and its inode may be that of a newer one later.
			if st.Role != "root" {
				err = h.shareIfHeld(st)
			}
		case plan.Watch:
			err = h.note(st)
		}
		if err != nil {
			return err
		}
	}
	if len(h.list) > 0 || h.record >= 0 {
		h.startGuardian()
	}
	return nil
}

// note writes down which of the names that are moved away are absent.
func (h *holds) note(st plan.Watch) (err error) {
	h.watched = journal.Watched{Since: time.Now().Add(-gitstate.ClockSlack), Git: st.Git}
	for _, name := range st.Quarantine {
		if _, _, err := journal.Look(unix.AT_FDCWD, name); err == unix.ENOENT {
			h.watched.Names = append(h.watched.Names, name)
		}
	}
	if len(h.watched.Names) > 0 {
		h.record, h.name, err = h.dir.BeginWatched(h.watched)
	}
	return err
}

// parent opens the directory of a path without following links, once.
func (h *holds) parent(name string) (int, error) {
	dir := path.Dir(name)
	if fd, ok := h.parents[dir]; ok {
		return fd, nil
	}
	fd, err := openParent(dir)
	if err == nil {
		h.parents[dir] = fd
	}
	return fd, err
}

func openParent(dir string) (int, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, dir, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", dir, err)
	}
	return fd, nil
}

// keptNames are the names that are held or moved away.
func (s *Sandbox) keptNames() []string {
	if s.holds == nil {
		return nil
	}
	names := slices.Clone(s.holds.watched.Names)
	for _, one := range s.holds.list {
		names = append(names, one.path)
	}
	return names
}

// hold makes or shares the placeholder of one step.
func (h *holds) hold(st plan.Hold) error {
	parent, err := h.parent(st.Path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	one := &hold{path: st.Path, kind: st.Kind, content: st.Content, parent: parent}
	switch err = one.look(); {
	case err == unix.ENOENT:
		return h.make(one, st)
	case err != nil:
		return fmt.Errorf("look at %s: %w", st.Path, err)
	}
	if err := h.share(one); err != nil {
		return err
	}
	if one.st.Mode&unix.S_IFMT != kindMode(st.Kind) || st.Kind != journal.KindDir && !holdsContent(st.Kind, parent, path.Base(st.Path), st.Content) {
		return fmt.Errorf("%s: %w", st.Path, ErrChanged)
	}
	return nil
}

// look opens what is at the path and notes what it is.
func (h *hold) look() (err error) {
	base := path.Base(h.path)
	if h.pin, err = unix.Openat(h.parent, base, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	var st unix.Stat_t
	h.id, h.st, err = journal.Look(h.parent, base)
	if err == nil {
		err = unix.Fstat(h.pin, &st)
	}
	if err == nil && st.Ino != h.id.Ino {
		err = ErrChanged
	}
	if err != nil {
		unix.Close(h.pin)
	}
	return err
}

// share relies on a placeholder that is there.
func (h *holds) share(one *hold) (err error) {
	one.lock, err = h.dir.Share(one.id)
	if err == nil {
		h.list = append(h.list, one)
		return nil
	}
	unix.Close(one.pin)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrChanged
	}
	return fmt.Errorf("share the placeholder %s: %w", one.path, err)
}

func kindMode(kind string) uint16 {
	switch kind {
	case journal.KindDir:
		return unix.S_IFDIR
	case journal.KindLink:
		return unix.S_IFLNK
	}
	return unix.S_IFREG
}

// shareIfHeld relies on a placeholder that the plan takes for the user's.
func (h *holds) shareIfHeld(st plan.Bind) error {
	id, _, err := journal.Look(unix.AT_FDCWD, st.Path)
	if st.Ino != 0 && st.Source == "" && (err == unix.ENOENT || err == nil && id.Ino != st.Ino) {
		return fmt.Errorf("%s: %w", st.Path, ErrChanged)
	}
	if err != nil || !h.dir.Has(id) {
		return nil // the launch compares it with the plan, and tells what it is
	}
	parent, err := h.parent(st.Path)
	if err != nil {
		return err
	}
	one := &hold{path: st.Path, kind: st.Kind, parent: parent}
	if err := one.look(); err != nil {
		return fmt.Errorf("look at %s: %w", st.Path, err)
	}
	return h.share(one)
}

// make makes a placeholder. The record is there before it.
func (h *holds) make(one *hold, st plan.Hold) error {
	base := path.Base(st.Path)
	var times unix.Statx_t
	if err := unix.Statx(one.parent, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &times); err != nil {
		return fmt.Errorf("look at %s: %w", path.Dir(st.Path), err)
	}
	var err error
	if one.lock, err = h.dir.Begin(journal.Record{Path: st.Path, Kind: st.Kind, Content: st.Content}); err != nil {
		return err
	}
	switch st.Kind {
	case journal.KindDir:
		err = unix.Mkdirat(one.parent, base, 0o755)
	case journal.KindLink:
		err = unix.Symlinkat(st.Content, one.parent, base)
	default:
		err = makeFile(one.parent, base, st.Content)
	}
	if err != nil {
		unix.Close(one.lock)
		h.dir.Drop(journal.Pending)
		if err == unix.EEXIST {
			err = ErrChanged
		}
		return fmt.Errorf("hold %s: %w", st.Path, err)
	}
	if err = one.look(); err == nil {
		if err = h.dir.Settle(one.id); err != nil {
			unix.Close(one.pin)
		}
	}
	if err != nil {
		unix.Close(one.lock) // the next run finds the record and ends it
		return fmt.Errorf("hold %s: %w", st.Path, err)
	}
	h.list = append(h.list, one)
	setTimes(one.parent, &times)
	return nil
}

// makeFile makes a file that nobody writes to by accident.
func makeFile(parent int, base, content string) error {
	fd, err := unix.Openat(parent, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o444)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	n, err := unix.Write(fd, []byte(content))
	if err == nil && n < len(content) {
		err = unix.ENOSPC
	}
	if err != nil {
		_ = unix.Unlinkat(parent, base, 0)
	}
	return err
}

// setTimes sets a directory's times back, where the caller may.
func setTimes(dir int, st *unix.Statx_t) {
	_ = unix.UtimesNanoAt(dir, ".", []unix.Timespec{
		{Sec: st.Atime.Sec, Nsec: int64(st.Atime.Nsec)},
		{Sec: st.Mtime.Sec, Nsec: int64(st.Mtime.Nsec)},
	}, 0)
}

// holdsContent compares a file or a link with what it should hold.
func holdsContent(kind string, parent int, base, content string) bool {
	if kind != journal.KindLink {
		return hasContent(parent, base, content)
	}
	buf := make([]byte, len(content)+1)
	n, err := unix.Readlinkat(parent, base, buf)
	return err == nil && string(buf[:n]) == content
}

// hasContent compares a regular file with what it should hold.
func hasContent(parent int, base, content string) bool {
	fd, err := unix.Openat(parent, base, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	buf := make([]byte, len(content)+1)
	n, err := unix.Read(fd, buf)
	return err == nil && string(buf[:max(n, 0)]) == content
}
