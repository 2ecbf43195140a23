// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Teardown undoes what the log of setup says was begun, in the opposite order:
// accounts are disabled first, so that nothing starts as one of them, then
// their processes are ended. Every step is taken, whatever became of the one
// before; the error joins all. What is not ours any more is left and reported
// through say. It may be repeated, and ends in a look that finds nothing.
func Teardown(sys System, o Options, say func(string)) error {
	w, err := newWorker(sys, o, say)
	if err != nil {
		return err
	}
	var errs []error
	try := func(what string, err error) {
		if err != nil && !errors.Is(err, ErrAbsent) {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	changes := w.begun()
	for _, c := range changes {
		if c.Kind == KindAccount && w.ours(c) {
			try("disable "+c.Name, sys.EnableAccount(c.Name, false))
		}
	}
	for _, c := range changes {
		if c.Kind != KindAccount || !w.ours(c) {
			continue
		}
		if a, err := sys.Account(c.Name); err == nil {
			try("end the processes of "+c.Name, sys.EndProcesses(a.SID))
		}
	}
	for _, c := range slices.Backward(changes) {
		w.say("undo: " + c.String())
		err := w.undo(c)
		try(c.String(), err)
		if err == nil || errors.Is(err, ErrAbsent) {
			try("write the log of setup", w.append(LogEntry{State: "undone", Change: c}))
		}
	}
	for _, c := range changes {
		left, err := w.left(c)
		try("look what is left of: "+c.String(), err)
		if left {
			errs = append(errs, fmt.Errorf("left: %s", c))
		}
	}
	if len(errs) == 0 {
		try("remove the log of setup", sys.DeleteLog(o.Install))
	}
	return errors.Join(errs...)
}

// begun gives the changes that were begun and not undone, in their order.
func (w *worker) begun() []Change {
	var list []Change
	for _, e := range w.log {
		if e.State != "begun" {
			continue
		}
		if last, stands := w.state(e.Change); stands && last.State != "undone" {
			list = append(list, e.Change)
		}
	}
	return list
}

// ours reports whether an account is the one that setup made: the same SID, or
// our comment where a crash kept the SID from being noted. Another account of
// the same name is somebody else's.
func (w *worker) ours(c Change) bool {
	a, err := w.sys.Account(c.Name)
	if err != nil {
		return false
	}
	if sid := w.sid(c.Name); sid != "" {
		return a.SID == sid
	}
	return a.Comment == w.options.comment()
}

// sid is the SID that was noted for an account.
func (w *worker) sid(name string) string {
	for _, e := range slices.Backward(w.log) {
		if e.State == "done" && e.Change.Kind == KindAccount && e.Change.Name == name {
			return e.Detail
		}
	}
	return ""
}

func (w *worker) undo(c Change) error {
	switch c.Kind {
	case KindDirectory, KindProgram:
		return w.sys.Remove(c.Name)
	case KindGroup:
		comment, err := w.sys.Group(c.Name)
		if err != nil {
			return err
		}
		if comment != w.options.comment() {
			w.say("left: the group " + c.Name + " is somebody else's")
			return nil
		}
		return w.sys.DeleteGroup(c.Name)
	case KindAccount:
		if !w.ours(c) {
			if _, err := w.sys.Account(c.Name); err == nil {
				w.say("left: the account " + c.Name + " is somebody else's")
			}
			return nil
		}
		a, err := w.sys.Account(c.Name)
		if err != nil {
			return err
		}
		profile := w.sys.DeleteProfile(a.SID)
		if errors.Is(profile, ErrAbsent) {
			profile = nil
		}
		return errors.Join(profile, w.sys.DeleteAccount(c.Name))
	case KindRights:
		if sid := w.sid(c.Name); sid != "" {
			return w.sys.RemoveRights(sid)
		}
	case KindHide:
		return w.sys.HideAccount(c.Name, false)
	case KindFilters:
		return w.sys.DeleteFilters(w.options.Install, c.Name)
	case KindGrant:
		if !w.wasThere(c) {
			return w.sys.RemoveACE(c.Name, c.SDDL)
		}
	}
	return nil // members and the enabled state go with their account
}

// wasThere reports whether what a change adds was there before it was begun.
func (w *worker) wasThere(c Change) bool {
	for _, e := range slices.Backward(w.log) {
		if e.State == "begun" && reflect.DeepEqual(e.Change, c) {
			return e.Detail == foreignEntry
		}
	}
	return false
}

// left reports whether something of a change is still there.
func (w *worker) left(c Change) (bool, error) {
	var err error
	switch c.Kind {
	case KindProgram:
		_, err = w.sys.Hash(c.Name)
	case KindGroup:
		var comment string
		comment, err = w.sys.Group(c.Name)
		if err == nil && comment != w.options.comment() {
			return false, nil
		}
	case KindAccount:
		if !w.ours(c) {
			return false, nil
		}
	case KindFilters:
		var have []Filter
		have, err = w.sys.Filters(w.options.Install, c.Name)
		if err == nil && len(have) == 0 {
			return false, nil
		}
	default:
		return false, nil
	}
	if errors.Is(err, ErrAbsent) {
		return false, nil
	}
	return err == nil, err
}
