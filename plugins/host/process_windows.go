// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

func rootDir() string { return os.Getenv("SystemRoot") }

// start executes the file, which nobody can replace while it is open, in a job
// that ends with the host and takes all that was started in it along.
func (p *process) start() error {
	job, err := newJob()
	if err != nil {
		return err
	}
	p.cmd.Path, p.cmd.Args = p.program.Path, []string{p.program.Path}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP}
	err = p.cmd.Start()
	if err == nil {
		err = assign(job, uint32(p.cmd.Process.Pid))
		if err != nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	}
	if err != nil {
		_ = windows.CloseHandle(job)
		return err
	}
	go func() {
		p.waitErr = p.cmd.Wait()
		_ = windows.CloseHandle(job) // the last handle: what is left in it ends
		close(p.done)
	}()
	return nil
}

// kill ends the process; the job, which is closed then, ends the others.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

func assign(job windows.Handle, pid uint32) error {
	h, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, pid)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	return windows.AssignProcessToJobObject(job, h)
}
