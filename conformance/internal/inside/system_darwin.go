// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

func systemOps() map[string]op { return unixOps() }

// processes lists the processes that the kernel names, see sysctl(3).
func processes() act.Reply {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	reply := failed(err)
	for _, p := range all {
		reply.List = append(reply.List, unix.ByteSliceToString(p.Proc.P_comm[:]))
	}
	return reply
}

func inject(string, uint64) error { return errors.ErrUnsupported }

func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TIOCGETA)
	if err != nil {
		return err
	}
	t.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG
	return unix.IoctlSetTermios(fd, unix.TIOCSETA, t)
}
