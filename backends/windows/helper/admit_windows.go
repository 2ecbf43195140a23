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
			for _, g := range list {
				err = errors.Join(err, g.takeBack())
			}
			list = nil
		}
	}()
	station, err := winapi.GetProcessWindowStation()
	if err != nil {
		return nil, fmt.Errorf("find the window station: %w", err)
	}
	g := grantedObject{handle: station, kind: windows.SE_WINDOW_OBJECT}
	if err := g.add(sid, winapi.WindowStationOK); err != nil {
		return list, fmt.Errorf("admit the account to the window station: %w", err)
	}
	list = append(list, g)
	var session uint32
	if err := windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &session); err != nil {
		return list, err
	}
	objects, err := winapi.OpenSessionObjects(session)
	if err != nil {
		return list, err
	}
	const use = 0xF // DIRECTORY_QUERY, TRAVERSE, CREATE_OBJECT, CREATE_SUBDIRECTORY
	g = grantedObject{handle: objects, kind: windows.SE_KERNEL_OBJECT, close: true}
	if err := g.add(sid, use); err != nil {
		return list, errors.Join(fmt.Errorf("admit the account to the session's objects: %w", err), windows.CloseHandle(objects))
	}
	return append(list, g), nil
}

// add adds an entry to the list of an object of the session. These lists go
// with the session, so no ledger has them.
func (g *grantedObject) add(sid string, mask access.Mask) error {
	var err error
	if g.before, err = winapi.ObjectSecurity(g.handle, g.kind); err != nil {
		return err
	}
	if g.before.List == nil {
		return nil // everybody is admitted
	}
	after := g.before
	if after.List, err = access.InsertRaw(g.before.List, access.ACE{Kind: access.Allow, Mask: mask, SID: access.SID(sid)}); err != nil {
		return err
	}
	return winapi.SetObjectList(g.handle, g.kind, after)
}

// takeBack sets the list as it was.
func (g grantedObject) takeBack() error {
	var err error
	if g.before.List != nil {
		err = winapi.SetObjectList(g.handle, g.kind, g.before)
	}
	if g.close {
		err = errors.Join(err, windows.CloseHandle(g.handle))
	}
	return err
}
