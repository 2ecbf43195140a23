// SPDX-License-Identifier: Apache-2.0

//go:build unix

package outfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// Open opens a file below the real directory that its path leads to now, if check
// accepts the real path and the links on the way. It is made where it is missing,
// for its owner alone. The last name is not followed if it is a link, and nothing
// but a regular file is opened. Flags are os.O_WRONLY or os.O_RDWR, and O_APPEND.
func Open(path string, flags int, check func(real string, links []string) error) (*os.File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dir, links := policy.FollowLinks(policy.OSHost(), filepath.Dir(path))
	fd, err := openReal(dir)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	name := filepath.Base(path)
	if err := check(filepath.Join(dir, name), links); err != nil {
		return nil, err
	}
	// O_NONBLOCK keeps a fifo from holding up the start.
	file, err := unix.Openat(fd, name, flags|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o600)
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, errors.New("it is a symbolic link")
	case errors.Is(err, unix.ENXIO):
		return nil, errors.New("it is no regular file")
	case err != nil:
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(file, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(file)
		return nil, errors.New("it is no regular file")
	}
	return os.NewFile(uintptr(file), path), nil
}

// openReal opens a directory name by name, so that none of them can have
// become a link since it was resolved.
func openReal(dir string) (int, error) {
	fd, err := unix.Open("/", searchFlags, 0)
	if err != nil {
		return -1, err
	}
	for name := range strings.SplitSeq(dir, "/") {
		if name == "" {
			continue
		}
		next, err := unix.Openat(fd, name, searchFlags|unix.O_NOFOLLOW, 0)
		unix.Close(fd)
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}
