// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockTimeout bounds the wait for the journal's lock. Holders need a few
// milliseconds, unless they are stopped meanwhile; a thousand may be before.
const lockTimeout = time.Minute

// lockMode lets the owner open for writing and nobody for reading: see the
// package comment.
const lockMode = 0o200

// Dir is the open journal. It is for one goroutine at a time.
type Dir struct {
	file   *os.File
	lock   int      // descriptor of the lock file
	spares []string // as List saw them, while the journal is locked
}

// Open opens the journal of a state directory and makes what is missing.
func Open(stateDir string) (*Dir, error) {
	if !filepath.IsAbs(stateDir) {
		return nil, fmt.Errorf("state directory %q is not absolute", stateDir)
	}
	if err := os.MkdirAll(filepath.Join(stateDir, "journal"), 0o700); err != nil {
		return nil, err
	}
	return open(stateDir)
}

// OpenExisting is Open for a journal that must be there: it makes nothing, and
// without a journal the error is fs.ErrNotExist.
func OpenExisting(stateDir string) (*Dir, error) { return open(stateDir) }

func open(stateDir string) (*Dir, error) {
	name := filepath.Join(stateDir, "journal")
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, fmt.Errorf("look at %s: %w", name, err)
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		f.Close()
		return nil, fmt.Errorf("%s is not owned by the caller or is writable by others", name)
	}
	lock, err := unix.Openat(int(f.Fd()), lockName, unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, lockMode)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open %s/%s: %w", name, lockName, err)
	}
	return &Dir{file: f, lock: lock}, nil
}

// FD is the descriptor of the directory, LockFD that of its lock file. Both
// are closed by Close.
func (d *Dir) FD() int     { return int(d.file.Fd()) }
func (d *Dir) LockFD() int { return d.lock }

// Lock takes the lock that orders the making and removing of placeholders. It
// fails if another process does not give it back within lockTimeout.
func (d *Dir) Lock() error {
	begin := time.Now()
	most := 5 * time.Millisecond
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, most) {
		err := unix.Flock(d.lock, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case err != unix.EWOULDBLOCK && err != unix.EINTR:
			return fmt.Errorf("lock %s: %w", d.file.Name(), err)
		case time.Since(begin) > lockTimeout:
			return fmt.Errorf("%s is locked by another caisson for %v", d.file.Name(), lockTimeout)
		case time.Since(begin) > time.Second: // many want it, and asking takes time of theirs
			most = 20 * time.Millisecond
		}
		time.Sleep(pause)
	}
}

// Unlock gives the lock back. Closing would not do it while another process
// has the same open lock file.
func (d *Dir) Unlock() {
	d.spares = nil
	_ = unix.Flock(d.lock, unix.LOCK_UN)
}

// Close closes both descriptors.
func (d *Dir) Close() {
	unix.Close(d.lock)
	d.file.Close()
}

// StateDir is the directory of caisson's state that the journal is in.
func (d *Dir) StateDir() string { return filepath.Dir(d.file.Name()) }

// List returns the names in the journal but those of the lock and of spares.
func (d *Dir) List() ([]string, error) {
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	names, err := d.file.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", d.file.Name(), err)
	}
	d.spares = nil
	rest := names[:0]
	for _, n := range names {
		switch {
		case n == lockName:
		case strings.HasPrefix(n, sparePrefix):
			d.spares = append(d.spares, n)
		default:
			rest = append(rest, n)
		}
	}
	return rest, nil
}

// Begin writes the pending record and takes a share of its lock. The journal
// must be locked. The caller makes the placeholder, then calls Settle.
func (d *Dir) Begin(r Record) (fd int, err error) {
	return d.write(Pending, r.Encode())
}

// write makes a record and takes a share of its lock.
func (d *Dir) write(name string, text []byte) (fd int, err error) {
	if fd = d.reuse(name, text); fd >= 0 {
		return fd, nil
	}
	fd, err = unix.Openat(d.FD(), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, lockMode)
	if err != nil {
		return -1, fmt.Errorf("make a record: %w", err)
	}
	n, err := unix.Write(fd, text)
	if err == nil && n < len(text) {
		err = unix.ENOSPC
	}
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB)
	}
	if err != nil {
		unix.Close(fd)
		d.Drop(name)
		return -1, fmt.Errorf("write a record: %w", err)
	}
	return fd, nil
}

