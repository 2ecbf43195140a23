// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

// exclusive keeps every other socket from the address that one is bound to. By
// itself Windows lets another socket of the user have it too, if that asks for
// SO_REUSEADDR.
func exclusive(_, _ string, c syscall.RawConn) error {
	const exclusiveAddrUse = ^windows.SO_REUSEADDR // SO_EXCLUSIVEADDRUSE of winsock2.h
	var set error
	err := c.Control(func(fd uintptr) {
		set = windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, exclusiveAddrUse, 1)
	})
	return errors.Join(err, set)
}
