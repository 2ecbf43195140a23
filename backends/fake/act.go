// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"fmt"
	"io/fs"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// Op is a kind of act.
type Op string

// What a command may want to do. The words in brackets are the fields of Act
// that say with what.
const (
	Read       Op = "read"        // Path: its content
	List       Op = "list"        // Path: the names in a directory
	Walk       Op = "walk"        // Path: the names below a directory
	Look       Op = "look"        // Path: what is known of it, links not followed
	Execute    Op = "execute"     // Path: run a program
	Write      Op = "write"       // Path: create a file or change its content; Swap
	Change     Op = "change"      // Path: change the content of what exists
	Create     Op = "create"      // Path, Num: make a file with a mode
	Truncate   Op = "truncate"    // Path
	Allocate   Op = "allocate"    // Path: lengthen a file without writing
	Map        Op = "map"         // Path: write through a shared mapping
	Reopen     Op = "reopen"      // Path: write through a descriptor without rights
	Mode       Op = "mode"        // Path, Num
	Times      Op = "times"       // Path
	Owner      Op = "owner"       // Path: links not followed
	Attribute  Op = "attribute"   // Path, Name: an extended attribute
	Flags      Op = "flags"       // Path: what chattr(1) changes
	Descriptor Op = "descriptor"  // Num: change the file of a stream that was given
	Remove     Op = "remove"      // Path
	RemoveTree Op = "remove-tree" // Path
	Rename     Op = "rename"      // Path, To
	Exchange   Op = "exchange"    // Path, To
	Link       Op = "link"        // Path, To: a hard link to Path
	Symlink    Op = "symlink"     // To: a symbolic link there, whatever it says
	Directory  Op = "directory"   // Path: make one
	Fifo       Op = "fifo"        // Path: make one
	Device     Op = "device"      // Path: open a device
	MakeDevice Op = "make-device" // Path
	Handle     Op = "handle"      // Path: read a file by its handle
	Mount      Op = "mount"       // To

	Connect    Op = "connect"    // Net, Addr; a unix socket by its path in Addr
	Send       Op = "send"       // Net, Addr: one packet
	FastOpen   Op = "fast-open"  // Net, Addr: connect and send at once
	Multipath  Op = "multipath"  // Net, Addr: connect by MPTCP
	Resolve    Op = "resolve"    // Addr: ask a name server
	Listen     Op = "listen"     // Net, Addr
	Socket     Op = "socket"     // Num: its family, Sub: its type, Name: a word for both
	Interfaces Op = "interfaces" // the addresses of the host
	Signal     Op = "signal"     // PID, below 0 a group
	SignalFD   Op = "signal-fd"  // PID, by a descriptor of the process
	Trace      Op = "trace"      // PID
	Memory     Op = "memory"     // PID: read its memory
	Priority   Op = "priority"   // PID
	LimitOf    Op = "limit-of"   // PID: its limits or processors
	Processes  Op = "processes"  // list all there are
	Call       Op = "call"       // Name: of a system call
	Segment    Op = "segment"    // make System V shared memory
	Share      Op = "share"      // Name: get at System V or POSIX IPC, or a key, of others
	Namespace  Op = "namespace"  // become root of a user namespace
	Privilege  Op = "privilege"  // Name: have "capabilities" or gain rights by "executing"
	Type       Op = "type"       // into the terminal; Num is added to the request
	Allot      Op = "allot"      // Num: bytes of memory
	Fork       Op = "fork"       // Num: so many children at once
)

// Act is something that a command wants to do. Which fields matter depends on
// Op.
type Act struct {
	Op   Op
	Path string // absolute, or relative to Dir
	To   string
	Dir  string // the working directory; "" is the process's own
	// Swap is where Path may lead a moment later: whoever decides on the path
	// alone has not seen it.
	Swap string
	Net  string
	Addr string
	PID  int // who is acted upon
	Num  int64
	Sub  int64
	Name string
	// Child says that a child of the command acts, Relative that the path is
	// relative to a descriptor or to a directory that was changed into.
	Child, Relative bool
}

// Denied is the error of an act that the policy forbids. It is a permission
// error in the sense of errors.Is.
type Denied struct {
	Act       Act
	Guarantee guarantee.ID // what the act would have broken; "" where a leak denies too much
	Target    string       // where it would have led
}

func (d *Denied) Error() string {
	return fmt.Sprintf("%s %s: the policy keeps %s", d.Act.Op, d.Target, d.Guarantee)
}

// Unwrap makes it a permission error.
func (d *Denied) Unwrap() error { return fs.ErrPermission }

// violation is one way in which an act breaks the contract.
type violation struct {
	guarantee guarantee.ID
	target    string
	raw       string // the path as the act has it, "" where there is none
	place     place
}
