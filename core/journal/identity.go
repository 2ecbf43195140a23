// SPDX-License-Identifier: Apache-2.0

package journal

import "fmt"

// Identity tells one file or directory from every other that has been or will
// be at its path. Inode numbers are used again soon after a removal; together
// with the time of birth they are not.
type Identity struct {
	Dev  uint64 // as of unix.Mkdev
	Ino  uint64
	Born int64 // nanoseconds since 1970; 0 where the file system does not say
}

// Names in the journal's directory besides the records' own.
const (
	lockName = "lock"
	// Pending is the record of the placeholder that is being made. There is
	// at most one, for placeholders are made under the journal's lock.
	Pending = "pending"
)

// Name is the name of the record of what has this identity.
func (i Identity) Name() string {
	return fmt.Sprintf("held-%016x-%016x-%016x", i.Dev, i.Ino, uint64(i.Born))
}

// ParseName reads the name of a record; ok is false if it is no such name.
func ParseName(name string) (i Identity, ok bool) {
	var born uint64
	if n, err := fmt.Sscanf(name, "held-%16x-%16x-%16x", &i.Dev, &i.Ino, &born); n != 3 || err != nil {
		return Identity{}, false
	}
	i.Born = int64(born)
	return i, i.Name() == name
}
