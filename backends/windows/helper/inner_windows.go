// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/spawn"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/winrun"
)

// inner makes the token, the job and the desktop of a sandbox, and commands in
// it. It runs as whom the commands run as.
type inner struct {
	bind    binding
	plan    *plan.Windows
	token   windows.Token
	job     *spawn.Job
	desktop windows.Handle
	name    string // of the desktop, with its window station
	sid     string // of the account that the sandbox holds; empty: the user's own
}

// Open makes what commands need. The helper's own process is closed first, so
// that no command, which may have the same account, can open it.
func (r *inner) Open(p *plan.Plan, _ string, _ Own) (a plan.Attested, err error) {
	w := p.Windows
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	self, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return a, fmt.Errorf("find out who runs this: %w", err)
	}
	r.plan = w
	if r.bind == nil {
		r.bind = binding{}
	}
	r.bind["{account}"] = self.User.Sid.String()
	r.bind["@device"] = w.Symbols["@device"]
	for _, object := range []windows.Handle{windows.CurrentProcess(), windows.CurrentThread()} {
		if err := winapi.SetProcessList(object, w.Helper.SDDL); err != nil {
			return a, err
		}
	}
	if w.Account != nil {
		// What a run that was killed left, by way of a service, is of no sandbox.
		r.sid = self.User.Sid.String()
		if err := endAccount(r.sid, itself); err != nil {
			return a, fmt.Errorf("end what still runs as the account: %w", err)
		}
	}
	if r.token, a, err = makeToken(w, r.bind); err != nil {
		return a, err
	}
	if r.job, err = spawn.NewJob(spawn.Limits{Processes: uint32(w.Job.Processes), Memory: uintptr(w.Job.Memory), UI: uint32(w.Job.UI)}); err != nil {
		return a, err
	}
	a.Job = true
	a.Desktop, err = r.makeDesktop(self.User.Sid.String())
	return a, err
}

