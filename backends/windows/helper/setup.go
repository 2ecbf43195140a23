// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// worker applies and undoes changes.
type worker struct {
	sys     System
	options Options
	log     []LogEntry
	say     func(string) // each change as it is made
}

// Setup applies the request. It is idempotent, and goes on where a crash ended
// an earlier one: every change is written to the log before it is begun. The
// accounts are enabled last, after everything was read back.
func Setup(sys System, r Request, say func(string)) error {
	if err := r.Check(); err != nil {
		return err
	}
	w, err := newWorker(sys, r.Setup, say)
	if err != nil {
		return err
	}
	if have, err := Recorded(w.log); err != nil || !reflect.DeepEqual(have, r.Setup) {
		detail, err := json.Marshal(r.Setup)
		if err != nil {
			return err
		}
		if err := w.append(LogEntry{State: "options", Detail: string(detail)}); err != nil {
			return err
		}
	}
	for _, c := range r.Setup.Changes() {
		if c.Kind == KindEnable {
			// What was there before counts too: nothing is enabled on trust.
			if err := w.verify(); err != nil {
				return err
			}
		}
		if err := w.apply(c, r.Passwords[c.Name]); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		if c.Kind == KindEnable {
			if err := w.tryNetwork(c.Name, r.Passwords[c.Name]); err != nil {
				return err
			}
		}
	}
	if w.complete() {
		return nil
	}
	return w.append(LogEntry{State: "complete", Detail: fmt.Sprint(Version)})
}

func newWorker(sys System, o Options, say func(string)) (*worker, error) {
	if say == nil {
		say = func(string) {}
	}
	log, err := sys.Log(o.Install)
	if err != nil && !errors.Is(err, ErrAbsent) {
		return nil, fmt.Errorf("read the log of setup: %w", err)
	}
	return &worker{sys: sys, options: o, log: log, say: say}, nil
}

func (w *worker) append(e LogEntry) error {
	if err := w.sys.AppendLog(w.options.Install, e); err != nil {
		return fmt.Errorf("write the log of setup: %w", err)
	}
	w.log = append(w.log, e)
	return nil
}

// complete reports whether setup was finished and nothing was begun since.
func (w *worker) complete() bool {
	return len(w.log) > 0 && w.log[len(w.log)-1].State == "complete"
}

// state gives the last entry about a change.
func (w *worker) state(c Change) (LogEntry, bool) {
	for _, e := range slices.Backward(w.log) {
		if e.State != "complete" && reflect.DeepEqual(e.Change, c) {
			return e, e.State != "undone"
		}
	}
	return LogEntry{}, false
}

// apply makes one change, unless it stands.
func (w *worker) apply(c Change, password string) error {
	last, known := w.state(c)
	stands, err := w.stands(c)
	if err != nil {
		return err
	}
	if stands && c.Kind == KindAccount {
		// The caller's sealed one may not be the account's any more.
		if stands, err = w.sys.PasswordIs(c.Name, password); err != nil {
			return err
		}
	}
	if known && last.State == "done" && stands {
		return nil
	}
	if !known {
		if err := w.foreign(c); err != nil {
			return err
		}
		begun := LogEntry{State: "begun", Change: c}
		if c.Kind == KindGrant && stands {
			begun.Detail = foreignEntry
		}
		if err := w.append(begun); err != nil {
			return err
		}
	}
	w.say(c.String())
	detail, err := w.do(c, password)
	if err != nil {
		return err
	}
	return w.append(LogEntry{State: "done", Change: c, Detail: detail})
}

// foreign refuses to take over what somebody else made.
func (w *worker) foreign(c Change) error {
	var err error
	switch c.Kind {
	case KindGroup:
		_, err = w.sys.Group(c.Name)
	case KindAccount:
		_, err = w.sys.Account(c.Name)
	default:
		return nil
	}
	switch {
	case errors.Is(err, ErrAbsent):
		return nil
	case err != nil:
		return err
	}
	return diag.New(diag.UsageInvalid, "there is already something of the name "+diag.Quote(c.Name)+", which this setup did not make",
		"remove it if it is yours, or run caisson setup uninstall")
}

// do makes one change; doing it again does no harm.
func (w *worker) do(c Change, password string) (detail string, err error) {
	switch c.Kind {
	case KindDirectory:
		return "", w.sys.MakeDir(c.Name, c.SDDL)
	case KindProgram:
		return "", w.sys.CopyProgram(c.From, c.Name, c.Hash)
	case KindGroup:
		_, err := w.sys.Group(c.Name)
		if errors.Is(err, ErrAbsent) {
			err = w.sys.AddGroup(c.Name, w.options.comment())
		}
		return "", err
	case KindAccount:
		return w.account(c.Name, password)
	case KindMember:
		a, err := w.sys.Account(c.Name)
		if err != nil {
			return "", err
		}
		return "", w.sys.AddMember(c.Group, a.SID)
	case KindRights:
		a, err := w.sys.Account(c.Name)
		if err != nil {
			return "", err
		}
		return "", w.sys.AddRights(a.SID, c.Rights)
	case KindHide:
		return "", w.sys.HideAccount(c.Name, true)
	case KindFilters:
		a, err := w.sys.Account(c.Name)
		if err != nil {
			return "", err
		}
		if err := w.sys.DeleteFilters(w.options.Install, c.Name); err != nil && !errors.Is(err, ErrAbsent) {
			return "", err
		}
		return a.SID, w.sys.AddFilters(w.options.Install, c.Name, a.SID, w.options.filters(c.Name))
	case KindGrant:
		_, err := w.sys.AddACE(c.Name, c.SDDL)
		return "", err
	case KindEnable:
		return "", w.sys.EnableAccount(c.Name, true)
	}
	return "", fmt.Errorf("unknown kind %q", c.Kind)
}

