// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// DirLedgers are ledgers in a directory, one file a run, one entry a line.
// Alive tells whether the process of a run is still there; Exclude takes a lock
// that no other caisson of the user holds.
type DirLedgers struct {
	Dir     string
	Alive   func(run string) bool
	Exclude func() (release func() error, err error)
}

// isRun reports whether a text may be the name of a run.
func isRun(s string) bool {
	return s != "" && len(s) <= 80 && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyz-") == ""
}

func (d *DirLedgers) path(run string) string { return filepath.Join(d.Dir, run+".run") }

// Lock takes the lock.
func (d *DirLedgers) Lock() (func() error, error) { return d.Exclude() }

// Runs lists the ledgers.
func (d *DirLedgers) Runs() (live, dead []string, err error) {
	entries, err := os.ReadDir(d.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	for _, e := range entries {
		run, ok := strings.CutSuffix(e.Name(), ".run")
		switch {
		case !ok || !isRun(run):
		case d.Alive(run):
			live = append(live, run)
		default:
			dead = append(dead, run)
		}
	}
	return live, dead, err
}

// Read reads a ledger. A last line without end was being written when the
// machine or the process died: what it says had not been begun.
func (d *DirLedgers) Read(run string) ([]Entry, error) {
	text, err := os.ReadFile(d.path(run))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Entry
	for n := 1; ; n++ {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return list, nil
		}
		var e Entry
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&e); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", d.path(run), n, err)
		}
		list, text = append(list, e), rest
	}
}

// Append writes an entry so that it outlives a crash.
func (d *DirLedgers) Append(run string, e Entry) (err error) {
	if !isRun(run) {
		return fmt.Errorf("run %q", run)
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(d.path(run), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(append(line, '\n')); err != nil {
		return err
	}
	return f.Sync()
}

// Delete removes a ledger.
func (d *DirLedgers) Delete(run string) error {
	if err := os.Remove(d.path(run)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
