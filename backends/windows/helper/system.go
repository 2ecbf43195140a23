// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// ErrAbsent says that an account, group or file does not exist.
var ErrAbsent = errors.New("it does not exist")

// Account is what the system says of a local account.
type Account struct {
	SID      string
	Comment  string
	Disabled bool
	Locked   bool
}

// Reached is what came of trying the network as an account.
type Reached struct {
	Port bool // the port that the filters leave
	More bool // anything that they are to stop
}

// Filter is one filter of the network as it is read back.
type Filter struct {
	Layer string
	Block bool
	SID   string   // whom it is for
	If    []string // the conditions but for the user, as plans have them
}

// System is what setup and teardown change: local accounts, filters of the
// network, files of caisson's own, access lists, and a log. An error that
// matches ErrAbsent says that the thing is not there. It is used by one
// goroutine at a time. A test has a fake one that records every call.
type System interface {
	// Group returns the comment of a local group.
	Group(name string) (comment string, err error)
	AddGroup(name, comment string) error
	DeleteGroup(name string) error

	Account(name string) (Account, error)
	// AddAccount makes a local account, disabled, with a password that does
	// not expire and that the account cannot change.
	AddAccount(name, comment, password string) error
	SetPassword(name, password string) error
	// PasswordIs reports whether an account that is enabled has a password, by
	// logging on with it. Of a disabled one it says no.
	PasswordIs(name, password string) (bool, error)
	EnableAccount(name string, enabled bool) error
	DeleteAccount(name string) error
	// AddMember adds to a group: one of ours by name, or one of the system by SID.
	AddMember(group, sid string) error
	IsMember(group, sid string) (bool, error)
	AddRights(sid string, rights []string) error
	Rights(sid string) ([]string, error)
	RemoveRights(sid string) error
	// HideAccount keeps an account off the list of the sign-in screen.
	HideAccount(name string, hidden bool) error
	IsHidden(name string) (bool, error)
	DeleteProfile(sid string) error
	// EndProcesses ends every process that runs as the account.
	EndProcesses(sid string) error

	// AddFilters makes all filters of an account, with its port, in one
	// transaction.
	AddFilters(install, account, sid string, filters []plan.WindowsFilter) error
	Filters(install, account string) ([]Filter, error)
	DeleteFilters(install, account string) error
	// Connects tries, as an account that is enabled, what its filters are to
	// stop: connecting, sending and listening on the loopback; and to connect to
	// the port that they leave, 0 where they leave none.
	Connects(install, account, password string, port int) (Reached, error)

	// MakeDir makes a directory of caisson's own with an access list, or gives
	// one that is there that list. It refuses what is reached over a link.
	MakeDir(path, sddl string) error
	// CopyProgram copies a program into a directory of caisson's own, if it has
	// the hash, and the copy has.
	CopyProgram(from, to, sha256 string) error
	Hash(path string) (string, error)
	Remove(path string) error

	// AddACE and RemoveACE change the access list of a path that is opened once,
	// without following links, for the look and the change. AddACE says whether
	// the entry was not there before.
	AddACE(path, ace string) (added bool, err error)
	HasACE(path, ace string) (bool, error)
	RemoveACE(path, ace string) error

	// Log returns the entries of the setup log; AppendLog writes one so that it
	// outlives a crash.
	Log(install string) ([]LogEntry, error)
	AppendLog(install string, e LogEntry) error
	DeleteLog(install string) error
}

// LogEntry is one line of the setup log. A change is begun before anything of
// it is done; Detail of a done one is what undoing it needs, such as the SID of
// an account.
type LogEntry struct {
	State  string `json:"state"` // "begun", "done", "undone", "complete"
	Change Change `json:"change"`
	Detail string `json:"detail,omitempty"`
}