// Settle gives the pending record the identity of the placeholder made.
func (d *Dir) Settle(i Identity) error {
	if err := unix.Renameat(d.FD(), Pending, d.FD(), i.Name()); err != nil {
		return fmt.Errorf("name a record: %w", err)
	}
	return nil
}

// Share takes a share of the lock of an existing record. Without a record of
// this identity the error is fs.ErrNotExist. The journal must be locked.
func (d *Dir) Share(i Identity) (fd int, err error) {
	fd, err = unix.Openat(d.FD(), i.Name(), unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, fmt.Errorf("open a record: %w", err)
	}
	if err := unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("lock a record: %w", err)
	}
	return fd, nil
}

// Dead reads a record that no sandbox holds; made is when it was written. It
// returns false while one does. The journal must be locked.
func (d *Dir) Dead(name string) (r Record, made unix.StatxTimestamp, dead bool, err error) {
	text, made, dead, err := d.readDead(name, maxRecord)
	if err != nil || !dead {
		return r, made, dead, err
	}
	r, err = Decode(text)
	return r, made, true, err
}

// DeadWatched is Dead for a record of watched names; written is when it was
// written to last.
func (d *Dir) DeadWatched(name string) (w Watched, written time.Time, dead bool, err error) {
	text, at, dead, err := d.readDead(name, maxWatched)
	if err != nil || !dead {
		return w, written, dead, err
	}
	w, err = DecodeWatched(text)
	return w, time.Unix(at.Sec, int64(at.Nsec)), true, err
}

// Held counts the records that sandboxes hold. The journal must be locked.
func (d *Dir) Held() (n int, err error) {
	names, err := d.List()
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if _, ours := ParseName(name); !ours && !IsWatched(name) && name != Pending {
			continue
		}
		if _, _, dead, err := d.readDead(name, maxWatched); err == nil && !dead {
			n++
		}
	}
	return n, nil
}

func (d *Dir) readDead(name string, limit uint64) (text []byte, written unix.StatxTimestamp, dead bool, err error) {
	fd, err := unix.Openat(d.FD(), name, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, written, false, fmt.Errorf("open: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err == unix.EWOULDBLOCK {
		return nil, written, false, nil
	} else if err != nil {
		return nil, written, false, fmt.Errorf("lock: %w", err)
	}
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st); err != nil {
		return nil, written, false, fmt.Errorf("look: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > limit {
		return nil, written, false, errors.New("not a record")
	}
	if err := unix.Fchmod(fd, lockMode|0o400); err != nil {
		return nil, written, false, fmt.Errorf("make readable: %w", err)
	}
	defer func() { _ = unix.Fchmod(fd, lockMode) }() // it may be kept, and shared
	text, err = os.ReadFile(filepath.Join(d.file.Name(), name))
	return text, st.Mtime, err == nil, err
}

// BeginWatched writes a record of watched names and takes a share of its lock.
// The journal must be locked.
func (d *Dir) BeginWatched(w Watched) (fd int, name string, err error) {
	text := w.Encode()
	if len(text) > maxWatched {
		return -1, "", errors.New("there are too many names to watch")
	}
	name = watchedPrefix + rand.Text()
	fd, err = d.write(name, text)
	return fd, name, err
}

// Drop removes a record.
func (d *Dir) Drop(name string) { _ = unix.Unlinkat(d.FD(), name, 0) }

// Has says whether a record of this identity exists.
func (d *Dir) Has(i Identity) bool {
	var st unix.Stat_t
	return unix.Fstatat(d.FD(), i.Name(), &st, unix.AT_SYMLINK_NOFOLLOW) == nil
}

// Look returns the identity and the metadata of a name in a directory,
// without following a link.
func Look(dirfd int, name string) (Identity, unix.Statx_t, error) {
	var st unix.Statx_t
	err := unix.Statx(dirfd, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	if err != nil {
		return Identity{}, st, err
	}
	i := Identity{Dev: unix.Mkdev(st.Dev_major, st.Dev_minor), Ino: st.Ino}
	if st.Mask&unix.STATX_BTIME != 0 {
		i.Born = st.Btime.Sec*int64(time.Second) + int64(st.Btime.Nsec)
	}
	return i, st, nil
}

// IsPlaceholder says whether a path is a placeholder of some sandbox, which a
// policy must take for absent. It makes and locks nothing.
func IsPlaceholder(stateDir, path string) bool {
	i, _, err := Look(unix.AT_FDCWD, path)
	if err != nil {
		return false
	}
	var st unix.Stat_t
	return unix.Lstat(filepath.Join(stateDir, "journal", i.Name()), &st) == nil
}
