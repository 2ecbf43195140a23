// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/winrun"
)

// outer is the part that runs as the user: it leases an account, changes access
// lists and undoes that, and has the inner part, which runs as whom the
// commands run as, do the rest.
type outer struct {
	session *Session
	lease   *lease
	windows []grantedObject
	inner   Runner
}

// Open applies a plan.
func (o *outer) Open(p *plan.Plan, state string) (a plan.Attested, err error) {
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
		if sid, err := sidOf("caisson-" + w.Install); err == nil {
			bind["{group}"] = sid.String()
		}
	} else if err := bindCapabilities(bind, state, w); err != nil {
		return a, err
	}
	run, err := runName()
	if err != nil {
		return a, err
	}
	dir := filepath.Join(state, "windows")
	ledgers := &DirLedgers{Dir: dir, Alive: alive, Exclude: exclude(dir)}
	if o.session, err = OpenSession(Disk{}, ledgers, run, w, bind); err != nil {
		return a, err
	}
	entries, placeholders, err := present(Disk{}, w, bind)
	if err != nil {
		return a, err
	}
	filters, connects, err := o.network(w, bind)
	if err != nil {
		return a, err
	}
	if w.Account != nil {
		if o.windows, err = admit(bind["{account}"]); err != nil {
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
	if a, err = o.inner.Open(p, state); err != nil {
		return a, err
	}
	a.Entries, a.Placeholders, a.Filters, a.Connects = entries, placeholders, filters, connects
	return a, nil
}

// network reads the filters of the leased account back, and tries to connect as
// it: both must say that nothing leaves.
func (o *outer) network(w *plan.Windows, bind binding) (filters int, connects bool, err error) {
	if len(w.WFP) == 0 {
		return 0, false, nil
	}
	have, err := Machine{}.Filters(w.Install, o.lease.name)
	switch {
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		// An ordinary user may not read filters everywhere: the connection that
		// is tried below is what counts then.
		filters = len(w.WFP)
	case err != nil:
		return 0, false, err
	default:
		for _, f := range have {
			if f.Block && f.SID == bind["{account}"] {
				filters++
			}
		}
	}
	connects, err = connectsAs(o.lease)
	return filters, connects, err
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
	for _, g := range o.windows {
		errs = append(errs, g.takeBack())
	}
	o.windows = nil
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

var errHeld = errors.New("another process holds the lock")

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

// runName names this process so that no later one has the name: by its number
// and the moment at which it was started.
func runName() (string, error) {
	started, err := startedAt(windows.CurrentProcess())
	return fmt.Sprintf("%d-%x", os.Getpid(), started), err
}

func startedAt(process windows.Handle) (int64, error) {
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(process, &created, &exited, &kernel, &user); err != nil {
		return 0, fmt.Errorf("find out when a process began: %w", err)
	}
	return created.Nanoseconds(), nil
}

// alive reports whether the process of a run is still there.
func alive(run string) bool {
	var pid uint32
	var started int64
	if n, err := fmt.Sscanf(run, "%d-%x", &pid, &started); n != 2 || err != nil {
		return false
	}
	// A process that protects itself lets nobody ask; that it is there, and not
	// another of the number, is what the snapshot cannot tell. It counts as alive.
	p, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return true
	}
	if err != nil {
		return false
	}
	defer windows.CloseHandle(p)
	at, err := startedAt(p)
	var code uint32
	const stillActive = 259
	return err == nil && at == started && windows.GetExitCodeProcess(p, &code) == nil && code == stillActive
}

// grantedObject is an object of the session that an account was admitted to.
type grantedObject struct {
	handle windows.Handle
	kind   windows.SE_OBJECT_TYPE
	before winapi.Security
	close  bool
}
