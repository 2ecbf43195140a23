// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"bytes"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Security is the owner, the group and the access list of an object. A nil
// List is none at all, which grants everything.
type Security struct {
	Owner, Group string
	List         []byte // binary, see ACL in winnt.h
	Protected    bool   // takes no entries from above
}

// FileSecurity reads owner, group and access list of an open file.
func FileSecurity(file windows.Handle) (Security, error) {
	return ObjectSecurity(file, windows.SE_FILE_OBJECT)
}

// ObjectSecurity is FileSecurity for an object of any type.
func ObjectSecurity(object windows.Handle, kind windows.SE_OBJECT_TYPE) (Security, error) {
	const what = windows.OWNER_SECURITY_INFORMATION | windows.GROUP_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION
	sd, err := windows.GetSecurityInfo(object, kind, what)
	if err != nil {
		return Security{}, fmt.Errorf("read the access list: %w", err)
	}
	var s Security
	if owner, _, err := sd.Owner(); err == nil {
		s.Owner = owner.String()
	}
	if group, _, err := sd.Group(); err == nil {
		s.Group = group.String()
	}
	control, _, err := sd.Control()
	if err != nil {
		return Security{}, fmt.Errorf("read the access list: %w", err)
	}
	s.Protected = control&windows.SE_DACL_PROTECTED != 0
	acl, _, err := sd.DACL()
	if err == nil && acl != nil {
		size := (*[4]uint16)(unsafe.Pointer(acl))[1] // AclSize
		s.List = bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(acl)), size))
	}
	runtime.KeepAlive(sd)
	return s, nil
}

// SetFileList sets the access list of an open file, and passes it on to what is
// below, as SetSecurityInfo does.
func SetFileList(file windows.Handle, s Security) error {
	return SetObjectList(file, windows.SE_FILE_OBJECT, s)
}

// SetObjectList is SetFileList for an object of any type.
func SetObjectList(object windows.Handle, kind windows.SE_OBJECT_TYPE, s Security) error {
	what := windows.SECURITY_INFORMATION(windows.DACL_SECURITY_INFORMATION)
	if s.Protected {
		what |= windows.PROTECTED_DACL_SECURITY_INFORMATION
	} else {
		what |= windows.UNPROTECTED_DACL_SECURITY_INFORMATION
	}
	if len(s.List) < 8 {
		return fmt.Errorf("set the access list: it has no head")
	}
	list := bytes.Clone(s.List)
	err := windows.SetSecurityInfo(object, kind, what, nil, nil, (*windows.ACL)(unsafe.Pointer(&list[0])), nil)
	runtime.KeepAlive(list)
	if err != nil {
		return fmt.Errorf("set the access list: %w", err)
	}
	return nil
}

// FileID names a file on its volume: the volume's serial number and 128 bits,
// FILE_ID_INFO of winbase.h.
func FileID(file windows.Handle) (string, error) {
	var info struct {
		Volume uint64
		ID     [16]byte
	}
	const fileIDInfo = 18
	err := windows.GetFileInformationByHandleEx(file, fileIDInfo, (*byte)(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil {
		return "", fmt.Errorf("name the file: %w", err)
	}
	return fmt.Sprintf("%x-%x", info.Volume, info.ID), nil
}

// SetProcessList sets the access list of a process or a thread.
func SetProcessList(object windows.Handle, sddl string) error {
	sd, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		return fmt.Errorf("read %s: %w", sddl, err)
	}
	const what = windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	if err := windows.SetKernelObjectSecurity(object, what, sd); err != nil {
		return fmt.Errorf("set the access list of a process: %w", err)
	}
	return nil
}
