// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// errCrash is what every call gives after the machine of a fake has crashed.
var errCrash = errors.New("the machine has crashed")

// fakeSystem is a machine in memory. It notes every call that changes it, and
// crashes at the call crashAt, before or after the change is made.
type fakeSystem struct {
	groups   map[string]*fakeGroup
	accounts map[string]*fakeAccount
	filters  map[string][]Filter
	files    map[string]string // directories with their list, programs with their hash
	lists    map[string][]string
	logs     map[string][]string
	nextSID  int

	calls   []string
	crashAt int // 0: never
	after   bool
	crashed bool
	leaks   bool   // filters stand and stop nothing
	deaf    bool   // filters stop the port that they are to leave
	broken  string // a call that does nothing, in silence
}

type fakeGroup struct {
	comment string
	members []string
}

type fakeAccount struct {
	Account
	password string
	rights   []string
	hidden   bool
	profile  bool
	running  int
}

func newFakeSystem() *fakeSystem {
	return &fakeSystem{
		groups:   map[string]*fakeGroup{users: {comment: "Users"}},
		accounts: map[string]*fakeAccount{"me": {Account: Account{SID: "S-1-5-21-1-2-3-1000"}}},
		filters:  map[string][]Filter{}, files: map[string]string{`C:\x\helper.exe`: testHash}, logs: map[string][]string{},
		lists:   map[string][]string{`C:\Users\me\src`: {"(A;OICI;FA;;;me)"}, `C:\Users\me\go`: {"(A;OICI;0x1200a9;;;{group})"}},
		nextSID: 1100,
	}
}

// state writes all that lasts, as text.
func (f *fakeSystem) state() string {
	var b strings.Builder
	for _, n := range slices.Sorted(maps.Keys(f.groups)) {
		m := slices.Clone(f.groups[n].members)
		slices.Sort(m)
		fmt.Fprintf(&b, "group %s %q %q\n", n, f.groups[n].comment, m)
	}
	for _, n := range slices.Sorted(maps.Keys(f.accounts)) {
		fmt.Fprintf(&b, "account %s %+v\n", n, *f.accounts[n])
	}
	for _, n := range slices.Sorted(maps.Keys(f.filters)) {
		fmt.Fprintf(&b, "filters %s %v\n", n, f.filters[n])
	}
	for _, n := range slices.Sorted(maps.Keys(f.files)) {
		fmt.Fprintf(&b, "file %s %s\n", n, f.files[n])
	}
	for _, n := range slices.Sorted(maps.Keys(f.lists)) {
		fmt.Fprintf(&b, "list %s %q\n", n, f.lists[n])
	}
	return b.String()
}

// change makes a change, or crashes beside it.
func (f *fakeSystem) change(name string, make func() error) error {
	if f.crashed {
		return errCrash
	}
	f.calls = append(f.calls, name)
	if f.crashAt > 0 && len(f.calls) == f.crashAt {
		f.crashed = true
		if f.after {
			_ = make()
		}
		return errCrash
	}
	if f.broken != "" && strings.HasPrefix(name, f.broken) {
		return nil
	}
	return make()
}

func (f *fakeSystem) reboot() { f.crashed, f.crashAt, f.calls = false, 0, nil }

func (f *fakeSystem) Group(name string) (string, error) {
	if f.crashed {
		return "", errCrash
	}
	if g := f.groups[name]; g != nil {
		return g.comment, nil
	}
	return "", ErrAbsent
}

func (f *fakeSystem) AddGroup(name, comment string) error {
	return f.change("add-group "+name, func() error {
		if f.groups[name] != nil {
			return errors.New("it exists")
		}
		f.groups[name] = &fakeGroup{comment: comment}
		return nil
	})
}

func (f *fakeSystem) DeleteGroup(name string) error {
	return f.change("delete-group "+name, func() error { delete(f.groups, name); return nil })
}

func (f *fakeSystem) Account(name string) (Account, error) {
	if f.crashed {
		return Account{}, errCrash
	}
	if a := f.accounts[name]; a != nil {
		return a.Account, nil
	}
	return Account{}, ErrAbsent
}

func (f *fakeSystem) AddAccount(name, comment, password string) error {
	return f.change("add-account "+name, func() error {
		if f.accounts[name] != nil {
			return errors.New("it exists")
		}
		f.nextSID++
		f.accounts[name] = &fakeAccount{Account: Account{SID: fmt.Sprintf("S-1-5-21-1-2-3-%d", f.nextSID), Comment: comment, Disabled: true}, password: password}
		return nil
	})
}

func (f *fakeSystem) SetPassword(name, password string) error {
	return f.change("set-password "+name, func() error { f.accounts[name].password, f.accounts[name].Locked = password, false; return nil })
}

func (f *fakeSystem) PasswordIs(name, password string) (bool, error) {
	a := f.accounts[name]
	if a == nil {
		return false, ErrAbsent
	}
	return !a.Disabled && a.password == password, nil
}

func (f *fakeSystem) Connects(_, account, password string, port int) (Reached, error) {
	a := f.accounts[account]
	if a == nil || a.Disabled || a.password != password {
		return Reached{}, errors.New("the account cannot log on")
	}
	return Reached{More: len(f.filters[account]) == 0 || f.leaks, Port: port != 0 && !f.deaf}, nil
}

func (f *fakeSystem) EnableAccount(name string, enabled bool) error {
	return f.change(fmt.Sprintf("enable-account %s %t", name, enabled), func() error {
		if f.accounts[name] == nil {
			return ErrAbsent
		}
		f.accounts[name].Disabled = !enabled
		return nil
	})
}

