// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// textDisk is a fakeDisk that is kept in a file: each change is written whole
// before the call returns, so that a process can be killed at any moment.
type textDisk struct {
	*fakeDisk
	file string
	log  []change
}

// change is one call that changed the disk.
type change struct {
	Call, Path, ID, ACE, Kind, Content string
}

// openTextDisk makes the disk as it was when the last process ended.
func openTextDisk(file string) (*textDisk, error) {
	d := &textDisk{fakeDisk: newFakeDisk(), file: file}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &d.log); err != nil {
		return nil, err
	}
	for _, c := range d.log {
		if err := d.apply(c); err != nil {
			return nil, fmt.Errorf("%+v: %w", c, err)
		}
	}
	return d, nil
}

func (d *textDisk) apply(c change) (err error) {
	switch c.Call {
	case "add":
		err = d.fakeDisk.AddACE(c.Path, c.ID, c.ACE)
	case "take":
		err = d.fakeDisk.RemoveACE(c.Path, c.ID, c.ACE)
	case "make":
		_, err = d.fakeDisk.Make(c.Path, c.Kind, c.Content)
	case "remove":
		err = d.fakeDisk.Remove(c.Path, c.ID, c.Kind, c.Content)
	case "tree":
		err = d.fakeDisk.RemoveTree(c.Path, c.ID)
	}
	return err
}

// commit makes a change and writes it down.
func (d *textDisk) commit(c change) error {
	if err := d.apply(c); err != nil {
		return err
	}
	d.log = append(d.log, c)
	text, err := json.Marshal(d.log)
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(d.file+".new", d.file)
}

func (d *textDisk) AddACE(path, id, ace string) error {
	return d.commit(change{Call: "add", Path: path, ID: id, ACE: ace})
}
func (d *textDisk) RemoveACE(path, id, ace string) error {
	return d.commit(change{Call: "take", Path: path, ID: id, ACE: ace})
}
func (d *textDisk) Make(path, kind, content string) (string, error) {
	err := d.commit(change{Call: "make", Path: path, Kind: kind, Content: content})
	id, _ := d.Identify(path)
	return id, err
}
func (d *textDisk) Remove(path, id, kind, content string) error {
	return d.commit(change{Call: "remove", Path: path, ID: id, Kind: kind, Content: content})
}
func (d *textDisk) RemoveTree(path, id string) error {
	return d.commit(change{Call: "tree", Path: path, ID: id})
}

func killLedgers(dir string) *DirLedgers {
	return &DirLedgers{Dir: dir, Alive: func(string) bool { return false }, Exclude: func() (func() error, error) { return func() error { return nil }, nil }}
}

// TestMain makes this program a helper that opens and closes sessions on a disk
// of text until it is killed.
func TestMain(m *testing.M) {
	dir := os.Getenv("CAISSON_TEST_KILL")
	if dir == "" {
		os.Exit(m.Run())
	}
	for i := 0; ; i++ {
		d, err := openTextDisk(filepath.Join(dir, "disk"))
		if err == nil {
			var s *Session
			s, err = OpenSession(d, killLedgers(filepath.Join(dir, "runs")), fmt.Sprintf("r%d-%d", os.Getpid(), i), sessionPlan(), bindTo("S-1-5-21-1"))
			if err == nil {
				err = s.Close()
			}
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// TestKilled kills a process at 50 random moments while it opens and closes
// sessions. What it left is undone by the next one, and nothing is left at the
// end.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "kill")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(51, 52))
	recovered := 0
	for n := range 50 {
		p, err := os.StartProcess(self, []string{self}, &os.ProcAttr{Env: append(os.Environ(), "CAISSON_TEST_KILL="+dir), Files: []*os.File{nil, os.Stdout, os.Stderr}})
		if err != nil {
			t.Fatal(err)
		}
		for range 500 { // until it works
			if _, err := os.Stat(filepath.Join(dir, "disk")); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Duration(random.IntN(60_000)) * time.Microsecond)
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		if state, err := p.Wait(); err != nil || runtime.GOOS != "windows" && state.Exited() {
			t.Fatalf("%d: it ended by itself: %v, %v", n, state, err)
		}
		d, err := openTextDisk(filepath.Join(dir, "disk"))
		if err != nil {
			t.Fatal(err)
		}
		dead, err := Recover(d, killLedgers(filepath.Join(dir, "runs")))
		if err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		recovered += dead
		if got, want := d.state(), newFakeDisk().state(); got != want {
			t.Fatalf("%d: left\n%s\nbefore\n%s", n, got, want)
		}
		if err := os.Remove(filepath.Join(dir, "disk")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if recovered < 10 {
		t.Errorf("only %d of 50 processes left something: they were killed at other moments", recovered)
	}
}
