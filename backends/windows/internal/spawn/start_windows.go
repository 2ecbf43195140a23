// SPDX-License-Identifier: Apache-2.0

package spawn

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// ExitTimedOut is the status of what was ended because its time was over.
const ExitTimedOut = 124

// Limits of a job; zero limits are none. UI are JOB_OBJECT_UILIMIT flags.
type Limits struct {
	Processes uint32
	Memory    uintptr // bytes
	UI        uint32
}

// Job is a set of processes that ends when it is closed, however that comes
// about: the death of its owner closes it too.
type Job struct{ handle windows.Handle }

// NewJob makes a job whose processes cannot leave it.
func NewJob(l Limits) (*Job, error) {
	h, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("make a job: %w", err)
	}
	if err := winapi.SetJobLimits(h, l.Processes, l.Memory, l.UI); err != nil {
		return nil, errors.Join(err, windows.CloseHandle(h))
	}
	return &Job{h}, nil
}

// Close ends every process of the job.
func (j *Job) Close() error { return windows.CloseHandle(j.handle) }

// Terminate ends every process of the job with a status.
func (j *Job) Terminate(status uint32) error { return windows.TerminateJobObject(j.handle, status) }

// Command is a program to start. Handles of Std that are 0 are closed in it.
type Command struct {
	Path    string   // absolute
	Args    []string // Args[0] included
	Env     []string // the whole environment
	Dir     string
	Std     [3]windows.Handle
	Token   windows.Token  // 0: the caller's own
	Desktop string         // "": the caller's own
	Console windows.Handle // a pseudo console, instead of Std
	Strict  bool           // with the mitigations
}

// Process is a program that was started.
type Process struct {
	PID    uint32
	handle windows.Handle
	close  sync.Once
}

// Start starts a program in the job. It is made suspended and resumed once it
// is a member of the job, so that nothing of it runs outside.
func (j *Job) Start(c Command) (*Process, error) {
	line, application, err := c.line()
	if err != nil {
		return nil, err
	}
	block, err := Block(c.Env)
	if err != nil {
		return nil, err
	}
	attributes := winapi.Attributes{Job: j.handle, Console: c.Console, Mitigations: c.Strict}
	std := c.Std
	if c.Console == 0 {
		for i, h := range std {
			if h == 0 {
				continue
			}
			// A duplicate that can be inherited: the caller's handle stays as it is.
			var d windows.Handle
			self := windows.CurrentProcess()
			if err := windows.DuplicateHandle(self, h, self, &d, 0, true, windows.DUPLICATE_SAME_ACCESS); err != nil {
				return nil, fmt.Errorf("duplicate standard handle %d: %w", i, err)
			}
			defer windows.CloseHandle(d)
			std[i] = d
			attributes.Handles = append(attributes.Handles, d)
		}
	}
	info, err := winapi.CreateProcess(c.Token, application, line, c.Dir, c.Desktop, block, std, attributes, windows.CREATE_SUSPENDED|windows.CREATE_UNICODE_ENVIRONMENT)
	if err != nil {
		return nil, err
	}
	p := &Process{PID: info.ProcessId, handle: info.Process}
	defer windows.CloseHandle(info.Thread)
	if err := j.holds(info.Process); err != nil {
		return nil, errors.Join(err, windows.TerminateProcess(info.Process, 1), p.Close())
	}
	if _, err := windows.ResumeThread(info.Thread); err != nil {
		return nil, errors.Join(fmt.Errorf("resume %s: %w", c.Path, err), windows.TerminateProcess(info.Process, 1), p.Close())
	}
	return p, nil
}

// holds wants a process to be a member of the job: some systems take the
// attribute and do nothing with it.
func (j *Job) holds(process windows.Handle) error {
	var member int32
	if err := winapi.IsProcessInJob(process, j.handle, &member); err != nil {
		return fmt.Errorf("look whether the process is in its job: %w", err)
	}
	if member != 0 {
		return nil
	}
	if err := windows.AssignProcessToJobObject(j.handle, process); err != nil {
		return fmt.Errorf("put the process into its job: %w", err)
	}
	return nil
}

// line gives the command line, and the program that the system is to run.
func (c Command) line() (line, application string, err error) {
	if len(c.Args) == 0 {
		return "", "", errors.New("a command without name")
	}
	if !IsBatch(c.Path) {
		line, err = CommandLine(append([]string{c.Path}, c.Args[1:]...))
		return line, c.Path, err
	}
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return "", "", fmt.Errorf("find cmd.exe: %w", err)
	}
	line, err = BatchLine(c.Path, c.Args[1:])
	return line, system + `\cmd.exe`, err
}

// Wait waits until the program has ended and gives its status. Where ctx is
// done first, the job is ended and the status is ExitTimedOut.
func (p *Process) Wait(ctx context.Context, j *Job) (uint32, error) {
	ended := make(chan error, 1)
	go func() {
		_, err := windows.WaitForSingleObject(p.handle, windows.INFINITE)
		ended <- err
	}()
	var late error
	select {
	case err := <-ended:
		if err != nil {
			return 0, fmt.Errorf("wait for the process: %w", err)
		}
	case <-ctx.Done():
		late = ctx.Err()
		if err := j.Terminate(ExitTimedOut); err != nil {
			return 0, fmt.Errorf("end the job: %w", err)
		}
		<-ended
	}
	var code uint32
	if err := windows.GetExitCodeProcess(p.handle, &code); err != nil {
		return 0, fmt.Errorf("read the status of the process: %w", err)
	}
	return code, late
}

// Kill ends the program itself.
func (p *Process) Kill() error { return windows.TerminateProcess(p.handle, 1) }

// Close gives the handle back.
func (p *Process) Close() error {
	var err error
	p.close.Do(func() { err = windows.CloseHandle(p.handle) })
	return err
}
