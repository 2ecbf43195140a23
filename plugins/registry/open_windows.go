// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// openProgram opens a file so that nobody can write to it, rename or remove it
// while it is open.
func openProgram(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ, windows.FILE_SHARE_READ, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// executable accepts every file: the name says what is one.
func executable(fs.FileInfo) bool { return true }

// lockFile waits until this open file alone has the lock. Its closing gives it
// back, the end of the process too.
func lockFile(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{})
}