// makeDesktop makes a desktop of the sandbox alone, where no window of the user
// is, and no hook of a command sees the user's keys.
func (r *inner) makeDesktop(sid string) (string, error) {
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	name := "caisson-" + hex.EncodeToString(random)
	list := "D:P(A;;GA;;;SY)(A;;GA;;;" + sid + ")"
	for symbol, bound := range r.bind {
		if len(symbol) > 4 && symbol[:4] == "{cap" {
			list += "(A;;GA;;;" + bound + ")"
		}
	}
	var err error
	if r.desktop, err = winapi.NewDesktop(name, list); err != nil {
		return "", err
	}
	station, err := winapi.GetProcessWindowStation()
	if err != nil {
		return "", fmt.Errorf("find the window station: %w", err)
	}
	where, err := winapi.ObjectName(station)
	if err != nil {
		return "", err
	}
	r.name = where + `\` + name
	return winapi.ObjectName(r.desktop)
}

// Start starts a command.
func (r *inner) Start(m winrun.Message) (Running, error) {
	c := &command{job: r.job}
	for i, h := range m.Handles {
		if i < 3 {
			c.handles[i] = windows.Handle(h)
		}
	}
	env, err := r.environment(m.Env)
	if err != nil {
		c.release()
		return nil, err
	}
	path, err := spawn.Find(m.Path, m.Dir, env, isFile)
	if err != nil {
		c.release()
		return nil, diag.New(diag.CommandNotFound, err.Error(), "")
	}
	s := spawn.Command{Path: path, Args: m.Args, Env: env, Dir: m.Dir, Token: r.token, Desktop: r.name, Strict: true}
	if m.Console {
		size := windows.Coord{X: int16(m.Columns), Y: int16(m.Rows)}
		if err := windows.CreatePseudoConsole(size, c.handles[0], c.handles[1], 0, &c.console); err != nil {
			c.release()
			return nil, fmt.Errorf("make a console: %w", err)
		}
		s.Console = c.console
	} else {
		s.Std = c.handles
	}
	if c.process, err = r.job.Start(s); err != nil {
		c.release()
		return nil, notStarted(path, err)
	}
	if !m.Console {
		c.closeHandles() // the command has its own
	}
	return c, nil
}

// environment gives the variables of a command: those of the launcher, but for
// whose profile it is where the commands have an account of their own.
func (r *inner) environment(env []string) ([]string, error) {
	if r.plan.EnvBase != "account" {
		return env, nil
	}
	own, err := r.token.Environ(false)
	if err != nil {
		return nil, fmt.Errorf("read the variables of the account: %w", err)
	}
	return spawn.Overlay(env, own, "USERPROFILE", "APPDATA", "LOCALAPPDATA", "HOMEDRIVE", "HOMEPATH", "USERNAME", "USERDOMAIN"), nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeType == 0
}

// notStarted says why a program that is there was not started.
func notStarted(path string, err error) error {
	name := diag.Quote(path)
	switch {
	case errors.Is(err, windows.ERROR_FILE_NOT_FOUND), errors.Is(err, windows.ERROR_PATH_NOT_FOUND):
		return diag.New(diag.CommandNotFound, name+" was not found", "")
	case errors.Is(err, windows.ERROR_BAD_EXE_FORMAT):
		return diag.New(diag.CommandNotExec, name+" is no program of this system", "")
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return diag.New(diag.CommandNotExec, name+" may not be read by the sandbox", "give the sandbox accounts the right to read it: caisson setup install")
	case errors.Is(err, windows.ERROR_ELEVATION_REQUIRED):
		return diag.New(diag.CommandNotExec, name+" asks for the rights of an administrator", "")
	case errors.Is(err, windows.ERROR_CANT_ACCESS_FILE), errors.Is(err, windows.ERROR_NO_SUCH_LOGON_SESSION):
		return diag.New(diag.CommandNotExec, name+" is a Store application, which starts for its owner alone", "install the program from its own package")
	}
	return err
}

// Close ends the commands, then whatever else runs as the account, as a service
// may have started it, and gives everything back.
func (r *inner) Close() error {
	var errs []error
	if r.job != nil {
		errs = append(errs, r.job.Close())
		r.job = nil
	}
	if r.sid != "" {
		errs = append(errs, endAccount(r.sid, itself))
		r.sid = ""
	}
	if r.token != 0 {
		errs = append(errs, r.token.Close())
		r.token = 0
	}
	if r.desktop != 0 {
		errs = append(errs, winapi.CloseDesktop(r.desktop))
		r.desktop = 0
	}
	return errors.Join(errs...)
}

// command is a command that runs.
type command struct {
	job     *spawn.Job
	process *spawn.Process
	console windows.Handle
	handles [3]windows.Handle
	once    sync.Once
}

func (c *command) closeHandles() {
	for i, h := range c.handles {
		if h != 0 {
			_ = windows.CloseHandle(h) // it came for this command alone
			c.handles[i] = 0
		}
	}
}

func (c *command) release() {
	c.once.Do(func() {
		if c.console != 0 {
			windows.ClosePseudoConsole(c.console)
		}
		c.closeHandles()
	})
}

func (c *command) PID() int { return int(c.process.PID) }

// Wait waits until the command has ended. The console is closed then, which
// lets its output come to an end.
func (c *command) Wait() (uint32, error) {
	code, err := c.process.Wait(context.Background(), c.job)
	c.release()
	return code, errors.Join(err, c.process.Close())
}

// Signal ends the command; an interrupt goes to the console as a key does.
func (c *command) Signal(name string) error {
	switch name {
	case "kill":
		return c.process.Kill()
	case "interrupt":
		if c.console == 0 {
			return c.process.Kill()
		}
		return nil // the launcher has written the key
	}
	return fmt.Errorf("unknown signal %q", name)
}

// Resize sets the size of the console.
func (c *command) Resize(columns, rows int) error {
	if c.console == 0 {
		return nil
	}
	return windows.ResizePseudoConsole(c.console, windows.Coord{X: int16(columns), Y: int16(rows)})
}
