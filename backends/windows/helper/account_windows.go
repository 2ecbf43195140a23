// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/winrun"
)

// logonFailed says why an account cannot log on, and what helps.
func logonFailed(name string, err error) error {
	repair := "run caisson setup status --repair"
	for _, c := range []struct {
		code         error
		what, remedy string
	}{
		{windows.ERROR_LOGON_FAILURE, "its password is not the sealed one", repair},
		{windows.ERROR_ACCOUNT_EXPIRED, "the account has expired", "net user " + name + " /expires:never, as an administrator"},
		{windows.ERROR_PASSWORD_EXPIRED, "its password has expired", repair},
		{windows.ERROR_PASSWORD_MUST_CHANGE, "its password must be changed", repair},
		{windows.ERROR_ACCOUNT_DISABLED, "it is disabled", repair},
		{windows.ERROR_ACCOUNT_LOCKED_OUT, "it is locked out", repair},
		{windows.ERROR_ACCOUNT_RESTRICTION, "a policy restricts it", "have the group of the sandbox accounts exempted"},
		{windows.ERROR_LOGON_TYPE_NOT_GRANTED, "a policy of the machine or its domain denies it to log on locally", "have the group of the sandbox accounts exempted from \"Deny log on locally\""},
		{windows.ERROR_SERVICE_DISABLED, "the service Secondary Logon is disabled", "sc.exe config seclogon start= demand"},
		{windows.ERROR_ACCESS_DENIED, "this session may not start programs as another user, as in that of services", "use a session of a user, or --backend windows/token"},
		{windows.ERROR_DIRECTORY, "its working directory is not there", ""},
		{windows.ERROR_NO_SUCH_LOGON_SESSION, "there is no such logon session", "sign in anew"},
	} {
		if errors.Is(err, c.code) {
			return diag.New(diag.LaunchFailed, fmt.Sprintf("the account %s cannot log on: %s", name, c.what), c.remedy)
		}
	}
	return fmt.Errorf("log on as %s: %w", name, err)
}

// installedHelper is the copy of the helper that setup made, which the accounts
// can read and only administrators can write.
func installedHelper(install string) (string, error) {
	dir, err := installed.Dir()
	return filepath.Join(dir, install, "bin", "caisson-winhelper.exe"), err
}

// remote is the inner part in a process of the sandbox account.
type remote struct {
	client  *winrun.Client
	process windows.Handle
	job     windows.Handle
	pipes   []*os.File
}

// startInner starts the inner part as the leased account, suspended until it is
// in a job that ends with this process. It speaks on its standard handles.
func startInner(l *lease, w *plan.Windows) (_ Runner, err error) {
	program, err := installedHelper(w.Install)
	if err != nil {
		return nil, err
	}
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return nil, err
	}
	r := &remote{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	var ends [4]*os.File // theirs to read, ours to write, ours to read, theirs to write
	for i := 0; i < 4; i += 2 {
		if ends[i], ends[i+1], err = os.Pipe(); err != nil {
			return nil, err
		}
		r.pipes = append(r.pipes, ends[i], ends[i+1])
	}
	std := [3]windows.Handle{windows.Handle(ends[0].Fd()), windows.Handle(ends[3].Fd()), windows.Handle(ends[3].Fd())}
	for _, h := range std {
		if err := windows.SetHandleInformation(h, windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
			return nil, err
		}
	}
	info, err := winapi.LogonProcess(l.name, l.password, program, `"`+program+`" inner`, system, std,
		windows.CREATE_SUSPENDED|windows.CREATE_UNICODE_ENVIRONMENT|windows.CREATE_NO_WINDOW)
	if err != nil {
		return nil, logonFailed(l.name, err)
	}
	r.process = info.Process
	defer windows.CloseHandle(info.Thread)
	if r.job, err = windows.CreateJobObject(nil, nil); err != nil {
		return nil, err
	}
	if err := winapi.SetJobLimits(r.job, 0, 0, 0); err != nil {
		return nil, err
	}
	if err := windows.AssignProcessToJobObject(r.job, r.process); err != nil {
		return nil, fmt.Errorf("put the inner helper into a job: %w", err)
	}
	if _, err := windows.ResumeThread(info.Thread); err != nil {
		return nil, err
	}
	_, _ = ends[0].Close(), ends[3].Close()
	r.client = winrun.NewClient(winrun.NewConn(ends[2], ends[1]))
	return r, nil
}

func (r *remote) Open(p *plan.Plan, state string, _ Own) (plan.Attested, error) {
	return r.client.Attest(p, state)
}

// Start hands the handles of a command over to the inner part. It opened its
// process to nobody, but the handle that starting it gave still can.
func (r *remote) Start(m winrun.Message) (Running, error) {
	var moved []uint64
	for _, h := range m.Handles {
		if h == 0 {
			moved = append(moved, 0)
			continue
		}
		var theirs windows.Handle
		// The source is closed whatever happens.
		err := windows.DuplicateHandle(windows.CurrentProcess(), windows.Handle(h), r.process, &theirs, 0, false,
			windows.DUPLICATE_SAME_ACCESS|windows.DUPLICATE_CLOSE_SOURCE)
		if err != nil {
			return nil, fmt.Errorf("hand a standard handle over: %w", err)
		}
		moved = append(moved, uint64(theirs))
	}
	m.Handles = moved
	c, err := r.client.Start(m)
	if err != nil {
		return nil, err
	}
	return &remoteCommand{c}, nil
}

// Close has the inner part end what runs as the account, and ends it. Of an inner
// part that is gone the job has ended the commands, and the next one to hold the
// account ends the rest before it starts anything.
func (r *remote) Close() error {
	var errs []error
	if r.client != nil {
		errs = append(errs, r.client.Close())
	}
	if r.job != 0 {
		errs = append(errs, windows.CloseHandle(r.job))
	}
	if r.process != 0 {
		_ = windows.TerminateProcess(r.process, 1) // it may have ended
		errs = append(errs, windows.CloseHandle(r.process))
	}
	for _, f := range r.pipes {
		_ = f.Close() // some are closed already
	}
	r.client, r.job, r.process, r.pipes = nil, 0, 0, nil
	return errors.Join(errs...)
}

type remoteCommand struct{ *winrun.Remote }

func (c *remoteCommand) PID() int { return c.Remote.PID }
