// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// lease is an account that this sandbox holds, with what it takes to log on.
type lease struct {
	held
	sid, password string
}

// release gives the account back.
func (l *lease) release() error {
	l.password = ""
	return l.unlock()
}

// takeLease takes a free account of the pool: the one that last served this
// workspace, if it is free.
func takeLease(state string, w *plan.Windows) (*lease, error) {
	log, err := Machine{}.Log(w.Install)
	if err != nil {
		return nil, diag.New(diag.LaunchFailed, "the log of setup cannot be read: "+err.Error(), "run caisson setup status --repair")
	}
	options, err := Recorded(log)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(state, "windows")
	pool := options.Accounts(w.Account.Pool)
	h, err := choose(options, w.Account.Pool, readSticky(dir, w.Account.Sticky, pool),
		func(name string) (func() error, error) { return lockFile(filepath.Join(dir, name+".lock"), false) }, portFree)
	if err != nil {
		return nil, err
	}
	l := &lease{held: h}
	if err := l.fill(state, w.Install); err != nil {
		return nil, errors.Join(err, l.release())
	}
	unlock, err := exclude(dir)()
	if err == nil {
		err = errors.Join(writeSticky(dir, w.Account.Sticky, l.name, pool), unlock())
	}
	return l, err
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

// stickyFile remembers which account served a workspace last, a line each:
// account, tab, workspace.
func stickyFile(dir string) string { return filepath.Join(dir, "accounts") }

func readSticky(dir, workspace string, pool []string) string {
	text, err := os.ReadFile(stickyFile(dir))
	if err != nil {
		return ""
	}
	return Sticky(string(text), workspace, pool)
}

// writeSticky reads and writes: the caller holds the lock of all sandboxes.
func writeSticky(dir, workspace, name string, pool []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text, err := os.ReadFile(stickyFile(dir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	fresh := stickyFile(dir) + ".new"
	if err := os.WriteFile(fresh, []byte(Remember(string(text), workspace, name, pool)), 0o600); err != nil {
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