// account makes an account, or takes one that a crash left half made and that
// has our comment. An account that is there gets the caller's password: the one
// that is sealed.
func (w *worker) account(name, password string) (sid string, err error) {
	a, err := w.sys.Account(name)
	switch {
	case errors.Is(err, ErrAbsent):
		if err := w.sys.AddAccount(name, w.options.comment(), password); err != nil {
			return "", err
		}
	case err != nil:
		return "", err
	case a.Comment != w.options.comment():
		return "", diag.New(diag.UsageInvalid, "the account "+diag.Quote(name)+" belongs to somebody else", "remove it if it is yours")
	default:
		if err := w.sys.EnableAccount(name, false); err != nil {
			return "", err
		}
		if err := w.sys.SetPassword(name, password); err != nil {
			return "", err
		}
	}
	a, err = w.sys.Account(name)
	return a.SID, err
}

// foreignEntry notes that an entry of a list was there before: it is not ours
// to take away.
const foreignEntry = "was there before"

// stands reports whether a change is there now.
func (w *worker) stands(c Change) (bool, error) {
	var err error
	ok := true
	switch c.Kind {
	case KindDirectory:
		// The list is set anew each time: an administrator may have changed it.
		return false, nil
	case KindProgram:
		var have string
		have, err = w.sys.Hash(c.Name)
		ok = have == c.Hash
	case KindGroup:
		var comment string
		comment, err = w.sys.Group(c.Name)
		ok = comment == w.options.comment()
	case KindAccount:
		var a Account
		a, err = w.sys.Account(c.Name)
		e, known := w.state(c)
		ok = known && a.Comment == w.options.comment() && a.SID == e.Detail && !a.Locked
	case KindMember, KindRights, KindFilters, KindEnable:
		ok, err = w.accountHas(c)
	case KindHide:
		ok, err = w.sys.IsHidden(c.Name)
	case KindGrant:
		ok, err = w.sys.HasACE(c.Name, c.SDDL)
	}
	if errors.Is(err, ErrAbsent) {
		return false, nil
	}
	return ok, err
}

func (w *worker) accountHas(c Change) (bool, error) {
	a, err := w.sys.Account(c.Name)
	if err != nil {
		return false, err
	}
	switch c.Kind {
	case KindMember:
		return w.sys.IsMember(c.Group, a.SID)
	case KindRights:
		have, err := w.sys.Rights(a.SID)
		return err == nil && !slices.ContainsFunc(c.Rights, func(r string) bool { return !slices.Contains(have, r) }), err
	case KindFilters:
		return w.filtersStand(c.Name, a.SID)
	}
	return !a.Disabled, nil
}

// filtersStand compares the filters that are read back with those that plans
// name: all of them, blocking, for this account.
func (w *worker) filtersStand(name, sid string) (bool, error) {
	have, err := w.sys.Filters(w.options.Install, name)
	if err != nil {
		return false, err
	}
	want := w.options.filters(name)
	return standing(want, have, sid) == len(want), nil
}

// standing counts the filters of an account that are there as they were planned:
// at their layer, blocking, for the account, with the same conditions. Where there
// are more than are planned it is the number of them all, so that it differs.
func standing(want []plan.WindowsFilter, have []Filter, sid string) int {
	if len(have) > len(want) {
		return len(have)
	}
	n := 0
	for _, f := range want {
		if slices.ContainsFunc(have, func(h Filter) bool {
			return h.Layer == f.Layer && h.Block && h.SID == sid && slices.Equal(h.If, f.If[1:])
		}) {
			n++
		}
	}
	return n
}

// tryNetwork wants an account that is not to have the host's network to have none,
// or the port of its own alone, by trying; one that has more or less is disabled
// again.
func (w *worker) tryNetwork(name, password string) error {
	if pool := w.options.PoolOf(name); pool == plan.PoolOnline {
		return nil
	}
	port := w.options.Port(name)
	got, err := w.sys.Connects(w.options.Install, name, password, port)
	look := "look which other filters stand with: netsh wfp show filters"
	switch {
	case err != nil:
	case got.More:
		err = diag.New(diag.LaunchFailed, "the account "+name+" reaches the network in spite of its filters", look)
	case port != 0 && !got.Port:
		err = diag.New(diag.LaunchFailed, fmt.Sprintf("the account %s does not reach port %d of 127.0.0.1, which its filters leave", name, port), look)
	}
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("try the network as %s: %w", name, err), w.sys.EnableAccount(name, false))
}

// verify wants everything but what is enabled last to stand.
func (w *worker) verify() error {
	var missing []string
	for _, c := range w.options.Changes() {
		if c.Kind == KindEnable || c.Kind == KindHide || c.Kind == KindDirectory {
			continue
		}
		ok, err := w.stands(c)
		if err != nil {
			return fmt.Errorf("look whether this stands: %s: %w", c, err)
		}
		if !ok {
			missing = append(missing, c.String())
		}
	}
	if len(missing) > 0 {
		return diag.New(diag.LaunchFailed, "setup did not take: "+strings.Join(missing, "; "), "run caisson setup status --repair")
	}
	return nil
}

// Recorded gives the options of a setup from its log: the last ones, since a
// setup can be run again with others.
func Recorded(log []LogEntry) (Options, error) {
	var o Options
	if len(log) == 0 || log[0].State != "options" {
		return o, errors.New("the log does not begin with the options of setup")
	}
	for _, e := range slices.Backward(log) {
		if e.State == "options" {
			err := json.Unmarshal([]byte(e.Detail), &o)
			return o, err
		}
	}
	return o, nil
}
