// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// ErrChanged says that a path is not what the plan takes it for: something came
// or went since the policy was resolved. A new plan will know.
var ErrChanged = errors.New("the path changed after the plan was made")

// Files changes access lists and placeholders. A path is opened once for each
// call, without following links, for the look and for the change; id names the
// file that is meant, and another one at the path is ErrChanged. Absent paths
// are ErrAbsent. It is used by one goroutine at a time.
type Files interface {
	// Identify names the file at path on its volume.
	Identify(path string) (id string, err error)
	HasACE(path, id, ace string) (bool, error)
	AddACE(path, id, ace string) error
	// RemoveACE removes one explicit entry that equals ace, and no other.
	RemoveACE(path, id, ace string) error
	// Make makes an empty directory ("dir") or a file ("file"); what is there
	// already is ErrChanged.
	Make(path, kind, content string) (id string, err error)
	// Remove removes what Make made; a directory that is not empty, or a file
	// with another content, is ErrChanged. An empty id stands for any file.
	Remove(path, id, kind, content string) error
	// RemoveTree removes a temporary directory with all that is in it.
	RemoveTree(path, id string) error
}

// Entry is one line of a run's ledger. It is written before what it says is
// done, and once more, with Done, after.
type Entry struct {
	Do      string `json:"do"` // "ace", "make", "temp", "keep"
	Path    string `json:"path"`
	ID      string `json:"id,omitempty"`
	ACE     string `json:"ace,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Content string `json:"content,omitempty"`
	Done    bool   `json:"done,omitempty"`
	// Foreign is true for what was there before and belongs to no run: it is
	// not undone.
	Foreign bool `json:"foreign,omitempty"`
}

// Ledgers keeps what each run has changed, so that it outlives a crash. One run
// at a time holds the lock.
type Ledgers interface {
	Lock() (unlock func() error, err error)
	// Runs returns the names of all ledgers, with those that no process holds
	// any more under dead.
	Runs() (live, dead []string, err error)
	Read(run string) ([]Entry, error)
	Append(run string, e Entry) error
	Delete(run string) error
}

// Session is what one run has changed. Close undoes it.
type Session struct {
	files   Files
	ledgers Ledgers
	run     string
	others  []Entry // of the live runs
	mine    []Entry // as the ledger has them, which a command of the user's own identity can remove
}

// OpenSession makes the placeholders and adds the entries of a plan, after it
// has undone what dead runs left. bind gives the SIDs of the plan's symbols.
// Where it fails, what it did is undone.
func OpenSession(files Files, ledgers Ledgers, run string, w *plan.Windows, bind map[string]string) (_ *Session, err error) {
	unlock, err := ledgers.Lock()
	if err != nil {
		return nil, fmt.Errorf("wait for other runs: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	s := &Session{files: files, ledgers: ledgers, run: run}
	if err := s.recover(); err != nil {
		return nil, err
	}
	if s.others, err = s.entries(); err != nil {
		return nil, err
	}
	if err := s.apply(w, bind); err != nil {
		return nil, errors.Join(err, s.undo(run))
	}
	return s, nil
}

// Close undoes what the session did, but for what other runs use too.
func (s *Session) Close() (err error) {
	unlock, err := s.ledgers.Lock()
	if err != nil {
		return fmt.Errorf("wait for other runs: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return s.undo(s.run)
}

// Recover undoes what dead runs left, and says how many there were.
func Recover(files Files, ledgers Ledgers) (n int, err error) {
	unlock, err := ledgers.Lock()
	if err != nil {
		return 0, fmt.Errorf("wait for other runs: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	_, dead, err := ledgers.Runs()
	if err != nil {
		return 0, err
	}
	s := &Session{files: files, ledgers: ledgers}
	return len(dead), s.recover()
}

func (s *Session) recover() error {
	_, dead, err := s.ledgers.Runs()
	if err != nil {
		return fmt.Errorf("read the ledgers: %w", err)
	}
	var errs []error
	for _, run := range dead {
		errs = append(errs, s.undo(run))
	}
	return errors.Join(errs...)
}

// entries are those of all live runs but this one.
func (s *Session) entries() ([]Entry, error) {
	live, _, err := s.ledgers.Runs()
	if err != nil {
		return nil, fmt.Errorf("read the ledgers: %w", err)
	}
	var all []Entry
	for _, run := range live {
		if run == s.run {
			continue
		}
		list, err := s.ledgers.Read(run)
		if err != nil {
			return nil, fmt.Errorf("read the ledger of %s: %w", run, err)
		}
		all = append(all, list...)
	}
	return all, nil
}

func (s *Session) apply(w *plan.Windows, bind map[string]string) error {
	swap := make([]string, 0, 2*len(bind))
	for symbol, sid := range bind {
		swap = append(swap, symbol, sid)
	}
	named := strings.NewReplacer(swap...)
	for _, h := range w.Placeholders {
		id, err := s.hold(h)
		if err != nil {
			return fmt.Errorf("hold %s: %w", h.Path, err)
		}
		if err := s.add(h.Path, id, named.Replace(h.ACE)); err != nil {
			return fmt.Errorf("hold %s: %w", h.Path, err)
		}
	}
	made := "" // the temporary directory
	for _, a := range w.ACL {
		id, err := s.files.Identify(a.Path)
		temp := w.Temp != "" && same(a.Path, w.Temp)
		switch {
		case err == nil && temp && made != id:
			return fmt.Errorf("%s: %w", a.Path, ErrChanged) // ours alone, or none
		case errors.Is(err, ErrAbsent) && a.Exists:
			return fmt.Errorf("%s: %w", a.Path, ErrChanged)
		case errors.Is(err, ErrAbsent):
			id, err = s.make(a.Path, temp)
			if temp {
				made = id
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.Path, err)
		}
		if err := s.add(a.Path, id, named.Replace(a.ACE)); err != nil {
			return fmt.Errorf("%s, %s: %w", a.Path, a.Why, err)
		}
	}
	return nil
}

// hold makes a placeholder, or takes a share in that of another run.
func (s *Session) hold(h plan.WindowsHold) (id string, err error) {
	e := Entry{Do: "make", Path: h.Path, Kind: h.Kind, Content: h.Content}
	id, err = s.files.Identify(h.Path)
	if err == nil {
		if !slices.ContainsFunc(s.others, func(o Entry) bool { return o.Do == "make" && same(o.Path, h.Path) && (o.ID == id || !o.Done) }) {
			return "", ErrChanged
		}
		e.ID, e.Done = id, true
		return id, s.note(e)
	}
	if !errors.Is(err, ErrAbsent) {
		return "", err
	}
	if err := s.note(e); err != nil {
		return "", err
	}
	if e.ID, err = s.files.Make(h.Path, h.Kind, h.Content); err != nil {
		return "", err
	}
	e.Done = true
	return e.ID, s.note(e)
}

// make makes a directory of caisson's own: a temporary one, which goes with the
// run, or one that is kept.
func (s *Session) make(path string, temp bool) (id string, err error) {
	e := Entry{Do: "keep", Path: path, Kind: "dir"}
	if temp {
		e.Do = "temp"
	}
	if err := s.note(e); err != nil {
		return "", err
	}
	if e.ID, err = s.files.Make(path, "dir", ""); err != nil {
		return "", err
	}
	e.Done = true
	return e.ID, s.note(e)
}

// note writes an entry into the ledger.
func (s *Session) note(e Entry) error {
	err := s.ledgers.Append(s.run, e)
	if err == nil {
		s.mine = append(s.mine, e)
	}
	return err
}

// add adds an entry to a list, and looks whether it is there then.
func (s *Session) add(path, id, ace string) error {
	has, err := s.files.HasACE(path, id, ace)
	if err != nil {
		return err
	}
	e := Entry{Do: "ace", Path: path, ID: id, ACE: ace}
	e.Foreign = has && !slices.ContainsFunc(s.others, func(o Entry) bool { return shares(o, e) })
	if err := s.note(e); err != nil {
		return err
	}
	if has {
		return nil
	}
	if err := s.files.AddACE(path, id, ace); err != nil {
		return err
	}
	has, err = s.files.HasACE(path, id, ace)
	if err == nil && !has {
		err = errors.New("the entry did not take")
	}
	return err
}

// undo takes back what a run did, in the opposite order, and then its ledger.
// What other runs hold too stays for the last of them. Files that were replaced
// since are left: they are not the ones that were changed.
func (s *Session) undo(run string) error {
	mine := s.mine
	if run != s.run {
		var err error
		if mine, err = s.ledgers.Read(run); err != nil {
			return fmt.Errorf("read the ledger of %s: %w", run, err)
		}
	}
	by := &Session{ledgers: s.ledgers, run: run}
	others, err := by.entries()
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range slices.Backward(mine) {
		if e.Do != "ace" && !e.Done && slices.ContainsFunc(mine, func(o Entry) bool { return o.Done && o.Do == e.Do && same(o.Path, e.Path) }) {
			continue // the entry that is done names the file
		}
		if e.Foreign || slices.ContainsFunc(others, func(o Entry) bool { return shares(o, e) }) {
			continue
		}
		err := s.undoOne(e)
		if err != nil && !errors.Is(err, ErrAbsent) && !errors.Is(err, ErrChanged) {
			errs = append(errs, fmt.Errorf("undo %s of %s: %w", e.Do, e.Path, err))
		}
	}
	if len(errs) == 0 {
		errs = append(errs, s.ledgers.Delete(run))
	}
	return errors.Join(errs...)
}

func (s *Session) undoOne(e Entry) error {
	switch e.Do {
	case "ace":
		return s.files.RemoveACE(e.Path, e.ID, e.ACE)
	case "make":
		return s.files.Remove(e.Path, e.ID, e.Kind, e.Content)
	case "temp":
		if e.ID == "" { // nothing was made in it
			return s.files.Remove(e.Path, "", "dir", "")
		}
		return s.files.RemoveTree(e.Path, e.ID)
	}
	return nil
}

// shares reports whether two entries are about one thing.
func shares(a, b Entry) bool {
	return a.Do == b.Do && same(a.Path, b.Path) && a.ACE == b.ACE && (a.ID == b.ID || a.ID == "" || b.ID == "") && !a.Foreign
}

func same(a, b string) bool { return strings.EqualFold(a, b) }
