// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sandboxexec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Options are what a box needs beside the plan.
type Options struct {
	Program  string        // sandbox-exec, by its absolute path
	Stage    string        // the program that calls Stage at the start of main
	StateDir string        // caisson's state: run directories and quarantine
	Proxy    int           // port of the loopback at which a proxy listens, 0 for none
	Terminal string        // device of the caller's terminal, "" for none
	Patience time.Duration // how long a proof may take
	System   System        // what is known of processes
	Report   func(diag.Diagnostic)
}

// Box is what the commands of one sandbox share: a directory of caisson's state
// that holds the profile, and the temporary directory.
type Box struct {
	options Options
	profile plan.Seatbelt
	limits  plan.Limits
	dir     string   // of this run, in caisson's state
	tmp     string   // real path; "" where the caller has its own
	proof   string   // directory in which a write must succeed
	lock    *os.File // held while the box is open; says to others that it is
	watch   *watch

	mu      sync.Mutex
	closed  bool
	trees   []*tree
	started int            // how many commands were
	running sync.WaitGroup // commands that are not reaped
	stop    chan struct{}
	stopped chan struct{}
}

// Open makes a box and proves once that the profile of the plan can be applied
// and is in force. Nothing is left where it fails.
func Open(p *plan.Plan, o Options) (*Box, error) {
	b := &Box{options: o, stop: make(chan struct{}), stopped: make(chan struct{})}
	var temp *plan.TempDir
	for _, s := range p.Steps {
		switch st := s.(type) {
		case plan.Seatbelt:
			b.profile = st
		case plan.TempDir:
			temp = &st
		case plan.Limits:
			b.limits = st
		}
	}
	if b.profile.Profile == "" {
		return nil, diag.New(diag.PlanInvalid, "the plan has no profile for sandbox-exec", "")
	}
	if (b.profile.Network == "proxy") != (o.Proxy > 0 && o.Proxy <= 65535) {
		return nil, diag.New(diag.PlanInvalid, fmt.Sprintf("the plan's network is %q, and the proxy is at port %d", b.profile.Network, o.Proxy), "")
	}
	b.watch = newWatch(p, o, b.busy)
	if err := b.makeFiles(p, temp); err != nil {
		return nil, errors.Join(diag.New(diag.LaunchFailed, fmt.Sprintf("the sandbox could not be made: %v", err), ""), b.removeFiles())
	}
	if err := b.prove(); err != nil {
		return nil, errors.Join(err, b.removeFiles())
	}
	go b.follow()
	return b, nil
}

// makeFiles makes the directory of the run and the temporary directory.
func (b *Box) makeFiles(p *plan.Plan, temp *plan.TempDir) error {
	runs := filepath.Join(b.options.StateDir, "run")
	if err := os.MkdirAll(runs, 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(runs, "")
	if err != nil {
		return err
	}
	// The kernel knows the directory by its real path, and so must the proof.
	if b.dir, err = filepath.EvalSymlinks(dir); err != nil {
		b.dir = dir
		return err
	}
	// It gets its name once it is locked, or another caisson would take it for
	// one whose owner is gone.
	lock := filepath.Join(b.dir, lockName)
	if b.lock, err = os.OpenFile(lock+".new", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return err
	}
	if err := unix.Flock(int(b.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("lock %s: %w", b.dir, err)
	}
	if err := os.Rename(lock+".new", lock); err != nil {
		return err
	}
	if temp != nil {
		if err := os.MkdirAll(temp.Parent, 0o700); err != nil {
			return err
		}
		// Named in the run's directory before it is made, for who cleans up.
		name := filepath.Join(temp.Parent, filepath.Base(b.dir))
		if err := writeNew(filepath.Join(b.dir, tmpName), name); err != nil {
			return err
		}
		if err := os.Mkdir(name, 0o700); err != nil {
			return err
		}
		b.tmp = name
		if real, err := filepath.EvalSymlinks(name); err != nil || real != name {
			return fmt.Errorf("the temporary directory %s is %s, %v", name, real, err)
		}
	}
	b.proof = b.tmp
	for _, e := range p.Env {
		if e.Name == "TMPDIR" && b.tmp == "" {
			b.proof = e.Value
		}
	}
	if b.proof == "" {
		return errors.New("the plan names no directory for temporary files")
	}
	if err := b.watch.note(b.dir); err != nil {
		return err
	}
	return writeNew(b.profileFile(), b.profile.Profile)
}

const (
	lockName = "lock"
	tmpName  = "tmp"
)

func (b *Box) profileFile() string { return filepath.Join(b.dir, "profile.sb") }

// writeNew writes a file that must not be there, readable by the caller alone.
func writeNew(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// removeFiles removes what makeFiles made.
func (b *Box) removeFiles() error {
	var err error
	if b.tmp != "" {
		err = removeTree(b.tmp)
	}
	if b.dir != "" && err == nil { // else the next run finds it and tries again
		err = os.RemoveAll(b.dir)
	}
	if b.lock != nil {
		err = errors.Join(err, b.lock.Close())
	}
	if err != nil {
		return fmt.Errorf("remove the files of the sandbox: %w", err)
	}
	return nil
}

// removeTree removes a directory that commands could write, whatever modes they
// left. Nothing of them may be alive.
func removeTree(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			return os.Chmod(name, 0o700)
		}
		return nil
	})
	return errors.Join(err, os.RemoveAll(dir))
}

// Close ends everything in the box and removes what belongs to it.
func (b *Box) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	b.mu.Unlock()
	close(b.stop)
	<-b.stopped
	b.mu.Lock()
	trees := slices.Clone(b.trees) // none is forgotten from here on
	b.mu.Unlock()
	var err error
	for _, t := range trees {
		err = errors.Join(err, t.end())
	}
	b.running.Wait()
	b.watch.finish()
	return errors.Join(err, b.removeFiles())
}

// Collect ends and removes what boxes left whose owner was killed, and moves
// away what they planted.
func Collect(stateDir string, system System, report func(diag.Diagnostic)) error {
	runs := filepath.Join(stateDir, "run")
	entries, err := os.ReadDir(runs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		err = errors.Join(err, collect(stateDir, filepath.Join(runs, e.Name()), system, report))
	}
	return err
}

// collect removes one directory unless its owner lives, which its lock says.
// One without a lock is being made or removed.
func collect(state, dir string, system System, report func(diag.Diagnostic)) error {
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	defer lock.Close()
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	b := &Box{dir: dir}
	if err := leftTree("\x00"+b.mark(), system).end(); err != nil {
		return err
	}
	lookAfter(state, dir, report)
	if name, err := os.ReadFile(filepath.Join(dir, tmpName)); err == nil && filepath.Base(string(name)) == filepath.Base(dir) {
		b.tmp = string(name)
	}
	if err := b.removeFiles(); err != nil {
		return err
	}
	if report == nil {
		return nil
	}
	report(diag.Diagnostic{Code: diag.LeftoverRemoved, Message: "what a killed caisson left in " + diag.Quote(dir) + " was removed"})
	return nil
}
