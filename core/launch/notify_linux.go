// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ioctls of a seccomp listener, see seccomp_unotify(2).
const (
	notifReceive = 0xc0502100
	notifSend    = 0xc0182101
	notifValid   = 0x40082102
	notifInstall = 0x40182103 // SECCOMP_IOCTL_NOTIF_ADDFD
)

// notification is struct seccomp_notif.
type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// installation is struct seccomp_notif_addfd.
type installation struct {
	id       uint64
	flags    uint32
	source   uint32
	number   uint32
	newFlags uint32
}

func (n *notification) receive(fd int) error {
	*n = notification{}
	return ioctl(fd, notifReceive, unsafe.Pointer(n))
}

// valid reports whether the caller still waits: its process id means it.
func (n *notification) valid(fd int) bool {
	id := n.id
	return ioctl(fd, notifValid, unsafe.Pointer(&id)) == nil
}

// answer ends the call with an errno, or with 0.
func (n *notification) answer(fd int, errno unix.Errno) { n.respond(fd, 0, errno) }

// respond ends the call with an errno, or with a value where that is 0.
func (n *notification) respond(fd int, value int64, errno unix.Errno) {
	r := response{id: n.id, value: value, errno: -int32(errno)}
	_ = ioctl(fd, notifSend, unsafe.Pointer(&r)) // fails where the caller is gone
}

// install ends the call with a new descriptor of the caller's, which is of the
// same open file as one of this process: nobody is between the two steps
// (SECCOMP_ADDFD_FLAG_SEND, Linux 5.14). After an error the caller waits still,
// or is gone.
func (n *notification) install(fd, source int, closeOnExec bool) error {
	const send = 2 // SECCOMP_ADDFD_FLAG_SEND
	in := installation{id: n.id, flags: send, source: uint32(source)}
	if closeOnExec {
		in.newFlags = unix.O_CLOEXEC
	}
	return ioctl(fd, notifInstall, unsafe.Pointer(&in))
}

// proceed lets the kernel execute the call, whatever its arguments point to by
// then: it is for calls that are watched, never for those that are decided upon.
func (n *notification) proceed(fd int) {
	r := response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	_ = ioctl(fd, notifSend, unsafe.Pointer(&r)) // fails where the caller is gone
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// connectRaw is connect(2) with an address as the command gave it.
func connectRaw(fd int, addr []byte) unix.Errno {
	var p unsafe.Pointer
	if len(addr) > 0 {
		p = unsafe.Pointer(&addr[0])
	}
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(p), uintptr(len(addr)))
	return errno
}
