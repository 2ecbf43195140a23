// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package host

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
)

func rootDir() string { return "/" }

// start executes a private copy of the file that was hashed: what the path
// leads to may change. The process leads a session of its own.
func (p *process) start() error {
	copied := filepath.Join(p.dir, "program")
	out, err := os.OpenFile(copied, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, p.program.File)
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	p.cmd.Path, p.cmd.Args = copied, []string{p.program.Path}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := keepDescriptors(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		p.waitErr = p.cmd.Wait()
		close(p.done)
	}()
	return nil
}

// kill kills the process group.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = syscall.Kill(p.cmd.Process.Pid, syscall.SIGKILL)
}
