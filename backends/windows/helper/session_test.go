// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/core/plan"
)

const (
	ws   = `C:\ws`
	temp = `C:\state\tmp\r`
)

// fakeDisk is a volume with ledgers on it. It crashes at the call crashAt.
type fakeDisk struct {
	volume  *access.Volume
	ids     map[string]string
	content map[string]string
	ledger  map[string][]Entry
	alive   map[string]bool
	next    int
	locked  bool

	calls, crashAt int
	after, crashed bool
}

func newFakeDisk() *fakeDisk {
	d := &fakeDisk{volume: &access.Volume{}, ids: map[string]string{}, content: map[string]string{}, ledger: map[string][]Entry{}, alive: map[string]bool{}}
	sd, err := access.ParseDescriptor("O:{user}G:{user}D:P(A;OICI;FA;;;{user})(A;OICI;0x1200a9;;;S-1-5-21-9)")
	if err != nil {
		panic(err) // in a test
	}
	for _, p := range []string{`C:`, ws, ws + `\.git`, ws + `\.git\hooks`, `C:\state`, `C:\state\tmp`} {
		d.volume.Put(p, true, sd)
		d.ids[strings.ToLower(p)] = d.id()
	}
	return d
}

func (d *fakeDisk) id() string { d.next++; return fmt.Sprint(d.next) }

func (d *fakeDisk) do(change func() error) error {
	if d.crashed {
		return errCrash
	}
	if d.calls++; d.crashAt > 0 && d.calls == d.crashAt {
		d.crashed = true
		if d.after {
			_ = change()
		}
		return errCrash
	}
	return change()
}

func (d *fakeDisk) reboot() { d.crashed, d.crashAt, d.calls, d.locked, d.alive = false, 0, 0, false, map[string]bool{} }

// file finds a path and wants it to be the one of an id.
func (d *fakeDisk) file(path, id string) error {
	if d.crashed {
		return errCrash
	}
	have, ok := d.ids[strings.ToLower(path)]
	switch {
	case !ok:
		return ErrAbsent
	case id != "" && have != id:
		return ErrChanged
	}
	return nil
}

func (d *fakeDisk) Identify(path string) (string, error) {
	return d.ids[strings.ToLower(path)], d.file(path, "")
}

func (d *fakeDisk) HasACE(path, id, text string) (bool, error) {
	if err := d.file(path, id); err != nil {
		return false, err
	}
	a, err := access.ParseACE(text)
	if err != nil {
		return false, err
	}
	sd, _ := d.volume.Descriptor(path)
	return slices.Contains(sd.DACL, a), nil
}

func (d *fakeDisk) AddACE(path, id, text string) error {
	return d.do(func() error { return d.edit(path, id, text, d.volume.Add) })
}

func (d *fakeDisk) RemoveACE(path, id, text string) error {
	return d.do(func() error { return d.edit(path, id, text, d.volume.Take) })
}

func (d *fakeDisk) edit(path, id, text string, edit func(string, access.ACE) (bool, error)) error {
	have, ok := d.ids[strings.ToLower(path)]
	if !ok {
		return ErrAbsent
	}
	if have != id {
		return ErrChanged
	}
	a, err := access.ParseACE(text)
	if err != nil {
		return err
	}
	_, err = edit(path, a)
	return err
}

func (d *fakeDisk) Make(path, kind, content string) (string, error) {
	err := d.do(func() error {
		if _, ok := d.ids[strings.ToLower(path)]; ok {
			return ErrChanged
		}
		d.ids[strings.ToLower(path)], d.content[path] = d.id(), content
		return d.volume.Make(path, kind == "dir", "{user}", "{user}")
	})
	return d.ids[strings.ToLower(path)], err
}

