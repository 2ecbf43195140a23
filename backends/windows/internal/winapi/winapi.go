// SPDX-License-Identifier: Apache-2.0

// Package winapi is the part of the Windows API that the sandbox needs and
// golang.org/x/sys/windows lacks.
//
// The functions are declared by the //sys lines of syscall_windows.go, from
// which zsyscall_windows.go is generated; a test wants the two to agree. The
// structures are in types.go and fwpm.go, each with the documentation it
// follows, without build tag, so that their sizes and offsets are checked on
// every system. What is not generated and uses unsafe is in small files of
// its own.
package winapi

// GUID is a 128-bit identifier, as in guiddef.h.
type GUID struct {
	Data1 uint32
	Data2 uint16
	Data3 uint16
	Data4 [8]byte
}

// Flags of CreateRestrictedToken.
const (
	DisableMaxPrivilege = 0x1
	SandboxInert        = 0x2
	LUAToken            = 0x4
	WriteRestricted     = 0x8
)

// Flags of accounts, lmaccess.h.
const (
	UFScript           = 0x0001
	UFAccountDisable   = 0x0002
	UFLockout          = 0x0010
	UFPasswdCantChange = 0x0040
	UFNormalAccount    = 0x0200
	UFDontExpirePasswd = 0x10000

	UserPrivUser = 1
)

// Results of the NetUser and NetLocalGroup functions, lmerr.h and winerror.h.
const (
	ErrorAliasExists      = 1379
	ErrorNoSuchAlias      = 1376
	ErrorMemberInAlias    = 1378
	NERRGroupNotFound     = 2220
	NERRUserNotFound      = 2221
	NERRUserExists        = 2224
	NERRPasswordTooShort  = 2245
	ErrorNoSuchMember     = 1387
	ErrorAccountLockedOut = 1909
)

// Flags of CreateProcessWithLogonW.
const LogonWithProfile = 0x1

// The user-object rights of a window station and a desktop, winuser.h.
const (
	DesktopAll      = 0x01FF
	WindowStationOK = 0x037F | 0x20000 // all but changing the list; READ_CONTROL
)
