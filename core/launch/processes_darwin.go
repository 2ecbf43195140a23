// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/binary"
	"strings"

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

// Environ returns the environment that a process was executed with. The kernel
// gives it to processes of the same user: the number of arguments, the path
// that was executed, padding, the arguments, the environment.
func (processes) Environ(pid int) string {
	raw, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil || len(raw) < 4 {
		return ""
	}
	count := int(binary.LittleEndian.Uint32(raw))
	_, rest, _ := strings.Cut(string(raw[4:]), "\x00")
	rest = strings.TrimLeft(rest, "\x00")
	for range count {
		var more bool
		if _, rest, more = strings.Cut(rest, "\x00"); !more {
			return ""
		}
	}
	return rest
}
