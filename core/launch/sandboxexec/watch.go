// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sandboxexec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// watch looks, after each command and at the end, at names that were absent at
// the start and that tools outside trust. What appeared is moved to caisson's
// state or reported.
type watch struct {
	state      string
	report     func(diag.Diagnostic)
	quarantine []string
	tell       []string

	mu    *sync.Mutex
	store *string // this run's directory in the quarantine, "" before the first
}

func newWatch(st plan.Watch, o Options) watch {
	w := watch{state: o.StateDir, report: o.Report, mu: &sync.Mutex{}, store: new(string)}
	absent := func(list []string) (out []string) {
		for _, name := range list {
			if _, err := os.Lstat(name); err != nil {
				out = append(out, name)
			}
		}
		return out
	}
	w.quarantine, w.tell = absent(st.Quarantine), absent(st.Report)
	return w
}

// look acts on what appeared since.
func (w *watch) look() {
	if w.mu == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range w.quarantine {
		if _, err := os.Lstat(name); err != nil {
			continue
		}
		to, err := w.moveAway(name)
		d := diag.Diagnostic{Code: diag.Quarantined,
			Message: fmt.Sprintf("%s appeared during the run and may run code outside the sandbox; it was moved to %s", diag.Quote(name), diag.Quote(to)),
			Remedy:  "if it is wanted: mv -n -- " + diag.Quote(to) + " " + diag.Quote(name)}
		if err != nil {
			d.Message = fmt.Sprintf("%s appeared during the run, may run code outside the sandbox and could not be moved away: %v", diag.Quote(name), err)
			d.Remedy = "look at it before any tool does, or remove it: rm -r -- " + diag.Quote(name)
		}
		w.say(d)
	}
	for i := len(w.tell) - 1; i >= 0; i-- {
		if _, err := os.Lstat(w.tell[i]); err == nil {
			w.say(diag.Diagnostic{Code: diag.RepositoryMade, Message: diag.Quote(w.tell[i]) + " appeared during the run", Remedy: "look at it before git does"})
			w.tell = append(w.tell[:i], w.tell[i+1:]...)
		}
	}
}

func (w *watch) say(d diag.Diagnostic) {
	if w.report != nil {
		w.report(d)
	}
}

// moveAway moves a path to the quarantine or, where that is on another volume,
// to a name beside it that no tool reads.
func (w *watch) moveAway(name string) (string, error) {
	if *w.store == "" {
		all := filepath.Join(w.state, "quarantine")
		if err := os.MkdirAll(all, 0o700); err != nil {
			return "", err
		}
		store, err := os.MkdirTemp(all, time.Now().UTC().Format("20060102T150405Z-"))
		if err != nil {
			return "", err
		}
		*w.store = store
	}
	for n := 1; ; n++ {
		label := strconv.Itoa(n) + "-" + filepath.Base(name)
		to := filepath.Join(*w.store, label)
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		err := os.Rename(name, to)
		if errors.Is(err, unix.EXDEV) {
			to = filepath.Join(filepath.Dir(name), ".caisson-quarantine-"+filepath.Base(*w.store)+"-"+label)
			err = os.Rename(name, to)
		}
		return to, err
	}
}
