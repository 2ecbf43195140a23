// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/winrun"
)

// outer is the part that runs as the user: it leases an account, changes access
// lists and undoes that, and has the inner part, which runs as whom the
// commands run as, do the rest.
type outer struct {
	dir     string       // of ledgers and locks
	end     func() error // gives the run's lock back
	session *Session
	lease   *lease
	windows []grantedObject
	inner   Runner
}

func diskLedgers(dir string) *DirLedgers {
	return &DirLedgers{Dir: dir, Alive: alive(dir), Exclude: exclude(dir)}
}

// locked does something while no other sandbox of the user does.
func (o *outer) locked(do func() error) error {
	unlock, err := exclude(o.dir)()
	if err != nil {
		return fmt.Errorf("wait for other runs: %w", err)
	}
	return errors.Join(do(), unlock())
}

// Open applies a plan.
func (o *outer) Open(p *plan.Plan, state string, own Own) (a plan.Attested, err error) {
	w := p.Windows
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	self, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return a, fmt.Errorf("find out who runs this: %w", err)
	}
	bind := binding{"{user}": self.User.Sid.String(), "@device": w.Symbols["@device"]}
	if w.Account != nil {
		if o.lease, err = takeLease(state, w); err != nil {
			return a, err
		}
		bind["{account}"] = o.lease.sid
		if w.ToProxy() != (o.lease.port != 0) {
			return a, diag.New(diag.PlanInvalid, fmt.Sprintf("the plan and the port %d of the account %s do not agree", o.lease.port, o.lease.name), "run caisson setup install again")
		}
		if w.ToProxy() {
			// Before anything runs as the account, which reaches whoever has the port.
			if err := own(o.lease.port); err != nil {
				return a, err
			}
		}
		if sid, err := sidOf("caisson-" + w.Install); err == nil {
			bind["{group}"] = sid.String()
		}
	} else if err := bindCapabilities(bind, state, w); err != nil {
		return a, err
	}
	o.dir = filepath.Join(state, "windows")
	run, end, err := beginRun(o.dir)
	if err != nil {
		return a, err
	}
	o.end = end
	if o.session, err = OpenSession(Disk{}, diskLedgers(o.dir), run, w, bind); err != nil {
		return a, err
	}
	entries, placeholders, err := present(Disk{}, w, bind)
	if err != nil {
		return a, err
	}
	network, err := o.network(w, bind)
	if err != nil {
		return a, err
	}
	if w.Account != nil {
		err := o.locked(func() (err error) { o.windows, err = admit(bind["{account}"]); return err })
		if err != nil {
			return a, err
		}
		client, err := startInner(o.lease, w)
		if err != nil {
			return a, err
		}
		o.inner = client
	} else {
		o.inner = &inner{bind: bind}
	}
	if a, err = o.inner.Open(p, state, nil); err != nil {
		return a, err
	}
	a.Entries, a.Placeholders = entries, placeholders
	a.Filters, a.Unread, a.Connects, a.Reaches = network.Filters, network.Unread, network.Connects, network.Reaches
	return a, nil
}

// network reads the filters of the leased account back, and tries the network as
// it. Where only administrators may read filters, that nothing connects is all
// that there is to see.
func (o *outer) network(w *plan.Windows, bind binding) (a plan.Attested, err error) {
	if len(w.WFP) == 0 {
		return a, nil
	}
	have, err := Machine{}.Filters(w.Install, o.lease.name)
	switch {
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		a.Unread = true
	case err != nil:
		return a, err
	}
	a.Filters = standing(installed.Bind(w.WFP, o.lease.port), have, bind["{account}"])
	got, err := connectsAs(w.Install, o.lease.name, o.lease.password, o.lease.port)
	a.Connects, a.Reaches = got.More, got.Port
	return a, err
}

// present counts the entries and placeholders of a plan that are in place.
func present(files Files, w *plan.Windows, bind binding) (entries, placeholders int, err error) {
	swap := make([]string, 0, 2*len(bind))
	for symbol, sid := range bind {
		swap = append(swap, symbol, sid)
	}
	named := strings.NewReplacer(swap...)
	count := func(path, ace string) error {
		has, err := files.HasACE(path, "", named.Replace(ace))
		if has {
			entries++
		}
		return err
	}
	for _, h := range w.Placeholders {
		if _, err := files.Identify(h.Path); err == nil {
			placeholders++
		}
		if err := count(h.Path, h.ACE); err != nil {
			return 0, 0, err
		}
	}
	for _, a := range w.ACL {
		if err := count(a.Path, a.ACE); err != nil {
			return 0, 0, err
		}
	}
	return entries, placeholders, nil
}

// Start has the inner part start a command.
func (o *outer) Start(m winrun.Message) (Running, error) { return o.inner.Start(m) }

// Close ends the commands first, then whatever else runs as the account, and
// undoes what was done; the account is given back last.
func (o *outer) Close() error {
	var errs []error
	if o.inner != nil {
		errs = append(errs, o.inner.Close())
		o.inner = nil
	}
	if o.session != nil {
		errs = append(errs, o.session.Close())
		o.session = nil
	}
	if len(o.windows) > 0 {
		errs = append(errs, o.locked(func() error { return takeBack(o.windows) }))
		o.windows = nil
	}
	if o.end != nil {
		errs = append(errs, o.end())
		o.end = nil
	}
	if o.lease != nil {
		errs = append(errs, o.lease.release())
		o.lease = nil
	}
	return errors.Join(errs...)
}

// exclude waits for the lock that all helpers of the user know. The system
// gives it back when its holder ends, however that comes about.
func exclude(dir string) func() (func() error, error) {
	return func() (func() error, error) { return lockFile(filepath.Join(dir, "lock"), true) }
}

// lockFile locks a file for this process alone. Where it is held, it waits or
// fails with errHeld.
func lockFile(path string, wait bool) (release func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK)
	if !wait {
		flags |= windows.LOCKFILE_FAIL_IMMEDIATELY
	}
	if err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{}); err != nil {
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
			err = errHeld
		}
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil // which gives the lock back
}

// beginRun gives a run a name, and holds its lock, by which others see that it
// lives. The system gives it back when this process ends, however that comes
// about; the number of a process says less, since others get it again.
func beginRun(dir string) (run string, end func() error, err error) {
	random := make([]byte, 12)
	if _, err := rand.Read(random); err != nil {
		return "", nil, err
	}
	run = hex.EncodeToString(random)
	release, err := lockFile(liveFile(dir, run), false)
	if err != nil {
		return "", nil, fmt.Errorf("lock the run: %w", err)
	}
	return run, func() error { return errors.Join(release(), os.Remove(liveFile(dir, run))) }, nil
}

func liveFile(dir, run string) string { return filepath.Join(dir, run+".live") }

// alive reports whether a run holds its lock. The caller holds that of all
// sandboxes, so that nobody else takes this look for a run.
func alive(dir string) func(run string) bool {
	return func(run string) bool {
		release, err := lockFile(liveFile(dir, run), false)
		if err != nil {
			return true // held, or not to be told: nothing of it is undone
		}
		_ = release()
		_ = os.Remove(liveFile(dir, run)) // made by this look, or left
		return false
	}
}
