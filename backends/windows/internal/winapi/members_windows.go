// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// LocalMembers gives the SIDs in a local group.
func LocalMembers(group string) (sids []string, code uint32, err error) {
	n, err := windows.UTF16PtrFromString(group)
	if err != nil {
		return nil, 0, err
	}
	const all = ^uint32(0)
	var buffer *byte
	var read, total uint32
	if code := NetLocalGroupGetMembers(nil, n, 0, &buffer, all, &read, &total, nil); code != 0 {
		return nil, code, Code("read the members of "+group, code)
	}
	for _, m := range unsafe.Slice((*LocalGroupMembersInfo0)(unsafe.Pointer(buffer)), read) {
		sids = append(sids, (*windows.SID)(unsafe.Pointer(m.SID)).String())
	}
	return sids, 0, windows.NetApiBufferFree(buffer)
}

// AddLocalMember adds a SID to a group.
func AddLocalMember(group string, sid *windows.SID) error {
	n, err := windows.UTF16PtrFromString(group)
	if err != nil {
		return err
	}
	info := LocalGroupMembersInfo0{SID: (*byte)(unsafe.Pointer(sid))}
	code := NetLocalGroupAddMembers(nil, n, 0, (*byte)(unsafe.Pointer(&info)), 1)
	if code == ErrorMemberInAlias {
		return nil
	}
	return Code("add to the group "+group, code)
}
