// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// calls are the system calls that kernel cases make, by the name of the manual.
func calls() map[string]uintptr {
	return map[string]uintptr{
		"add_key": unix.SYS_ADD_KEY, "bpf": unix.SYS_BPF, "chroot": unix.SYS_CHROOT, "fanotify_init": unix.SYS_FANOTIFY_INIT,
		"fsopen": unix.SYS_FSOPEN, "io_uring_setup": unix.SYS_IO_URING_SETUP, "keyctl": unix.SYS_KEYCTL,
		"mq_open": unix.SYS_MQ_OPEN, "msgget": unix.SYS_MSGGET, "msgrcv": unix.SYS_MSGRCV, "open_tree": unix.SYS_OPEN_TREE,
		"perf_event_open": unix.SYS_PERF_EVENT_OPEN, "semget": unix.SYS_SEMGET, "sethostname": unix.SYS_SETHOSTNAME,
		"syslog": unix.SYS_SYSLOG, "unshare": unix.SYS_UNSHARE, "userfaultfd": unix.SYS_USERFAULTFD,
	}
}

// call makes the system call Path with Nums. The result is Num of the reply,
// the room that the kernel was given, 256 bytes that begin with Data, its Data.
func call(r act.Request) act.Reply {
	number, ok := calls()[r.Path]
	if !ok || len(r.Nums) > 6 {
		return act.Reply{Err: "the helper has no call " + r.Path, Errno: "NOACT"}
	}
	var room [256]byte
	copy(room[:], r.Data)
	result, errno := rawCall(number, r.Nums, &room)
	if errno != 0 {
		return failed(errno)
	}
	return act.Reply{Num: int64(result), Data: room[:]}
}
