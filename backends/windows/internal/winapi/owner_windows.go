// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// DeleteFilter removes a filter; one that is not there is no error.
func (e *Engine) DeleteFilter(key GUID) error {
	if code := FwpmFilterDelete(e.handle, &key); code != 0 && code != FwpFilterNotFound {
		return Code("remove a filter", code)
	}
	return nil
}

// DeleteOwner removes a sublayer and a provider that have no filters.
func (e *Engine) DeleteOwner(provider, sublayer GUID) error {
	if code := FwpmSubLayerDelete(e.handle, &sublayer); code != 0 && code != FwpSublayerNotFound {
		return Code("remove a sublayer", code)
	}
	if code := FwpmProviderDelete(e.handle, &provider); code != 0 && code != FwpProviderNotFound {
		return Code("remove a provider", code)
	}
	return nil
}

// SelfRelative gives the bytes of a security descriptor in SDDL.
func SelfRelative(sddl string) ([]byte, error) {
	sd, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", sddl, err)
	}
	return append([]byte{}, unsafe.Slice((*byte)(unsafe.Pointer(sd)), sd.Length())...), nil
}

// FromSelfRelative gives the SDDL of a security descriptor's bytes.
func FromSelfRelative(raw []byte) (string, error) {
	if len(raw) < 20 {
		return "", errors.New("a security descriptor without head")
	}
	return (*windows.SECURITY_DESCRIPTOR)(unsafe.Pointer(&raw[0])).String(), nil
}

// Elevate starts a program with the rights of an administrator, after the
// system has asked the user, and returns its process.
func Elevate(program, arguments string) (windows.Handle, error) {
	const noClose, noAsync = 0x40, 0x100 // SEE_MASK_NOCLOSEPROCESS, SEE_MASK_NOASYNC
	verb, file, parameters, err := three("runas", program, arguments)
	if err != nil {
		return 0, err
	}
	info := ShellExecuteInfo{Mask: noClose | noAsync, Verb: verb, File: file, Parameters: parameters}
	info.Size = uint32(unsafe.Sizeof(info))
	if err := ShellExecuteEx(&info); err != nil {
		return 0, fmt.Errorf("start %s as an administrator: %w", program, err)
	}
	return windows.Handle(info.Process), nil
}
