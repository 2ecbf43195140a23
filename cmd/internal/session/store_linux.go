// SPDX-License-Identifier: Apache-2.0

package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// store is the directory of the sessions. What is in it is only reached through
// its descriptor.
type store struct {
	dir *os.File
}

const (
	lockEnd   = ".lock"
	socketEnd = ".sock"
)

// maxInfo bounds what is read of a session's file, in bytes.
const maxInfo = 64 << 10

// openStore opens the directory of the sessions below caisson's state, which
// nobody else can change, and makes it where it is not there.
func openStore(state string) (*store, error) {
	path := filepath.Join(state, "sessions")
	unsafe := func(why string) error {
		return diag.New(diag.SessionUnsafe, "the directory of the sessions, "+diag.Quote(path)+", cannot be used: "+why, "see whose it is, and remove it")
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, unsafe(err.Error())
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, unsafe(err.Error())
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, unsafe(err.Error())
	}
	s := &store{os.NewFile(uintptr(fd), path)}
	var st unix.Stat_t
	switch err := unix.Fstat(fd, &st); {
	case err != nil:
		s.close()
		return nil, unsafe(err.Error())
	case int(st.Uid) != os.Geteuid():
		s.close()
		return nil, unsafe("it belongs to another user")
	case st.Mode&0o077 != 0:
		s.close()
		return nil, unsafe("others have access to it")
	}
	if err := policy.Vouch(path); err != nil {
		s.close()
		return nil, unsafe(err.Error())
	}
	return s, nil
}

func (s *store) close() { s.dir.Close() }

// at gives a path of a file in the directory that leads through the descriptor,
// and is short enough for a socket whatever the directory is called.
func (s *store) at(name string) string { return fmt.Sprintf("/proc/self/fd/%d/%s", s.dir.Fd(), name) }

// lock opens the file of a session and locks it if nobody else has. It is nil where
// the session lives; the error is os.ErrNotExist where there is none, unless it is
// to be made.
func (s *store) lock(name string, create bool) (*os.File, error) {
	flags := unix.O_RDWR | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK
	if create {
		flags |= unix.O_CREAT
	}
	for {
		fd, err := unix.Openat(int(s.dir.Fd()), name+lockEnd, flags, 0o600)
		if err != nil {
			return nil, fmt.Errorf("the file of the session %s: %w", name, err)
		}
		f := os.NewFile(uintptr(fd), name+lockEnd)
		if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, nil
			}
			return nil, fmt.Errorf("lock the file of the session %s: %w", name, err)
		}
		if s.same(fd, name+lockEnd) {
			return f, nil
		}
		f.Close() // it was removed by its last holder meanwhile
	}
}

// same reports whether a descriptor is the file of that name.
func (s *store) same(fd int, name string) bool {
	var own, named unix.Stat_t
	return unix.Fstat(fd, &own) == nil && unix.Fstatat(int(s.dir.Fd()), name, &named, unix.AT_SYMLINK_NOFOLLOW) == nil &&
		own.Ino == named.Ino && own.Dev == named.Dev
}

// remove removes the files of a session whose lock is held by the caller.
func (s *store) remove(name string) {
	for _, end := range []string{socketEnd, lockEnd} {
		_ = unix.Unlinkat(int(s.dir.Fd()), name+end, 0) // the socket may not be there yet
	}
}

// read reads what a session says of itself.
func (s *store) read(name string) (Info, error) {
	fd, err := unix.Openat(int(s.dir.Fd()), name+lockEnd, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return Info{}, fmt.Errorf("the file of the session %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxInfo))
	if err != nil {
		return Info{}, fmt.Errorf("the file of the session %s: %w", name, err)
	}
	i := Info{}
	if len(text) > 0 { // it is being started otherwise
		err = json.Unmarshal(text, &i)
	}
	i.Name = name
	return i, err
}

// List lists the sessions that live, by name, and removes what killed ones left.
func List(state string) ([]Info, error) {
	s, err := openStore(state)
	if err != nil {
		return nil, err
	}
	defer s.close()
	names, err := s.dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list the sessions: %w", err)
	}
	slices.Sort(names)
	list := []Info{}
	for _, file := range names {
		name, ok := strings.CutSuffix(file, lockEnd)
		if !ok || CheckName(name) != nil {
			continue
		}
		lock, err := s.lock(name, false)
		switch {
		case err != nil:
			continue // it ended just now
		case lock != nil:
			s.remove(name)
			lock.Close()
			continue
		}
		i, err := s.read(name)
		if err == nil && i.Pid != 0 {
			list = append(list, i)
		}
	}
	return list, nil
}
