// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// OpenSessionObjects opens the directory of the named objects of a session, in
// which programs make events, mutexes and shared memory.
func OpenSessionObjects(session uint32) (windows.Handle, error) {
	name := fmt.Sprintf(`\Sessions\%d\BaseNamedObjects`, session)
	if session == 0 {
		name = `\BaseNamedObjects`
	}
	text, err := windows.NewNTUnicodeString(name)
	if err != nil {
		return 0, err
	}
	attributes := windows.OBJECT_ATTRIBUTES{ObjectName: text}
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	var h windows.Handle
	if status := NtOpenDirectoryObject(&h, windows.READ_CONTROL|windows.WRITE_DAC, &attributes); status != 0 {
		return 0, fmt.Errorf("open %s: %w", name, windows.NTStatus(status))
	}
	return h, nil
}

// NewDesktop makes a desktop of the calling process's window station, with an
// access list of its own.
func NewDesktop(name, sddl string) (windows.Handle, error) {
	sd, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", sddl, err)
	}
	n, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	attributes := windows.SecurityAttributes{SecurityDescriptor: sd}
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	h, err := CreateDesktop(n, nil, 0, 0, DesktopAll, &attributes)
	if err != nil {
		return 0, fmt.Errorf("make a desktop: %w", err)
	}
	return h, nil
}

// ObjectName gives the name of a desktop or a window station.
func ObjectName(h windows.Handle) (string, error) {
	const nameOf = 2 // UOI_NAME
	buffer := make([]uint16, 256)
	var n uint32
	if err := GetUserObjectInformation(h, nameOf, (*byte)(unsafe.Pointer(&buffer[0])), uint32(2*len(buffer)), &n); err != nil {
		return "", fmt.Errorf("name a desktop: %w", err)
	}
	return syscall.UTF16ToString(buffer), nil
}

// LogonProcess starts a program as another user by the service that does so.
// The standard handles can be inherited.
func LogonProcess(user, password, application, commandLine, directory string, std [3]windows.Handle, flags uint32) (*windows.ProcessInformation, error) {
	var texts [6]*uint16
	for i, s := range []string{user, ".", password, application, commandLine, directory} {
		var err error
		if texts[i], err = windows.UTF16PtrFromString(s); err != nil {
			return nil, err
		}
	}
	start := windows.StartupInfo{Flags: windows.STARTF_USESTDHANDLES, StdInput: std[0], StdOutput: std[1], StdErr: std[2]}
	start.Cb = uint32(unsafe.Sizeof(start))
	info := &windows.ProcessInformation{}
	err := CreateProcessWithLogon(texts[0], texts[1], texts[2], LogonWithProfile, texts[3], texts[4], flags, nil, texts[5], &start, info)
	if err != nil {
		return nil, fmt.Errorf("start %s as %s: %w", application, user, err)
	}
	return info, nil
}

// Unseal decrypts what Seal made, for the same user; entropy must be the same.
func Unseal(sealed, entropy []byte) ([]byte, error) {
	var out windows.DataBlob
	const noUI = 0x1 // CRYPTPROTECT_UI_FORBIDDEN
	if err := windows.CryptUnprotectData(blob(sealed), nil, blob(entropy), 0, nil, noUI, &out); err != nil {
		return nil, fmt.Errorf("unseal a password: %w", err)
	}
	return takeBlob(out)
}

// Seal encrypts for the calling user alone, by a key of the user's logon.
func Seal(plain, entropy []byte) ([]byte, error) {
	var out windows.DataBlob
	const noUI = 0x1
	if err := windows.CryptProtectData(blob(plain), nil, blob(entropy), 0, nil, noUI, &out); err != nil {
		return nil, fmt.Errorf("seal a password: %w", err)
	}
	return takeBlob(out)
}

func blob(b []byte) *windows.DataBlob {
	return &windows.DataBlob{Size: uint32(len(b)), Data: unsafe.SliceData(b)}
}

func takeBlob(b windows.DataBlob) ([]byte, error) {
	out := append([]byte{}, unsafe.Slice(b.Data, b.Size)...)
	_, err := windows.LocalFree(windows.Handle(unsafe.Pointer(b.Data)))
	return out, err
}
