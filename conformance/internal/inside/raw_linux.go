// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// buffer stands for the address of room among the numbers of a call.
const buffer = -1000

// rawCall makes a system call. Where a number is buffer the kernel gets the
// address of room.
func rawCall(number uintptr, nums []int64, room *[256]byte) (uintptr, syscall.Errno) {
	var args [6]uintptr
	for i, n := range nums {
		args[i] = uintptr(n)
		if n == buffer {
			args[i] = uintptr(unsafe.Pointer(&room[0]))
		}
	}
	result, _, errno := syscall.Syscall6(number, args[0], args[1], args[2], args[3], args[4], args[5])
	return result, errno
}

// inject types into the terminal at descriptor 0, see TIOCSTI in
// ioctl_tty(2). Garbage is added to the number of the request.
func inject(text string, garbage uint64) error {
	for _, b := range []byte(text) {
		_, _, errno := syscall.Syscall(unix.SYS_IOCTL, 0, uintptr(unix.TIOCSTI|garbage), uintptr(unsafe.Pointer(&b)))
		if errno != 0 {
			return errno
		}
	}
	return nil
}
