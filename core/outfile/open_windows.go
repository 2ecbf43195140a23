// SPDX-License-Identifier: Apache-2.0

package outfile

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// Open opens a file below the real directory that its path leads to now, if check
// accepts the real path and the links on the way. It is made where it is missing.
// Flags are os.O_WRONLY or os.O_RDWR, and O_APPEND.
func Open(path string, flags int, check func(real string, links []string) error) (*os.File, error) {
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
	return os.OpenFile(path, flags|os.O_CREATE, 0o600)
}
