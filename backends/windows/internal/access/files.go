// SPDX-License-Identifier: Apache-2.0

package access

// Act is something that a program does with a path.
type Act string

// The acts. Each has its rule in Volume.May.
const (
	ActRead       Act = "read"       // open for reading, list a directory
	ActStat       Act = "stat"       // read attributes
	ActWrite      Act = "write"      // change the content of a file
	ActCreate     Act = "create"     // make a file in a directory
	ActMkdir      Act = "mkdir"      // make a directory in a directory
	ActDelete     Act = "delete"     // remove, or rename away
	ActAttributes Act = "attributes" // change times or attributes; make a hard link to it
	ActPermit     Act = "permit"     // change the access list
	ActOwn        Act = "own"        // become the owner
	ActExecute    Act = "execute"
)

// Acts returns all acts.
func Acts() []Act {
	return []Act{ActRead, ActStat, ActWrite, ActCreate, ActMkdir, ActDelete, ActAttributes, ActPermit, ActOwn, ActExecute}
}

// Writes returns the acts that change something.
func Writes() []Act {
	return []Act{ActWrite, ActCreate, ActMkdir, ActDelete, ActAttributes, ActPermit, ActOwn}
}

// May decides whether the token may do something with a path. It knows what
// the file system adds to the check of one object: a file may be deleted by
// DELETE on itself or by FILE_DELETE_CHILD on the directory that it is in, its
// attributes read also by who may list that directory, and directories above
// are not looked at while SeChangeNotifyPrivilege is held. For a path that does
// not exist the answer is about what would be made there.
func (v *Volume) May(t Token, act Act, path string) bool {
	d, ok := v.Descriptor(path)
	if !ok || !v.reaches(t, path) {
		return false
	}
	check := func(m Mask) bool { return Allowed(d, t, m, Files()) }
	up, inside := v.Descriptor(parentOf(path))
	above := func(m Mask) bool { return inside && Allowed(up, t, m, Files()) }
	switch act {
	case ActRead:
		return check(ReadData)
	case ActStat:
		return check(ReadAttributes) || above(ReadData)
	case ActWrite:
		return check(WriteData) || check(AppendData) || check(WriteEA)
	case ActCreate:
		return check(WriteData)
	case ActMkdir:
		return check(AppendData)
	case ActDelete:
		return check(Delete) || above(DeleteChild)
	case ActAttributes:
		return check(WriteAttributes)
	case ActPermit:
		return check(WriteDAC)
	case ActOwn:
		return check(WriteOwner)
	case ActExecute:
		return check(Execute)
	}
	return false
}

// reaches reports whether the directories above let the token pass.
func (v *Volume) reaches(t Token, path string) bool {
	if t.Has(ChangeNotify) {
		return true
	}
	for p := parentOf(path); p != ""; p = parentOf(p) {
		if d, ok := v.Descriptor(p); ok && !Allowed(d, t, Execute, Files()) {
			return false
		}
	}
	return true
}

// MayRename decides whether something may be moved into another directory:
// it is deleted here and made there.
func (v *Volume) MayRename(t Token, from string, dir bool, into string) bool {
	act := ActCreate
	if dir {
		act = ActMkdir
	}
	return v.May(t, ActDelete, from) && v.May(t, act, into)
}
