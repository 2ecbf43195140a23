// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sandboxexec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/launch/gitstate"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// checkoutTime is how long a name that a commit holds may be something else
// while commands run: git makes a file first and fills it then.
const checkoutTime = time.Second

// watch looks, after each command and at the end, at names that were absent at
// the start and that tools outside trust. What appeared is moved away, but for
// what a commit from before holds there; what else git would act on is reported
// at the end.
type watch struct {
	report func(diag.Diagnostic)
	git    *gitstate.State
	busy   func() bool // whether commands run

	mu     sync.Mutex
	absent []string
	found  map[string]*gitstate.Tracked // what commits hold, of names that appeared
	away   quarantine
}

// newWatch notes what is there before a command runs. Files of macOS may have
// their change times set back, see setattrlist(2).
func newWatch(p *plan.Plan, o Options, busy func() bool) *watch {
	w := &watch{
		report: o.Report, git: gitstate.Begin(p, true), busy: busy,
		found: map[string]*gitstate.Tracked{}, away: quarantine{state: o.StateDir},
	}
	for _, s := range p.Steps {
		st, ok := s.(plan.Watch)
		if !ok {
			continue
		}
		for _, name := range st.Quarantine {
			if _, err := os.Lstat(name); err != nil {
				w.absent = append(w.absent, name)
			}
		}
	}
	w.git.Wait()
	return w
}

// look moves away what appeared since.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range w.absent {
		if _, err := os.Lstat(name); err != nil || w.stays(name) {
			continue
		}
		w.say(w.away.act(name, "during the run"))
	}
}

// stays reports whether what has a name is what a commit holds there.
func (w *watch) stays(name string) bool {
	t := w.found[name]
	if t == nil {
		t = w.git.Find(name)
		w.found[name] = t
	}
	if !t.Known() {
		return false
	}
	for end := time.Now().Add(checkoutTime); ; time.Sleep(checkoutTime / 20) {
		if t.Holds(name) {
			return true
		}
		if !w.busy() || time.Now().After(end) {
			return false
		}
	}
}

// finish looks for the last time. Nothing of the sandbox may be alive.
func (w *watch) finish() {
	w.look()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.git.Tell(func(d diag.Diagnostic) { w.say(&d) })
	for _, t := range w.found {
		t.Close()
	}
	w.found = map[string]*gitstate.Tracked{}
}

func (w *watch) say(d *diag.Diagnostic) {
	if w.report != nil && d != nil {
		w.report(*d)
	}
}

// watchedName is the file of a run's directory that lists the names.
const watchedName = "watched"

// note writes the names down for who cleans up after this process was killed.
func (w *watch) note(dir string) error {
	text, err := json.Marshal(w.absent)
	if err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, watchedName), string(text))
}

// lookAfter moves away what a killed run left under the names that it watched.
// What commits held then is not known any more, so it counts for nothing.
func lookAfter(state, dir string, report func(diag.Diagnostic)) {
	text, err := os.ReadFile(filepath.Join(dir, watchedName))
	if err != nil {
		return // killed before anything ran
	}
	w := watch{report: report, away: quarantine{state: state}}
	var names []string
	if json.Unmarshal(text, &names) != nil {
		return // cut short: likewise
	}
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil && strings.HasPrefix(name, "/") {
			w.say(w.away.act(name, "during a run that was killed"))
		}
	}
}
