// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// raw makes a system call that has no wrapper, or past the wrapper's checks.
func raw(nr uintptr, args ...uintptr) (uintptr, error) {
	var a [6]uintptr
	copy(a[:], args)
	n, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return n, errno
	}
	return n, nil
}

// just drops the result of raw.
func just(_ uintptr, err error) error { return err }

// pathArg is a path as an argument of raw. The string stays alive, since
// nothing here lives long enough to be collected.
func pathArg(name string) uintptr {
	b := append([]byte(name), 0)
	kept = append(kept, b)
	return uintptr(unsafe.Pointer(&b[0]))
}

// bytesArg is memory as an argument of raw.
func bytesArg(b []byte) uintptr {
	kept = append(kept, b)
	return uintptr(unsafe.Pointer(&b[0]))
}

// filterArg is a filter as an argument of raw, which must use it at once.
func filterArg(f *unix.SockFprog) uintptr { return uintptr(unsafe.Pointer(f)) }

var kept [][]byte // what raw calls point to

const atCWD = ^uintptr(99) // AT_FDCWD

func withFD(name string, flags int, f func(int) error) error {
	fd, err := unix.Open(name, flags, 0o644)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return f(fd)
}

func fdPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

func writeTo(name string, flags int) error {
	return withFD(name, flags, func(fd int) error {
		_, err := unix.Write(fd, []byte("EVIL"))
		return err
	})
}

// tell prints what a file holds.
func tell(name string) error {
	return withFD(name, unix.O_RDONLY, tellFD)
}

func tellFD(fd int) error {
	buf := make([]byte, 4096)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", buf[:n])
	return nil
}

func own(content string) error { return os.WriteFile("own", []byte(content), 0o644) }
