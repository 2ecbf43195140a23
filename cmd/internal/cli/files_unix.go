// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// isInherited reports whether a descriptor is open and was when this process
// began: everything that a Go program opens is closed on exec.
func isInherited(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}

// notInherited says what to do about a descriptor that is none.
func notInherited(n int) error {
	return diag.New(diag.DescriptorDenied, fmt.Sprintf("--fd %d: there is no such descriptor", n), fmt.Sprintf("open it in the calling shell, as in %d<FILE", n))
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

// isOwn reports whether a file belongs to the user that caisson runs as.
func isOwn(file os.FileInfo) bool {
	st, ok := file.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// sameOwner reports whether two files belong to one user.
func sameOwner(a, b os.FileInfo) bool {
	x, ok := a.Sys().(*syscall.Stat_t)
	y, ok2 := b.Sys().(*syscall.Stat_t)
	return ok && ok2 && x.Uid == y.Uid
}
