// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// lease is an account that this sandbox alone holds.
type lease struct {
	name, sid string
	password  string
	port      int // that the account's filters leave, 0 for none
	unlock    func() error
}

// takeLease takes a free account of the pool: the one that last served this
// workspace, if it is free. One whose port somebody has is not.
func takeLease(state string, w *plan.Windows) (*lease, error) {
	log, err := Machine{}.Log(w.Install)
	if err != nil {
		return nil, diag.New(diag.LaunchFailed, "the log of setup cannot be read: "+err.Error(), "run caisson setup status --repair")
	}
	options, err := Recorded(log)
	if err != nil {
		return nil, err
	}
	names, taken := options.Accounts(w.Account.Pool), 0
	dir := filepath.Join(state, "windows")
	for _, name := range Preferred(names, readSticky(dir, w.Account.Sticky)) {
		l := &lease{name: name, port: options.Port(name)}
		if l.unlock, err = lockFile(filepath.Join(dir, name+".lock"), false); errors.Is(err, errHeld) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("lock the account %s: %w", name, err)
		}
		if l.port != 0 && !portFree(l.port) {
			taken = l.port
			if err := l.release(); err != nil {
				return nil, err
			}
			continue
		}
		if err := l.fill(state, w.Install); err != nil {
			return nil, errors.Join(err, l.release())
		}
		unlock, err := exclude(dir)()
		if err == nil {
			err = errors.Join(writeSticky(dir, w.Account.Sticky, name), unlock())
		}
		return l, err
	}
	if taken != 0 {
		return nil, portTaken(taken)
	}
	return nil, diag.New(diag.LaunchFailed, fmt.Sprintf("all %d %s sandbox accounts are in use", len(names), w.Account.Pool),
		"wait until another sandbox ends, or run caisson setup install with a larger pool")
}

// portTaken refuses a sandbox whose account could reach nobody but a stranger.
func portTaken(port int) error {
	return diag.New(diag.LaunchFailed, fmt.Sprintf("another program has port %d of 127.0.0.1, at which the sandbox's proxy is to listen", port),
		fmt.Sprintf("find it with netstat -ano | findstr :%d and end it, or run caisson setup install with more accounts (--proxy)", port))
}

// fill finds the account's SID and unseals its password.
func (l *lease) fill(state, install string) error {
	sid, err := sidOf(l.name)
	if err != nil {
		return diag.New(diag.LaunchFailed, "the account "+l.name+" is gone", "run caisson setup status --repair")
	}
	l.sid = sid.String()
	if l.password, err = sealed(state, install, l.name); err != nil {
		return diag.New(diag.LaunchFailed, err.Error(), "run caisson setup status --repair as the user who ran setup")
	}
	return nil
}

// release gives the account back.
func (l *lease) release() error {
	l.password = ""
	return l.unlock()
}

// stickyFile remembers which account served a workspace last, a line each:
// account, tab, workspace.
func stickyFile(dir string) string { return filepath.Join(dir, "accounts") }

func readSticky(dir, workspace string) string {
	text, err := os.ReadFile(stickyFile(dir))
	if err != nil {
		return ""
	}
	return Sticky(string(text), workspace)
}

// writeSticky reads and writes: the caller holds the lock of all sandboxes.
func writeSticky(dir, workspace, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text, err := os.ReadFile(stickyFile(dir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	fresh := stickyFile(dir) + ".new"
	if err := os.WriteFile(fresh, []byte(Remember(string(text), workspace, name)), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, stickyFile(dir))
}

// bindCapabilities gives each writable root of a plan a SID of its own, the
// same one each time: derived from a secret that only the user can read.
func bindCapabilities(bind binding, state string, w *plan.Windows) error {
	secret, err := secretOf(filepath.Join(state, "windows", "capabilities"))
	if err != nil {
		return err
	}
	for _, symbol := range w.Token.Restricting {
		if !strings.HasPrefix(symbol, "{cap") {
			continue
		}
		at := slices.IndexFunc(w.ACL, func(a plan.WindowsACE) bool {
			return strings.HasPrefix(a.ACE, "(A;") && strings.HasSuffix(a.ACE, ";"+symbol+")")
		})
		if at < 0 {
			return diag.New(diag.PlanInvalid, symbol+" may write nothing", "")
		}
		bind[symbol] = CapabilitySID(secret, w.ACL[at].Path)
	}
	return nil
}
