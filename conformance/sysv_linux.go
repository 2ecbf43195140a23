// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// semget, msgget and their kin, see semget(2), msgget(2), mq_open(2): x/sys has
// none of them.

func makeSemaphore(key int64) (remove func(), err error) {
	id, _, errno := syscall.Syscall(unix.SYS_SEMGET, uintptr(key), 1, unix.IPC_CREAT|unix.IPC_EXCL|0o666)
	if errno != 0 {
		return nil, errno
	}
	return func() { syscall.Syscall6(unix.SYS_SEMCTL, id, 0, unix.IPC_RMID, 0, 0, 0) }, nil
}

// makeQueue makes a queue with one message of type 1.
func makeQueue(key int64, text string) (remove func(), err error) {
	id, _, errno := syscall.Syscall(unix.SYS_MSGGET, uintptr(key), unix.IPC_CREAT|unix.IPC_EXCL|0o666, 0)
	if errno != 0 {
		return nil, errno
	}
	remove = func() { syscall.Syscall(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0) }
	message := append(make([]byte, 8), text...)
	message[0] = 1 // the type is a long; both architectures are little-endian
	_, _, errno = syscall.Syscall6(unix.SYS_MSGSND, id, uintptr(unsafe.Pointer(&message[0])), uintptr(len(text)), unix.IPC_NOWAIT, 0, 0)
	if errno != 0 {
		remove()
		return nil, errno
	}
	return remove, nil
}

func makeNamedQueue(name string) (remove func(), err error) {
	c, err := unix.BytePtrFromString(name)
	if err != nil {
		return nil, err
	}
	fd, _, errno := syscall.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(c)), unix.O_CREAT|unix.O_EXCL|unix.O_RDWR, 0o666, 0, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	return func() {
		unix.Close(int(fd))
		syscall.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(c)), 0, 0)
	}, nil
}
