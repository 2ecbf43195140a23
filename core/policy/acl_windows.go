// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Rights by which an existing file, or an entry of a directory, can be changed
// or replaced. Making new files in a directory is not among them.
const (
	fileChange = windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA | windows.DELETE | windows.WRITE_DAC |
		windows.WRITE_OWNER | windows.GENERIC_WRITE | windows.GENERIC_ALL
	dirChange = 0x40 /* FILE_DELETE_CHILD */ | windows.DELETE | windows.WRITE_DAC |
		windows.WRITE_OWNER | windows.GENERIC_ALL
)

// accessAllowed and accessDenied are the types of the entries that are
// understood here, see ACE_HEADER.
const (
	accessAllowed = 0
	accessDenied  = 1
)

// onlyChangedBy checks that the access list of a path gives the rights to
// nobody but the trusted accounts.
func onlyChangedBy(path string, rights windows.ACCESS_MASK, trusted []*windows.SID) error {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return err
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return err
	}
	if !isOneOf(owner, trusted) {
		return fmt.Errorf("%s belongs to %s", path, owner)
	}
	list, _, err := sd.DACL()
	if err != nil {
		return err
	}
	if list == nil {
		return errors.New(path + " has no access list")
	}
	for i := range uint32(list.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, i, &ace); err != nil {
			return err
		}
		if ace.Header.AceType == accessDenied || ace.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0 {
			continue
		}
		if ace.Header.AceType != accessAllowed {
			return fmt.Errorf("%s has an access entry of the unknown type %d", path, ace.Header.AceType)
		}
		sid := (*windows.SID)(unsafe.Pointer(&ace.SidStart))
		if ace.Mask&rights != 0 && !isOneOf(sid, trusted) {
			return fmt.Errorf("%s can be changed by %s", path, sid)
		}
	}
	return nil
}

func isOneOf(sid *windows.SID, list []*windows.SID) bool {
	for _, s := range list {
		if sid.Equals(s) {
			return true
		}
	}
	return false
}
