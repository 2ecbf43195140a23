// SPDX-License-Identifier: Apache-2.0

// Package access is a model of the access check of Windows: who may do what to
// an object, decided from its security descriptor and a token, in pure Go.
//
// The planner runs it before a sandbox is made, so that a breach that can be
// predicted is a refused plan or a lowered claim. The tests run it against
// independent implementations. It makes no system call and is the same on
// every system.
//
// Where the rules are from: "Access Check Algorithm Pseudocode" and "Token and
// ACE inheritance" in [MS-DTYP] sections 2.5.3.2 and 2.5.3.4; "How AccessCheck
// works", "Restricted Tokens", "CreateRestrictedToken function", "Mandatory
// Integrity Control", "Owner Rights" and "File Security and Access Rights" in
// the documentation of Windows. The mask of the second pass of a
// write-restricted token is not documented; it is as research on two kernels
// found it, see WriteMask.
package access

import "slices"

// Mask is a set of access rights.
type Mask uint32

// The rights of files and directories, see "File Access Rights Constants". A
// right of a file and one of a directory share a bit.
const (
	ReadData        Mask = 0x1 // of a directory: list
	WriteData       Mask = 0x2 // of a directory: add a file
	AppendData      Mask = 0x4 // of a directory: add a directory
	ReadEA          Mask = 0x8
	WriteEA         Mask = 0x10
	Execute         Mask = 0x20 // of a directory: traverse
	DeleteChild     Mask = 0x40
	ReadAttributes  Mask = 0x80
	WriteAttributes Mask = 0x100

	Delete      Mask = 0x10000
	ReadControl Mask = 0x20000
	WriteDAC    Mask = 0x40000
	WriteOwner  Mask = 0x80000
	Synchronize Mask = 0x100000

	SystemSecurity Mask = 0x1000000
	MaximumAllowed Mask = 0x2000000

	GenericAll     Mask = 0x10000000
	GenericExecute Mask = 0x20000000
	GenericWrite   Mask = 0x40000000
	GenericRead    Mask = 0x80000000
)

// Mapping says what generic rights mean for one type of object, as
// GENERIC_MAPPING does.
type Mapping struct {
	Read, Write, Execute, All Mask
}

// Files is the mapping of files and directories.
func Files() Mapping {
	return Mapping{Read: 0x120089, Write: 0x120116, Execute: 0x1200A0, All: 0x1F01FF}
}

// Processes is the mapping of processes.
func Processes() Mapping {
	return Mapping{Read: 0x20410, Write: 0x20BEA, Execute: 0x121001, All: 0x1FFFFF}
}

// Map replaces generic rights by what they mean, as MapGenericMask does.
func (m Mapping) Map(a Mask) Mask {
	for _, g := range []struct{ generic, means Mask }{
		{GenericRead, m.Read}, {GenericWrite, m.Write}, {GenericExecute, m.Execute}, {GenericAll, m.All},
	} {
		if a&g.generic != 0 {
			a = a&^g.generic | g.means
		}
	}
	return a
}

// WriteMask is what the second pass of a write-restricted token looks at: what
// writing means and neither reading nor executing does, with DELETE, WRITE_DAC,
// WRITE_OWNER and ACCESS_SYSTEM_SECURITY. FILE_DELETE_CHILD and the right to
// read the memory of a process are outside of it.
func (m Mapping) WriteMask() Mask {
	return m.Write&^(m.Read|m.Execute) | Delete | WriteDAC | WriteOwner | SystemSecurity
}

// Kind is the kind of an ACE.
type Kind uint8

// The kinds of ACEs that the model knows.
const (
	Allow Kind = iota
	Deny
	Label // a mandatory label, SYSTEM_MANDATORY_LABEL_ACE
)

// Flags say how an ACE is inherited, as in ACE_HEADER.
type Flags uint8

// The flags of inheritance.
const (
	ObjectInherit    Flags = 0x01
	ContainerInherit Flags = 0x02
	NoPropagate      Flags = 0x04
	InheritOnly      Flags = 0x08
	Inherited        Flags = 0x10
)

// ACE is one entry of an access list.
type ACE struct {
	Kind  Kind
	Flags Flags
	Mask  Mask
	SID   SID
}

// Descriptor is a security descriptor. A nil DACL grants everything to
// everybody, an empty one grants nothing.
type Descriptor struct {
	Owner, Group SID
	DACL         []ACE
	Protected    bool // takes no ACEs from its container
	Label        *ACE // nil: medium, no write up
}

// Clone returns a copy that shares nothing.
func (d Descriptor) Clone() Descriptor {
	d.DACL = slices.Clone(d.DACL)
	if d.Label != nil {
		label := *d.Label
		d.Label = &label
	}
	return d
}

// Group is a group of a token. A group that is neither enabled nor deny-only
// counts for nothing.
type Group struct {
	SID      SID
	Enabled  bool
	DenyOnly bool // only deny ACEs look at it
}

// Privilege is a privilege that an access check asks for.
type Privilege string

// The privileges that the model knows.
const (
	TakeOwnership Privilege = "SeTakeOwnershipPrivilege"
	Security      Privilege = "SeSecurityPrivilege"
	Backup        Privilege = "SeBackupPrivilege"
	Restore       Privilege = "SeRestorePrivilege"
	Relabel       Privilege = "SeRelabelPrivilege"
	ChangeNotify  Privilege = "SeChangeNotifyPrivilege"
)

// Integrity is a level of integrity, the last part of its SID.
type Integrity uint32

// The levels that matter.
const (
	Untrusted Integrity = 0
	Low       Integrity = 0x1000
	Medium    Integrity = 0x2000
	High      Integrity = 0x3000
	System    Integrity = 0x4000
)

// Token is what a thread is known by. A token with Restricting SIDs is
// checked a second time, by these alone; where WriteRestricted is true only
// for what writes. A list that is empty but not nil restricts too: the second
// pass then fails.
type Token struct {
	User            SID
	UserDenyOnly    bool
	Groups          []Group
	Restricting     []SID
	WriteRestricted bool
	Privileges      []Privilege // enabled
	Integrity       Integrity   // zero is untrusted
}

// Has reports whether a privilege is enabled.
func (t Token) Has(p Privilege) bool { return slices.Contains(t.Privileges, p) }
