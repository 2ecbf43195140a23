// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// isInherited is false: descriptor numbers are a matter of unix.
func isInherited(int) bool { return false }

// openResultFile opens a file for writing below the real directory that its
// path leads to now, if check accepts the real path and the links on the way.
func openResultFile(path string, check func(real string, links []string) error) (*os.File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dir, links := policy.FollowLinks(policy.OSHost(), filepath.Dir(path))
	path = filepath.Join(dir, filepath.Base(path))
	if err := check(path, links); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
}

func isTerminal(f *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil
}
