// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sandboxexec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// quarantine is where the names of one sandbox are moved to.
type quarantine struct {
	state string // caisson's state
	store string // the sandbox's directory, "" before the first name
	moved int    // how many names were moved
}

// act moves away what has a name, and says what was done and how it is undone.
// It is nil where nothing has the name any more.
func (q *quarantine) act(name, when string) *diag.Diagnostic {
	d := &diag.Diagnostic{Code: diag.Quarantined}
	to, err := q.move(name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		d.Message = fmt.Sprintf("%s appeared %s, may run code outside the sandbox and could not be moved away: %v", diag.Quote(name), when, err)
		d.Remedy = "look at it before any tool does, or remove it: rm -r -- " + diag.Quote(name)
	default:
		d.Message = fmt.Sprintf("%s appeared %s and may run code outside the sandbox; it was moved to %s", diag.Quote(name), when, diag.Quote(to))
		d.Remedy = "if it is wanted: mv -n -- " + diag.Quote(to) + " " + diag.Quote(name)
	}
	return d
}

// move moves a path to the quarantine or, where that is on another volume, to a
// name beside it that no tool reads. Neither the name nor a directory above it
// may be a link: a command could have made it to have something of the user's
// moved.
func (q *quarantine) move(name string) (string, error) {
	parent, err := openDirectory(filepath.Dir(name))
	if err != nil {
		return "", err
	}
	defer unix.Close(parent)
	if err := q.makeStore(); err != nil {
		return "", err
	}
	store, err := openDirectory(q.store)
	if err != nil {
		return "", err
	}
	defer unix.Close(store)
	q.moved++
	label := strconv.Itoa(q.moved) + "-" + filepath.Base(name)
	to := filepath.Join(q.store, label)
	err = renameNew(parent, filepath.Base(name), store, label)
	if errors.Is(err, unix.EXDEV) {
		label = ".caisson-quarantine-" + filepath.Base(q.store) + "-" + label
		to = filepath.Join(filepath.Dir(name), label)
		err = renameNew(parent, filepath.Base(name), parent, label)
	}
	if err != nil {
		return "", fmt.Errorf("move %s: %w", name, err)
	}
	return to, nil
}

// makeStore makes the directory of this sandbox in the quarantine, once.
func (q *quarantine) makeStore() error {
	if q.store != "" {
		return nil
	}
	all := filepath.Join(q.state, "quarantine")
	if err := os.MkdirAll(all, 0o700); err != nil {
		return err
	}
	all, err := filepath.EvalSymlinks(all)
	if err != nil {
		return err
	}
	store, err := os.MkdirTemp(all, time.Now().UTC().Format("20060102T150405Z-"))
	if err == nil {
		q.store = store
	}
	return err
}

// openDirectory opens a directory by its real path, following no link.
func openDirectory(dir string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Open("/", flags, 0)
	for _, name := range strings.Split(dir, "/") {
		if err != nil {
			break
		}
		if name == "" {
			continue
		}
		above := fd
		fd, err = unix.Openat(above, name, flags, 0)
		unix.Close(above)
	}
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", dir, err)
	}
	return fd, nil
}
