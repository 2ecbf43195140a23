// SPDX-License-Identifier: Apache-2.0

//go:build unix

package conformance

import "golang.org/x/sys/unix"

// mknod makes a character device.
func mknod(path string, major, minor uint32) error {
	return unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(major, minor)))
}
