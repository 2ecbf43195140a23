// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// isInherited is false: descriptor numbers are a matter of unix. A number of a
// handle means something in one process alone, and what inherits it is not said
// by the shell.
func isInherited(int) bool { return false }

// notInherited says what to do instead.
func notInherited(n int) error {
	return diag.New(diag.DescriptorDenied, fmt.Sprintf("--fd %d: Windows passes on no descriptors by their number, only the three standard streams", n),
		"pass what the command needs by its standard input, or as a file in the workspace")
}

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