func (d *fakeDisk) below(path string) []string {
	var list []string
	for p := range d.ids {
		if strings.HasPrefix(p, strings.ToLower(path)+`\`) {
			list = append(list, p)
		}
	}
	return list
}

func (d *fakeDisk) Remove(path, id, kind, content string) error {
	return d.do(func() error {
		have, ok := d.ids[strings.ToLower(path)]
		switch {
		case !ok:
			return ErrAbsent
		case id != "" && have != id, len(d.below(path)) > 0, d.content[path] != content:
			return ErrChanged
		}
		delete(d.ids, strings.ToLower(path))
		delete(d.content, path)
		d.volume.Delete(path)
		return nil
	})
}

func (d *fakeDisk) RemoveTree(path, id string) error {
	return d.do(func() error {
		if d.ids[strings.ToLower(path)] != id {
			return ErrChanged
		}
		for _, p := range append(d.below(path), strings.ToLower(path)) {
			delete(d.ids, p)
			maps.DeleteFunc(d.content, func(c, _ string) bool { return strings.EqualFold(c, p) })
			d.volume.Delete(p)
		}
		return nil
	})
}

func (d *fakeDisk) Lock() (func() error, error) {
	if d.crashed {
		return nil, errCrash
	}
	if d.locked {
		return nil, errors.New("locked twice")
	}
	d.locked = true
	return func() error { d.locked = false; return nil }, nil
}

func (d *fakeDisk) Runs() (live, dead []string, err error) {
	for _, r := range slices.Sorted(maps.Keys(d.ledger)) {
		if d.alive[r] {
			live = append(live, r)
		} else {
			dead = append(dead, r)
		}
	}
	return live, dead, nil
}

func (d *fakeDisk) Read(run string) ([]Entry, error) { return d.ledger[run], nil }

func (d *fakeDisk) Append(run string, e Entry) error {
	return d.do(func() error { d.ledger[run] = append(d.ledger[run], e); return nil })
}

func (d *fakeDisk) Delete(run string) error {
	return d.do(func() error { delete(d.ledger, run); return nil })
}

func (d *fakeDisk) state() string {
	return fmt.Sprint(d.volume.Snapshot(), len(d.ids), d.content, d.ledger)
}

func sessionPlan() *plan.Windows {
	const who = "{account}"
	w := &plan.Windows{Temp: temp}
	w.Placeholders = []plan.WindowsHold{{Path: ws + `\.mcp.json`, Kind: "dir", ACE: "(D;OICI;0xd0156;;;" + who + ")"},
		{Path: ws + `\.git\commondir`, Kind: "file", Content: ".\n", ACE: "(D;;0xd0156;;;" + who + ")"}}
	w.ACL = []plan.WindowsACE{
		{Path: ws + `\.git`, ACE: "(D;;0xd0040;;;" + who + ")", Exists: true},
		{Path: ws + `\.git\hooks`, ACE: "(D;OICI;0xd0156;;;" + who + ")", Exists: true},
		{Path: temp, ACE: "(A;OICI;0x1301bf;;;" + who + ")"},
		{Path: ws, ACE: "(A;OICI;0x1301bf;;;" + who + ")", Exists: true},
	}
	return w
}

func bindTo(sid string) map[string]string { return map[string]string{"{account}": sid} }

func (d *fakeDisk) open(run, sid string) (*Session, error) {
	d.alive[run] = true
	w := sessionPlan()
	w.Temp += run
	w.ACL[2].Path += run
	return OpenSession(d, d, run, w, bindTo(sid))
}

func TestSession(t *testing.T) {
	t.Parallel()
	d := newFakeDisk()
	before := d.state()
	s, err := d.open("a", "S-1-5-21-1")
	if err != nil {
		t.Fatal(err)
	}
	sd, _ := d.volume.Descriptor(ws + `\.git\hooks\pre-commit`)
	child := access.Token{User: "S-1-5-21-1", Integrity: access.Medium, Privileges: []access.Privilege{access.ChangeNotify}}
	if access.Allowed(sd, child, access.WriteData, access.Files()) {
		t.Error("what is in the hooks can be written")
	}
	if !d.volume.May(child, access.ActCreate, ws) || !d.volume.May(child, access.ActCreate, temp+"a") {
		t.Error("the workspace or the temporary directory cannot be written")
	}
	if _, err := d.Make(temp+`a\left`, "file", "x"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after := d.state(); after != before {
		t.Errorf("left\n%s\nbefore\n%s", after, before)
	}
}

// TestSessionCrashes kills a run at every call, before and after it takes
// effect, while opening and while closing; the next run, or Recover, undoes all.
func TestSessionCrashes(t *testing.T) {
	t.Parallel()
	d := newFakeDisk()
	s, err := d.open("a", "S-1-5-21-1")
	if err != nil {
		t.Fatal(err)
	}
	opening := d.calls
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	all := d.calls
	if opening < 15 || all-opening < 8 {
		t.Fatalf("%d calls to open and %d to close", opening, all-opening)
	}
	for at := 1; at <= all; at++ {
		for _, after := range []bool{false, true} {
			d := newFakeDisk()
			before := d.state()
			d.crashAt, d.after = at, after
			s, err := d.open("a", "S-1-5-21-1")
			if err == nil {
				err = s.Close()
			}
			if !errors.Is(err, errCrash) {
				t.Fatalf("crash at %d: %v", at, err)
			}
			d.reboot()
			if _, err := Recover(d, d); err != nil {
				t.Errorf("crash at %d (%t): %v", at, after, err)
			}
			if got := d.state(); got != before {
				t.Errorf("crash at %d (%t) left\n%s\nbefore\n%s", at, after, got, before)
			}
		}
	}
}

// TestSessions opens, closes and kills many runs at once, of few accounts, with
// crashes of recoveries between; at the end all is as before.
func TestSessions(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(21, 22))
	shared, killed := 0, 0
	for range 300 {
		d := newFakeDisk()
		before := d.state()
		open := map[string]*Session{}
		for i := range 12 {
			names := slices.Sorted(maps.Keys(open))
			switch n := random.IntN(4); {
			case n < 2 || len(names) == 0:
				run := fmt.Sprint("r", i)
				s, err := d.open(run, fmt.Sprint("S-1-5-21-", 1+random.IntN(2)))
				if err != nil {
					t.Fatal(err)
				}
				if open[run] = s; len(open) > 1 {
					shared++
				}
			case n == 2:
				run := names[random.IntN(len(names))]
				if err := open[run].Close(); err != nil {
					t.Fatal(err)
				}
				delete(open, run)
				delete(d.alive, run)
			default:
				run := names[random.IntN(len(names))]
				delete(open, run)
				delete(d.alive, run) // SIGKILL
				killed++
				if random.IntN(2) == 0 {
					alive := maps.Clone(d.alive)
					d.crashAt, d.after, d.calls = 1+random.IntN(8), random.IntN(2) == 0, 0
					_, _ = Recover(d, d)
					d.reboot()
					d.alive = alive
				}
			}
			for run, s := range open {
				_ = s
				if !d.ledgerHolds(run) {
					t.Fatalf("the entries of %s are gone while it runs", run)
				}
			}
		}
		for run, s := range open {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			delete(d.alive, run)
		}
		if _, err := Recover(d, d); err != nil {
			t.Fatal(err)
		}
		if got := d.state(); got != before {
			t.Fatalf("left\n%s\nbefore\n%s", got, before)
		}
	}
	if shared < 100 || killed < 100 {
		t.Errorf("%d shared and %d killed runs", shared, killed)
	}
}

// ledgerHolds reports whether everything that a live run noted is in place.
func (d *fakeDisk) ledgerHolds(run string) bool {
	for _, e := range d.ledger[run] {
		if e.Do == "ace" {
			if has, err := d.HasACE(e.Path, e.ID, e.ACE); err != nil || !has {
				return false
			}
		} else if e.Done && d.ids[strings.ToLower(e.Path)] != e.ID {
			return false
		}
	}
	return true
}

// TestForeignEntries: what the user had put into a list stays.
func TestForeignEntries(t *testing.T) {
	t.Parallel()
	d := newFakeDisk()
	id, _ := d.Identify(ws)
	if err := d.AddACE(ws, id, "(A;OICI;0x1301bf;;;S-1-5-21-1)"); err != nil {
		t.Fatal(err)
	}
	before := d.state()
	s, err := d.open("a", "S-1-5-21-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after := d.state(); after != before {
		t.Errorf("left\n%s\nbefore\n%s", after, before)
	}
}

// TestReplaced: a file that was replaced during the run is not touched.
func TestReplaced(t *testing.T) {
	t.Parallel()
	d := newFakeDisk()
	s, err := d.open("a", "S-1-5-21-1")
	if err != nil {
		t.Fatal(err)
	}
	d.ids[strings.ToLower(ws+`\.mcp.json`)] = "another"
	d.ids[strings.ToLower(ws+`\.git\hooks`)] = "another"
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !d.volume.Exists(ws + `\.mcp.json`) {
		t.Error("a file that is not ours was removed")
	}
}

func TestAppeared(t *testing.T) {
	t.Parallel()
	d := newFakeDisk()
	if _, err := d.Make(ws+`\.mcp.json`, "file", "mine"); err != nil {
		t.Fatal(err)
	}
	before := d.state()
	if _, err := d.open("a", "S-1-5-21-1"); !errors.Is(err, ErrChanged) {
		t.Errorf("a held name that appeared: %v", err)
	}
	if after := d.state(); after != before {
		t.Errorf("left\n%s\nbefore\n%s", after, before)
	}
}
