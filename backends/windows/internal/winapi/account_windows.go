// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Code turns the result of a Net, Lsa or Fwpm function into an error. The
// codes of netapi32 above 2100 are of lmerr.h and have no text in the system.
func Code(what string, code uint32) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w (code %d)", what, syscall.Errno(code), code)
}

// LocalUser is what NetUserGetInfo says of an account.
type LocalUser struct {
	Comment string
	Flags   uint32
}

// AddUser makes a local account, disabled.
func AddUser(name, comment, password string) error {
	n, c, p, err := three(name, comment, password)
	if err != nil {
		return err
	}
	info := UserInfo1{Name: n, Password: p, Priv: UserPrivUser, Comment: c,
		Flags: UFScript | UFNormalAccount | UFAccountDisable | UFPasswdCantChange | UFDontExpirePasswd}
	return Code("make the account "+name, NetUserAdd(nil, 1, (*byte)(unsafe.Pointer(&info)), nil))
}

// User reads an account. One that does not exist has the code NERRUserNotFound.
func User(name string) (LocalUser, uint32, error) {
	n, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return LocalUser{}, 0, err
	}
	var buffer *byte
	if err := windows.NetUserGetInfo(nil, n, 1, &buffer); err != nil {
		code, _ := err.(syscall.Errno)
		return LocalUser{}, uint32(code), fmt.Errorf("read the account %s: %w", name, err)
	}
	info := (*UserInfo1)(unsafe.Pointer(buffer))
	u := LocalUser{Comment: windows.UTF16PtrToString(info.Comment), Flags: info.Flags}
	return u, 0, windows.NetApiBufferFree(buffer)
}

// SetUserPassword sets the password of an account.
func SetUserPassword(name, password string) error {
	n, p, _, err := three(name, password, "")
	if err != nil {
		return err
	}
	info := UserInfo1003{Password: p}
	return Code("set the password of "+name, NetUserSetInfo(nil, n, 1003, (*byte)(unsafe.Pointer(&info)), nil))
}

// SetUserFlags sets the UF flags of an account.
func SetUserFlags(name string, flags uint32) error {
	n, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	info := UserInfo1008{Flags: flags}
	return Code("change the account "+name, NetUserSetInfo(nil, n, 1008, (*byte)(unsafe.Pointer(&info)), nil))
}

// AddLocalGroup makes a local group.
func AddLocalGroup(name, comment string) error {
	n, c, _, err := three(name, comment, "")
	if err != nil {
		return err
	}
	info := LocalGroupInfo1{Name: n, Comment: c}
	return Code("make the group "+name, NetLocalGroupAdd(nil, 1, (*byte)(unsafe.Pointer(&info)), nil))
}

// LocalGroup reads the comment of a group; one that does not exist has the code
// NERRGroupNotFound.
func LocalGroup(name string) (comment string, code uint32, err error) {
	n, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return "", 0, err
	}
	var buffer *byte
	if code := NetLocalGroupGetInfo(nil, n, 1, &buffer); code != 0 {
		return "", code, Code("read the group "+name, code)
	}
	comment = windows.UTF16PtrToString((*LocalGroupInfo1)(unsafe.Pointer(buffer)).Comment)
	return comment, 0, windows.NetApiBufferFree(buffer)
}

func three(a, b, c string) (x, y, z *uint16, err error) {
	for i, s := range []string{a, b, c} {
		if *[]**uint16{&x, &y, &z}[i], err = windows.UTF16PtrFromString(s); err != nil {
			return nil, nil, nil, err
		}
	}
	return x, y, z, nil
}
