// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
	"github.com/caisson-sandbox/caisson/core/diag"
)

// Pools says how many accounts each pool is to have.
type Pools struct{ Offline, Online, Proxy int }

// NewRequest makes the request of a setup for the calling user: anew, or with
// the name of the install that is there. Passwords are drawn here, by the user,
// and sealed in the state directory so that only the user can read them; the
// elevated part gets them to set them. Those that are sealed already stay: a
// sandbox may be using one.
func NewRequest(state string, pools Pools, reads []string) (Request, error) {
	self, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return Request{}, fmt.Errorf("find out who runs this: %w", err)
	}
	dir, err := installed.Dir()
	if err != nil {
		return Request{}, err
	}
	o := Options{Owner: self.User.Sid.String(), Offline: pools.Offline, Online: pools.Online, Proxy: pools.Proxy, Reads: reads}
	if have, ok, err := Found(o.Owner); err != nil {
		return Request{}, err
	} else if ok {
		o.Install = have.Install
	} else {
		random := make([]byte, 4)
		if _, err := rand.Read(random); err != nil {
			return Request{}, err
		}
		o.Install = hex.EncodeToString(random)[:7]
	}
	o.Dir = filepath.Join(dir, o.Install)
	caller, err := os.Executable()
	if err != nil {
		return Request{}, err
	}
	o.Program = filepath.Join(filepath.Dir(caller), "caisson-winhelper.exe")
	text, err := os.ReadFile(o.Program)
	if err != nil {
		return Request{}, diag.New(diag.UsageInvalid, "the helper is missing: "+err.Error(), "install caisson as a whole")
	}
	sum := sha256.Sum256(text)
	o.Hash = hex.EncodeToString(sum[:])
	r := Request{Version: Version, Setup: o, Digest: Digest(o.Changes()), Passwords: map[string]string{}}
	for _, n := range o.AccountNames() {
		if plain, err := sealed(state, o.Install, n); err == nil {
			r.Passwords[n] = plain
		} else if r.Passwords[n], err = password(); err != nil {
			return Request{}, err
		}
	}
	return r, r.Check()
}

// password draws one of 256 bits. The end gives it every class of characters
// that a policy may ask for.
func password() (string, error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return hex.EncodeToString(b) + "-Aa1", nil
}

// Seal keeps the passwords of a request for the user's later runs.
func (r Request) Seal(state string) error {
	dir := filepath.Join(state, "windows")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, plain := range r.Passwords {
		sealed, err := winapi.Seal([]byte(plain), []byte(r.Setup.Install))
		if err != nil {
			return err
		}
		// Whole or not at all: half of one would be a password that nobody has.
		fresh := filepath.Join(dir, name+".sealed.new")
		if err := os.WriteFile(fresh, sealed, 0o600); err != nil {
			return err
		}
		if err := os.Rename(fresh, sealedFile(state, name)); err != nil {
			return err
		}
	}
	return nil
}

func sealedFile(state, name string) string { return filepath.Join(state, "windows", name+".sealed") }

// sealed gives the password that is kept for an account.
func sealed(state, install, name string) (string, error) {
	text, err := os.ReadFile(sealedFile(state, name))
	if err != nil {
		return "", fmt.Errorf("the sealed password of %s cannot be read: %w", name, err)
	}
	plain, err := winapi.Unseal(text, []byte(install))
	return string(plain), err
}

// Forget removes what the user's state has of the accounts of a setup: sealed
// passwords and locks.
func (o Options) Forget(state string) error {
	files, err := filepath.Glob(filepath.Join(state, "windows", o.GroupName()+"-*"))
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}

// Found gives the options of the setup that a user has.
func Found(owner string) (Options, bool, error) {
	dir, err := installed.Dir()
	if err != nil {
		return Options{}, false, err
	}
	logs, err := filepath.Glob(filepath.Join(dir, "setup-*.log"))
	if err != nil {
		return Options{}, false, err
	}
	for _, path := range logs {
		install := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "setup-"), ".log")
		log, err := Machine{}.Log(install)
		if err != nil {
			return Options{}, false, err
		}
		if o, err := Recorded(log); err == nil && o.Owner == owner && o.Install == install {
			return o, true, nil
		}
	}
	return Options{}, false, nil
}

// Ask has the elevated part do something. The system asks the user first where
// this process is not elevated itself. say gets each line that the part writes.
func Ask(role string, r Request, say func(string)) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if windows.GetCurrentProcessToken().IsElevated() {
		return askDirectly(role, r.Setup.Program, text, say)
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	name := `\\.\pipe\caisson-setup-` + hex.EncodeToString(random)
	pipe, err := listenPipe(name, r.Setup.Owner)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(pipe), name)
	defer f.Close()
	process, err := winapi.Elevate(r.Setup.Program, role+" "+name)
	if errors.Is(err, windows.ERROR_CANCELLED) {
		return diag.New(diag.UsageInvalid, "the rights of an administrator were refused", "agree when the system asks, or run caisson setup as an administrator")
	}
	if err != nil {
		return err
	}
	defer windows.CloseHandle(process)
	if err := windows.ConnectNamedPipe(pipe, nil); err != nil && !errors.Is(err, windows.ERROR_PIPE_CONNECTED) {
		return fmt.Errorf("wait for the elevated helper: %w", err)
	}
	// Whoever else connected does not get the passwords.
	var client uint32
	if err := windows.GetNamedPipeClientProcessId(pipe, &client); err != nil {
		return err
	}
	if want, err := windows.GetProcessId(process); err != nil || client != want {
		return errors.Join(err, errors.New("another process than the elevated helper asks for the request"))
	}
	if _, err := f.Write(append(text, '\n')); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(f, maxRequest))
	if err != nil && !errors.Is(err, windows.ERROR_BROKEN_PIPE) {
		return err
	}
	return finish(process, string(answer), say)
}

// finish passes the lines of the helper on, and its status.
func finish(process windows.Handle, answer string, say func(string)) error {
	var last string
	for line := range strings.Lines(answer) {
		last = strings.TrimSpace(line)
		say(last)
	}
	if _, err := windows.WaitForSingleObject(process, windows.INFINITE); err != nil {
		return err
	}
	var code uint32
	if err := windows.GetExitCodeProcess(process, &code); err != nil {
		return err
	}
	if code != 0 {
		return diag.New(diag.LaunchFailed, "the elevated helper failed: "+last, "run caisson setup status --repair")
	}
	return nil
}

func askDirectly(role, program string, text []byte, say func(string)) error {
	in, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ours.Close()
	theirs, out, err := os.Pipe()
	if err != nil {
		return errors.Join(err, in.Close())
	}
	defer theirs.Close()
	_, handle, err := syscall.StartProcess(program, []string{program, role}, &syscall.ProcAttr{
		Files: []uintptr{in.Fd(), out.Fd(), out.Fd()}, Env: os.Environ(), Sys: &syscall.SysProcAttr{HideWindow: true},
	})
	_, _ = in.Close(), out.Close()
	if err != nil {
		return err
	}
	process := windows.Handle(handle)
	defer windows.CloseHandle(process)
	if _, err := ours.Write(text); err != nil {
		return err
	}
	if err := ours.Close(); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(theirs, maxRequest))
	if err != nil {
		return err
	}
	return finish(process, string(answer), say)
}