func (f *fakeSystem) DeleteAccount(name string) error {
	return f.change("delete-account "+name, func() error {
		a := f.accounts[name]
		if a == nil {
			return ErrAbsent
		}
		if a.running > 0 {
			return errors.New("programs of the account run")
		}
		for _, g := range f.groups {
			g.members = slices.DeleteFunc(g.members, func(m string) bool { return m == a.SID })
		}
		delete(f.accounts, name)
		return nil
	})
}

func (f *fakeSystem) AddMember(group, sid string) error {
	return f.change("add-member "+group+" "+sid, func() error {
		if !slices.Contains(f.groups[group].members, sid) {
			f.groups[group].members = append(f.groups[group].members, sid)
		}
		return nil
	})
}

func (f *fakeSystem) IsMember(group, sid string) (bool, error) {
	if f.crashed {
		return false, errCrash
	}
	if f.groups[group] == nil {
		return false, ErrAbsent
	}
	return slices.Contains(f.groups[group].members, sid), nil
}

func (f *fakeSystem) bySID(sid string) *fakeAccount {
	for _, a := range f.accounts {
		if a.SID == sid {
			return a
		}
	}
	return nil
}

func (f *fakeSystem) AddRights(sid string, rights []string) error {
	return f.change("add-rights "+sid, func() error { f.bySID(sid).rights = slices.Clone(rights); return nil })
}

func (f *fakeSystem) Rights(sid string) ([]string, error) {
	if a := f.bySID(sid); a != nil {
		return a.rights, nil
	}
	return nil, ErrAbsent
}

func (f *fakeSystem) RemoveRights(sid string) error {
	return f.change("remove-rights "+sid, func() error {
		if a := f.bySID(sid); a != nil {
			a.rights = nil
		}
		return nil
	})
}

func (f *fakeSystem) HideAccount(name string, hidden bool) error {
	return f.change("hide "+name, func() error {
		if a := f.accounts[name]; a != nil {
			a.hidden = hidden
		}
		return nil
	})
}

func (f *fakeSystem) IsHidden(name string) (bool, error) {
	if f.crashed {
		return false, errCrash
	}
	a := f.accounts[name]
	return a != nil && a.hidden, nil
}

func (f *fakeSystem) DeleteProfile(sid string) error {
	return f.change("delete-profile "+sid, func() error {
		a := f.bySID(sid)
		if a == nil || !a.profile {
			return ErrAbsent
		}
		a.profile = false
		return nil
	})
}

func (f *fakeSystem) EndProcesses(sid string) error {
	return f.change("end-processes "+sid, func() error {
		if a := f.bySID(sid); a != nil {
			a.running = 0
		}
		return nil
	})
}

func (f *fakeSystem) MakeDir(path, sddl string) error {
	return f.change("make-dir "+path, func() error { f.files[path] = sddl; return nil })
}

func (f *fakeSystem) CopyProgram(from, to, hash string) error {
	return f.change("copy "+to, func() error {
		if f.files[from] != hash {
			return errors.New("the program is another one")
		}
		f.files[to] = hash
		return nil
	})
}

func (f *fakeSystem) Hash(path string) (string, error) {
	if f.crashed {
		return "", errCrash
	}
	if h, ok := f.files[path]; ok {
		return h, nil
	}
	return "", ErrAbsent
}

func (f *fakeSystem) Remove(path string) error {
	return f.change("remove "+path, func() error {
		if _, ok := f.files[path]; !ok {
			return ErrAbsent
		}
		for p := range f.files {
			if strings.HasPrefix(p, path+`\`) {
				return errors.New("the directory is not empty")
			}
		}
		delete(f.files, path)
		return nil
	})
}

func (f *fakeSystem) AddFilters(install, account, sid string, filters []plan.WindowsFilter) error {
	return f.change("add-filters "+account, func() error {
		for _, w := range filters {
			f.filters[account] = append(f.filters[account], Filter{Layer: w.Layer, Block: true, SID: sid, If: w.If[1:]})
		}
		return nil
	})
}

func (f *fakeSystem) Filters(install, account string) ([]Filter, error) {
	if f.crashed {
		return nil, errCrash
	}
	if len(f.filters[account]) == 0 {
		return nil, ErrAbsent
	}
	return f.filters[account], nil
}

func (f *fakeSystem) DeleteFilters(install, account string) error {
	return f.change("delete-filters "+account, func() error { delete(f.filters, account); return nil })
}

func (f *fakeSystem) AddACE(path, ace string) (bool, error) {
	added := false
	err := f.change("add-ace "+path, func() error {
		if !slices.Contains(f.lists[path], ace) {
			added = true
			f.lists[path] = append(f.lists[path], ace)
		}
		return nil
	})
	return added, err
}

func (f *fakeSystem) HasACE(path, ace string) (bool, error) {
	if f.crashed {
		return false, errCrash
	}
	return slices.Contains(f.lists[path], ace), nil
}

func (f *fakeSystem) RemoveACE(path, ace string) error {
	return f.change("remove-ace "+path, func() error {
		f.lists[path] = slices.DeleteFunc(f.lists[path], func(a string) bool { return a == ace })
		return nil
	})
}

func (f *fakeSystem) Log(install string) ([]LogEntry, error) {
	if f.crashed {
		return nil, errCrash
	}
	var list []LogEntry
	for _, text := range f.logs[install] {
		var e LogEntry
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

func (f *fakeSystem) AppendLog(install string, e LogEntry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return f.change("log", func() error { f.logs[install] = append(f.logs[install], string(text)); return nil })
}

func (f *fakeSystem) DeleteLog(install string) error {
	return f.change("delete-log", func() error { delete(f.logs, install); return nil })
}
