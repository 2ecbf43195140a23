// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// PrivilegeCount gives the number of privileges that a token holds.
func PrivilegeCount(token windows.Token) (int, error) {
	buffer, err := information(token, windows.TokenPrivileges)
	if err != nil {
		return 0, fmt.Errorf("read the privileges of a token: %w", err)
	}
	return int((*windows.Tokenprivileges)(unsafe.Pointer(&buffer[0])).PrivilegeCount), nil
}

// SetDefaultDACL sets the list that objects get which the token makes.
func SetDefaultDACL(token windows.Token, acl *windows.ACL) error {
	value := struct{ acl *windows.ACL }{acl}
	if err := windows.SetTokenInformation(token, windows.TokenDefaultDacl, (*byte)(unsafe.Pointer(&value)), uint32(unsafe.Sizeof(value))); err != nil {
		return fmt.Errorf("set the default list of a token: %w", err)
	}
	return nil
}

func information(token windows.Token, class uint32) ([]byte, error) {
	for n := uint32(512); ; {
		buffer := make([]byte, n)
		err := windows.GetTokenInformation(token, class, &buffer[0], n, &n)
		if err == nil {
			return buffer, nil
		}
		if err != windows.ERROR_INSUFFICIENT_BUFFER || n <= uint32(len(buffer)) {
			return nil, err
		}
	}
}
