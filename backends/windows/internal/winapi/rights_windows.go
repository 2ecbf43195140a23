// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// AccountRights gives the rights that are assigned to an account by itself.
func AccountRights(sid *windows.SID) (rights []string, err error) {
	policy, err := openPolicy()
	if err != nil {
		return nil, err
	}
	defer LsaClose(policy)
	var list *LSAUnicodeString
	var n uint32
	const nameNotFound = 0xC0000034 // none is assigned
	if status := LsaEnumerateAccountRights(policy, sid, &list, &n); status == nameNotFound {
		return nil, nil
	} else if status != 0 {
		return nil, lsa("read the rights of an account", status)
	}
	for _, s := range unsafe.Slice(list, n) {
		rights = append(rights, syscall.UTF16ToString(unsafe.Slice(s.Buffer, s.Length/2)))
	}
	return rights, lsa("free the rights of an account", LsaFreeMemory(uintptr(unsafe.Pointer(list))))
}

// AddAccountRights assigns rights to an account.
func AddAccountRights(sid *windows.SID, rights []string) error {
	policy, err := openPolicy()
	if err != nil {
		return err
	}
	defer LsaClose(policy)
	for _, r := range rights {
		text, err := windows.UTF16FromString(r)
		if err != nil {
			return err
		}
		s := LSAUnicodeString{Length: uint16(2 * (len(text) - 1)), MaximumLength: uint16(2 * len(text)), Buffer: &text[0]}
		if status := LsaAddAccountRights(policy, sid, &s, 1); status != 0 {
			return lsa("assign "+r, status)
		}
	}
	return nil
}

// RemoveAccountRights takes all rights from an account.
func RemoveAccountRights(sid *windows.SID) error {
	policy, err := openPolicy()
	if err != nil {
		return err
	}
	defer LsaClose(policy)
	const nameNotFound = 0xC0000034
	if status := LsaRemoveAccountRights(policy, sid, true, nil, 0); status != 0 && status != nameNotFound {
		return lsa("take the rights from an account", status)
	}
	return nil
}

func openPolicy() (windows.Handle, error) {
	const createAccount, lookupNames, viewInformation = 0x10, 0x800, 0x1
	attributes := LSAObjectAttributes{}
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	var policy windows.Handle
	status := LsaOpenPolicy(nil, &attributes, createAccount|lookupNames|viewInformation, &policy)
	return policy, lsa("open the policy of this machine", status)
}

func lsa(what string, status uint32) error {
	if status == 0 {
		return nil
	}
	return Code(what, LsaNtStatusToWinError(status))
}
