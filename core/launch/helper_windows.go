// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// helperProcess is a helper that runs. It learns of this process's end by the
// end of its pipe, ends the commands and undoes what it did; that is why it is
// in no job that would end it too. If it is ended itself, the job that it holds
// ends the commands.
type helperProcess struct {
	in      *os.File // what it reads
	out     *os.File // what it writes
	process windows.Handle
	once    sync.Once
	err     error
}

// helperPath finds the helper beside this program, and nowhere else.
func helperPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), helperName)
	if _, err := os.Stat(path); err != nil {
		return "", diag.New(diag.ModeUnsupported, fmt.Sprintf("the helper %s is missing: %v", diag.Quote(path), errors.Unwrap(err)), "install caisson as a whole")
	}
	return path, nil
}

// startHelper starts the helper in a role. It inherits three handles, of which
// the third is this process's standard error.
func startHelper(role string) (_ *helperProcess, err error) {
	path, err := helperPath()
	if err != nil {
		return nil, err
	}
	h := &helperProcess{}
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, ourOut.Close())
	}
	defer theirOut.Close()
	h.in, h.out = ourOut, ourIn
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	_, handle, err := syscall.StartProcess(path, []string{path, role}, &syscall.ProcAttr{
		Files: []uintptr{theirIn.Fd(), theirOut.Fd(), os.Stderr.Fd()},
		Env:   os.Environ(),
		Sys:   &syscall.SysProcAttr{HideWindow: true},
	})
	if err != nil {
		return nil, diag.New(diag.LaunchFailed, fmt.Sprintf("the helper %s cannot be started: %v", diag.Quote(path), err), "")
	}
	h.process = windows.Handle(handle)
	return h, nil
}

// give puts a duplicate of a handle into the helper and returns its number there.
func (h *helperProcess) give(ours windows.Handle) (uint64, error) {
	var theirs windows.Handle
	err := windows.DuplicateHandle(windows.CurrentProcess(), ours, h.process, &theirs, 0, false, windows.DUPLICATE_SAME_ACCESS)
	return uint64(theirs), err
}

// ask sends a text to a helper that answers with one and ends.
func (h *helperProcess) ask(text string) (answer string, err error) {
	defer func() { err = errors.Join(err, h.close()) }()
	if _, err := h.in.WriteString(text); err != nil {
		return "", err
	}
	if err := h.in.Close(); err != nil {
		return "", err
	}
	const most = 1 << 20
	got, err := io.ReadAll(io.LimitReader(h.out, most))
	return string(got), err
}

// kill ends the helper at once; with it goes what it started.
func (h *helperProcess) kill() { _ = windows.TerminateProcess(h.process, 1) }

// close waits until the helper has ended, which the end of its pipe brings
// about, and kills it if it does not.
func (h *helperProcess) close() error {
	h.once.Do(func() {
		_ = h.in.Close() // closed already where it was asked something
		if h.process != 0 {
			const patience = 30_000 // milliseconds
			if event, err := windows.WaitForSingleObject(h.process, patience); err != nil || event != windows.WAIT_OBJECT_0 {
				h.kill()
				h.err = errors.Join(err, diag.New(diag.LaunchFailed, "the helper did not end", "run caisson gc, which undoes what it left"))
			}
			h.err = errors.Join(h.err, windows.CloseHandle(h.process))
		}
		h.err = errors.Join(h.err, h.out.Close())
	})
	return h.err
}
