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

// TestTempIsFresh: a temporary directory that is there already is somebody's,
// and neither granted nor removed.
func TestTempIsFresh(t *testing.T) {
	t.Parallel()
	d := newFakeDisk()
	if _, err := d.Make(temp+"a", "dir", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Make(temp+`a\mine`, "file", "x"); err != nil {
		t.Fatal(err)
	}
	before := d.state()
	if _, err := d.open("a", "S-1-5-21-1"); !errors.Is(err, ErrChanged) {
		t.Errorf("a directory that is there: %v", err)
	}
	if after := d.state(); after != before {
		t.Errorf("left\n%s\nbefore\n%s", after, before)
	}
}

// TestLedgerRemoved: under windows/token a command can remove what the user can.
// A run whose ledger is gone undoes all the same.
func TestLedgerRemoved(t *testing.T) {
	t.Parallel()
	d := newFakeDisk()
	before := d.state()
	s, err := d.open("a", "S-1-5-21-1")
	if err != nil {
		t.Fatal(err)
	}
	if d.state() == before || len(d.ledger["a"]) == 0 {
		t.Fatal("nothing was changed, so the test shows nothing")
	}
	delete(d.ledger, "a")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if after := d.state(); after != before {
		t.Errorf("left\n%s\nbefore\n%s", after, before)
	}
}
