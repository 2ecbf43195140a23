// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/launch/seccomp"
)

// onlyWaiting is the filter of process 1, which has nothing left to do but to
// tell the supervisor and wait. It checks no architecture: the image has no
// code of another one, and whoever could change the image would need to write
// to its memory, which is hidden.
func onlyWaiting() []seccomp.Instruction {
	const load, equal, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	calls := []uint32{unix.SYS_SENDMSG, unix.SYS_CLOSE_RANGE, unix.SYS_PPOLL, unix.SYS_WRITE, unix.SYS_EXIT_GROUP}
	code := []seccomp.Instruction{{Code: load, K: 0}}
	for i, nr := range calls {
		code = append(code, seccomp.Instruction{Code: equal, JT: uint8(len(calls) - i), K: nr})
	}
	return append(code,
		seccomp.Instruction{Code: ret, K: unix.SECCOMP_RET_KILL_PROCESS},
		seccomp.Instruction{Code: ret, K: unix.SECCOMP_RET_ALLOW})
}

// notifies reports whether a filter has calls for the supervisor to answer.
func notifies(code []seccomp.Instruction) bool {
	for _, in := range code {
		if in.Code == unix.BPF_RET|unix.BPF_K && in.K == unix.SECCOMP_RET_USER_NOTIF {
			return true
		}
	}
	return false
}
