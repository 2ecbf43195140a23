// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// admit lets an account use the window station, in which it makes a desktop of
// its own, and make named objects of the session, which shells of MSYS and
// Cygwin need. Logon SIDs are there only to deny in the commands' token, so
// that what they admit does not help.
func admit(sid string) (list []grantedObject, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, takeBack(list))
			list = nil
		}
	}()
	station, err := winapi.GetProcessWindowStation()
	if err != nil {
		return nil, fmt.Errorf("find the window station: %w", err)
	}
	g := grantedObject{handle: station, kind: windows.SE_WINDOW_OBJECT, entry: entryFor(sid, winapi.WindowStationOK)}
	list = append(list, g)
	if err := g.add(); err != nil {
		return list, fmt.Errorf("admit the account to the window station: %w", err)
	}
	var session uint32
	if err := windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &session); err != nil {
		return list, err
	}
	objects, err := winapi.OpenSessionObjects(session)
	if err != nil {
		return list, err
	}
	const use = 0xF // DIRECTORY_QUERY, TRAVERSE, CREATE_OBJECT, CREATE_SUBDIRECTORY
	g = grantedObject{handle: objects, kind: windows.SE_KERNEL_OBJECT, entry: entryFor(sid, use), close: true}
	list = append(list, g)
	if err := g.add(); err != nil {
		return list, fmt.Errorf("admit the account to the session's objects: %w", err)
	}
	return list, nil
}

func entryFor(sid string, mask access.Mask) access.ACE {
	return access.ACE{Kind: access.Allow, Mask: mask, SID: access.SID(sid)}
}

// grantedObject is an object of the session that an account was admitted to, by
// one entry. Sandboxes share the object; the account, and so the entry, is held
// by one of them.
type grantedObject struct {
	handle windows.Handle
	kind   windows.SE_OBJECT_TYPE
	entry  access.ACE
	close  bool
}

// add adds the entry. These lists go with the session, so no ledger has them; an
// entry of the account that is there already is of a run that was killed.
func (g grantedObject) add() error {
	return g.edit(func(list []byte) ([]byte, error) {
		if has, err := access.HasRaw(list, g.entry); has || err != nil {
			return list, err
		}
		return access.InsertRaw(list, g.entry)
	})
}

// edit changes the list of the object. It reads and writes, so the caller holds
// the lock of all sandboxes of the user.
func (g grantedObject) edit(change func([]byte) ([]byte, error)) error {
	s, err := winapi.ObjectSecurity(g.handle, g.kind)
	if err != nil || s.List == nil { // everybody is admitted
		return err
	}
	if s.List, err = change(s.List); err != nil {
		return err
	}
	return winapi.SetObjectList(g.handle, g.kind, s)
}

// takeBack takes the entries out again, and nothing else: other sandboxes have
// added theirs meanwhile.
func takeBack(list []grantedObject) error {
	var errs []error
	for _, g := range list {
		errs = append(errs, g.edit(func(raw []byte) ([]byte, error) { return access.RemoveRaw(raw, g.entry) }))
		if g.close {
			errs = append(errs, windows.CloseHandle(g.handle))
		}
	}
	return errors.Join(errs...)
}
