// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
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

func (d *fakeDisk) reboot() {
	d.crashed, d.crashAt, d.calls, d.locked, d.alive = false, 0, 0, false, map[string]bool{}
}

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
