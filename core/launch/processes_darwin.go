// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/launch/sandboxexec"
)

// processes knows the processes of macOS.
type processes struct{}

// zombie is SZOMB of sys/proc.h.
const zombie = 5

// List lists all processes, see sysctl(3).
func (processes) List() ([]sandboxexec.Info, error) {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil, err
	}
	list := make([]sandboxexec.Info, 0, len(all))
	for i := range all {
		p, e := &all[i].Proc, &all[i].Eproc
		list = append(list, sandboxexec.Info{
			PID: int(p.P_pid), Parent: int(e.Ppid), Group: int(e.Pgid),
			Start: p.P_starttime.Sec*1_000_000 + int64(p.P_starttime.Usec), Dead: p.P_stat == zombie,
		})
	}
	return list, nil
}

// Environ returns the environment that a process was executed with, which the
// kernel gives to processes of the same user.
func (processes) Environ(pid int) string {
	raw, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil {
		return ""
	}
	return sandboxexec.EnvironOf(raw)
}
