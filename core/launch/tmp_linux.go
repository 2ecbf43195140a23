// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// tmpDir is the directory for the temporary files of one sandbox. It is locked
// while the sandbox lives, so that whoever finds one without a lock may remove
// it: the number of a process means nothing to caissons in other containers,
// which may have the same home. The zero value is none.
type tmpDir struct {
	path string
	lock *os.File
}

// tmpDirs is where the directories are that plans of wrappers name {tmp}; one
// without namespaces names a place itself.
func tmpDirs(stateDir string) string {
	if stateDir == "" {
		return os.TempDir()
	}
	return filepath.Join(stateDir, "tmp")
}

// tmpPrefix begins the names of the directories, newPrefix those of the ones that
// are not locked yet.
const (
	tmpPrefix = "caisson-box-"
	newPrefix = "caisson-new-"
)

// newTime is how long one may take to be locked.
const newTime = time.Minute

// makeTmp makes the directory of one sandbox, and removes those of callers that
// are gone. It gets its name once it is locked, so that nobody takes it for one
// of those.
func makeTmp(base string) (d tmpDir, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("a directory for the sandbox: %w", err)
		}
	}()
	if err := os.MkdirAll(base, 0o700); err != nil {
		return d, err
	}
	collectTmp(base, nil)
	if base, err = filepath.EvalSymlinks(base); err != nil {
		return d, err
	}
	fresh, err := os.MkdirTemp(base, newPrefix+strconv.Itoa(os.Getpid())+"-") // mode 0700
	if err != nil {
		return d, err
	}
	if d.lock, err = lockDir(fresh, unix.LOCK_SH); err != nil {
		_ = os.Remove(fresh)
		return d, err
	}
	d.path = filepath.Join(base, tmpPrefix+strings.TrimPrefix(filepath.Base(fresh), newPrefix))
	if err := os.Rename(fresh, d.path); err != nil {
		d.lock.Close()
		_ = os.Remove(fresh)
		return tmpDir{}, err
	}
	return d, nil
}

// lockDir opens and locks a directory. It is EWOULDBLOCK if somebody has it.
func lockDir(path string, how int) (*os.File, error) {
	dir, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), how|unix.LOCK_NB); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// remove removes the directory.
func (d tmpDir) remove() {
	if d.path != "" {
		removeTmp(d.path)
		d.lock.Close()
	}
}

// collectTmp removes the directories of callers that are gone. Those of other
// users cannot be removed.
func collectTmp(base string, report func(diag.Diagnostic)) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tmpPrefix) && !overdue(e) {
			continue
		}
		dir := filepath.Join(base, e.Name())
		lock, err := lockDir(dir, unix.LOCK_EX)
		if info, gone := os.Lstat(dir); errors.Is(err, unix.EACCES) && gone == nil && info.IsDir() && os.Chmod(dir, 0o700) == nil { // a command closed it
			lock, err = lockDir(dir, unix.LOCK_EX)
		}
		if err != nil {
			continue
		}
		removeTmp(dir)
		lock.Close()
		said := "the directory " + diag.Quote(dir) + " of a sandbox that was killed was removed"
		if info, err := os.Lstat(dir); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
				continue
			}
			said = "the directory " + diag.Quote(dir) + " of a sandbox that was killed cannot be removed yet"
		}
		tell(report, leftover(said))
	}
}

// overdue says whether an entry is a directory that was to be locked long ago.
func overdue(e fs.DirEntry) bool {
	if !strings.HasPrefix(e.Name(), newPrefix) {
		return false
	}
	info, err := e.Info()
	return err == nil && time.Since(info.ModTime()) > newTime
}

// removeTmp removes a directory with what commands left in it, also where they
// took the caller's rights to its directories.
func removeTmp(dir string) {
	if os.RemoveAll(dir) == nil {
		return
	}
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(name, 0o700) // a directory, and nothing runs that could replace it
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}
