// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// Machine is this machine, as setup changes it. It needs the rights of an
// administrator.
type Machine struct{ Install string }

// Group reads a local group.
func (Machine) Group(name string) (string, error) {
	comment, code, err := winapi.LocalGroup(name)
	if code == winapi.NERRGroupNotFound || code == winapi.ErrorNoSuchAlias {
		return "", ErrAbsent
	}
	return comment, err
}

// AddGroup makes a local group.
func (Machine) AddGroup(name, comment string) error { return winapi.AddLocalGroup(name, comment) }

// DeleteGroup removes a local group.
func (Machine) DeleteGroup(name string) error {
	n, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	code := winapi.NetLocalGroupDel(nil, n)
	if code == winapi.NERRGroupNotFound || code == winapi.ErrorNoSuchAlias {
		return ErrAbsent
	}
	return winapi.Code("remove the group "+name, code)
}

// Account reads a local account.
func (Machine) Account(name string) (Account, error) {
	u, code, err := winapi.User(name)
	if code == winapi.NERRUserNotFound {
		return Account{}, ErrAbsent
	}
	if err != nil {
		return Account{}, err
	}
	sid, err := sidOf(name)
	if err != nil {
		return Account{}, err
	}
	return Account{SID: sid.String(), Comment: u.Comment, Disabled: u.Flags&winapi.UFAccountDisable != 0, Locked: u.Flags&winapi.UFLockout != 0}, nil
}

// sidOf gives the SID of a local account or group.
func sidOf(name string) (*windows.SID, error) {
	sid, _, _, err := windows.LookupSID("", name)
	if errors.Is(err, windows.ERROR_NONE_MAPPED) {
		return nil, ErrAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("find the SID of %s: %w", name, err)
	}
	return sid, nil
}

// AddAccount makes a local account, disabled.
func (Machine) AddAccount(name, comment, password string) error {
	return winapi.AddUser(name, comment, password)
}

// SetPassword sets the password of an account and lifts a lockout.
func (Machine) SetPassword(name, password string) error {
	if err := winapi.SetUserPassword(name, password); err != nil {
		return err
	}
	u, _, err := winapi.User(name)
	if err != nil || u.Flags&winapi.UFLockout == 0 {
		return err
	}
	return winapi.SetUserFlags(name, u.Flags&^winapi.UFLockout)
}

// PasswordIs tries a password. Whatever keeps the account from logging on with
// it counts as no: setting it anew does no harm.
func (Machine) PasswordIs(name, password string) (bool, error) {
	token, err := winapi.LogOn(name, password)
	if err != nil {
		return false, nil
	}
	return true, token.Close()
}

// EnableAccount enables or disables an account.
func (Machine) EnableAccount(name string, enabled bool) error {
	u, code, err := winapi.User(name)
	if code == winapi.NERRUserNotFound {
		return ErrAbsent
	}
	if err != nil {
		return err
	}
	flags := u.Flags &^ winapi.UFAccountDisable
	if !enabled {
		flags |= winapi.UFAccountDisable
	}
	return winapi.SetUserFlags(name, flags)
}

// DeleteAccount removes an account.
func (Machine) DeleteAccount(name string) error {
	n, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	code := winapi.NetUserDel(nil, n)
	if code == winapi.NERRUserNotFound {
		return ErrAbsent
	}
	return winapi.Code("remove the account "+name, code)
}

// groupName gives the name of a group that is named by its SID: it differs from
// language to language.
func groupName(group string) (string, error) {
	if !strings.HasPrefix(group, "S-1-") {
		return group, nil
	}
	sid, err := windows.StringToSid(group)
	if err != nil {
		return "", err
	}
	name, _, _, err := sid.LookupAccount("")
	return name, err
}

// AddMember adds to a group.
func (Machine) AddMember(group, sid string) error {
	name, err := groupName(group)
	if err != nil {
		return err
	}
	s, err := windows.StringToSid(sid)
	if err != nil {
		return err
	}
	return winapi.AddLocalMember(name, s)
}

// IsMember looks into a group.
func (Machine) IsMember(group, sid string) (bool, error) {
	name, err := groupName(group)
	if err != nil {
		return false, err
	}
	members, code, err := winapi.LocalMembers(name)
	if code == winapi.NERRGroupNotFound || code == winapi.ErrorNoSuchAlias {
		return false, ErrAbsent
	}
	return slices.Contains(members, sid), err
}

// AddRights assigns rights to an account.
func (Machine) AddRights(sid string, rights []string) error {
	s, err := windows.StringToSid(sid)
	if err != nil {
		return err
	}
	return winapi.AddAccountRights(s, rights)
}

// Rights gives the rights of an account.
func (Machine) Rights(sid string) ([]string, error) {
	s, err := windows.StringToSid(sid)
	if err != nil {
		return nil, err
	}
	return winapi.AccountRights(s)
}

// RemoveRights takes all rights from an account.
func (Machine) RemoveRights(sid string) error {
	s, err := windows.StringToSid(sid)
	if err != nil {
		return err
	}
	return winapi.RemoveAccountRights(s)
}

// userList is where the sign-in screen looks which accounts it does not show.
const userList = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\SpecialAccounts\UserList`

// HideAccount keeps an account off the sign-in screen.
func (Machine) HideAccount(name string, hidden bool) error {
	if !hidden {
		k, err := registry.OpenKey(registry.LOCAL_MACHINE, userList, registry.SET_VALUE)
		if err == nil {
			defer k.Close()
			err = k.DeleteValue(name)
		}
		if errors.Is(err, registry.ErrNotExist) {
			return nil
		}
		return err
	}
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, userList, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("open the list of the sign-in screen: %w", err)
	}
	defer k.Close()
	return k.SetDWordValue(name, 0)
}

// IsHidden looks into the list of the sign-in screen.
func (Machine) IsHidden(name string) (bool, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, userList, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer k.Close()
	n, _, err := k.GetIntegerValue(name)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	return err == nil && n == 0, err
}

// DeleteProfile removes the profile of an account.
func (Machine) DeleteProfile(sid string) error {
	s, err := windows.UTF16PtrFromString(sid)
	if err != nil {
		return err
	}
	err = winapi.DeleteProfile(s, nil, nil)
	if errors.Is(err, windows.ERROR_FILE_NOT_FOUND) || errors.Is(err, windows.ERROR_PATH_NOT_FOUND) {
		return ErrAbsent
	}
	return err
}
