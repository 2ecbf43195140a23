// SPDX-License-Identifier: Apache-2.0

package winapi

// UserInfo1 is USER_INFO_1 of lmaccess.h, for NetUserAdd.
type UserInfo1 struct {
	Name        *uint16
	Password    *uint16
	PasswordAge uint32
	Priv        uint32
	HomeDir     *uint16
	Comment     *uint16
	Flags       uint32
	ScriptPath  *uint16
}

// UserInfo1003 is USER_INFO_1003, a password.
type UserInfo1003 struct{ Password *uint16 }

// UserInfo1008 is USER_INFO_1008, the flags of an account.
type UserInfo1008 struct{ Flags uint32 }

// LocalGroupInfo1 is LOCALGROUP_INFO_1, for NetLocalGroupAdd.
type LocalGroupInfo1 struct {
	Name    *uint16
	Comment *uint16
}

// LocalGroupMembersInfo0 is LOCALGROUP_MEMBERS_INFO_0, a member by its SID.
type LocalGroupMembersInfo0 struct{ SID *byte }

// LSAUnicodeString is LSA_UNICODE_STRING of ntsecapi.h; lengths are in bytes.
type LSAUnicodeString struct {
	Length        uint16
	MaximumLength uint16
	Buffer        *uint16
}

// LSAObjectAttributes is LSA_OBJECT_ATTRIBUTES, all zero but Length.
type LSAObjectAttributes struct {
	Length                   uint32
	RootDirectory            uintptr
	ObjectName               *LSAUnicodeString
	Attributes               uint32
	SecurityDescriptor       uintptr
	SecurityQualityOfService uintptr
}

// ShellExecuteInfo is SHELLEXECUTEINFOW of shellapi.h.
type ShellExecuteInfo struct {
	Size       uint32
	Mask       uint32
	Window     uintptr
	Verb       *uint16
	File       *uint16
	Parameters *uint16
	Directory  *uint16
	Show       int32
	Instance   uintptr
	IDList     uintptr
	Class      *uint16
	ClassKey   uintptr
	HotKey     uint32
	Icon       uintptr
	Process    uintptr
}

// GenericMapping is GENERIC_MAPPING of winnt.h.
type GenericMapping struct{ Read, Write, Execute, All uint32 }

// LUIDAndAttributes is LUID_AND_ATTRIBUTES of winnt.h, which is not aligned to
// 64 bits.
type LUIDAndAttributes struct {
	Low        uint32
	High       int32
	Attributes uint32
}

// PrivilegeSet is PRIVILEGE_SET of winnt.h, with room for the privileges that
// AccessCheck reports.
type PrivilegeSet struct {
	Count     uint32
	Control   uint32
	Privilege [4]LUIDAndAttributes
}

// UIRestrictions is JOBOBJECT_BASIC_UI_RESTRICTIONS of winnt.h.
type UIRestrictions struct{ Class uint32 }
