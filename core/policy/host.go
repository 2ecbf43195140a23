// SPDX-License-Identifier: Apache-2.0

package policy

import "github.com/caisson-sandbox/caisson/core/pathspec"

// Host is all that resolving a policy may look at. OSHost is the machine that
// this process runs on; tests and plans for another system have their own.
// A Host is used by one goroutine at a time.
//
// Paths given to a Host are absolute and cleaned by the rules of its OS.
// Errors about something that does not exist match fs.ErrNotExist.
type Host interface {
	// OS is the system whose path rules apply.
	OS() pathspec.OS
	// Homes returns the home directories of the caller, that of the user
	// database first, then $HOME where it differs.
	Homes() []string
	// Getenv returns the value of an environment variable, or "".
	Getenv(name string) string
	// Getwd returns the current directory.
	Getwd() (string, error)
	// Privileged reports whether the caller reads files whatever their modes.
	Privileged() bool
	// Lstat describes what is at path, without following a link there.
	Lstat(path string) (FileInfo, error)
	// Readlink returns the text of the symbolic link at path.
	Readlink(path string) (string, error)
	// ReadDir returns the names in a directory, in any order. It fails where
	// there are more than limit.
	ReadDir(path string, limit int) ([]string, error)
	// ReadFile returns the content of a regular file of at most limit bytes.
	// It fails for anything else and never blocks.
	ReadFile(path string, limit int) ([]byte, error)
	// CanWrite reports whether the user that commands run as may write what
	// is at path. For a caller with privileges this is the caller's user
	// without them.
	CanWrite(path string) bool
	// CanRead reports likewise whether that user may read what is at path.
	CanRead(path string) bool
	// OwnDirs returns where caisson keeps what belongs to it.
	OwnDirs() OwnDirs
}

// OwnDirs are the places of caisson's own files. They need not exist.
type OwnDirs struct {
	State      string   // journal, trust, caches; hidden inside
	Config     string   // the user's policy
	Other      []string // system policy and plugins
	Executable string   // the running program; empty where it is not known
	Plugins    string   // the user's own backends, a directory inside one of Other or State
}

// FileInfo describes one file. Kind is KindDir, KindFile, KindSymlink or
// KindOther. Dev and Ino together name the file on its host; they are 0 where
// the system has no such numbers.
type FileInfo struct {
	Kind Kind
	Dev  uint64
	Ino  uint64
	// Name is the last name of the path as the directory spells it, where the
	// system accepts other spellings; empty where it is the name asked for.
	Name string
}
