// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// contentFD makes a sealed file in memory with the content of a plan's file.
func contentFD(f plan.File) (int, error) {
	content, err := f.Content()
	if err != nil {
		return -1, fmt.Errorf("file %s of the plan: %w", f.Name, err)
	}
	fd, err := unix.MemfdCreate("caisson-"+f.Name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, fmt.Errorf("memfd_create: %w", err)
	}
	err = writeAt(fd, content, 0)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("file %s of the plan: %w", f.Name, err)
	}
	return fd, nil
}

// openHashed opens a program and compares its content with its hash. What is
// executed is the descriptor.
func openHashed(p plan.Program) (int, error) {
	fd, err := unix.Open(p.Path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, diag.New(diag.LaunchFailed, fmt.Sprintf("the wrapper %s cannot be opened: %v", diag.Quote(p.Path), err), "")
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("fcntl: %w", err)
	}
	f := os.NewFile(uintptr(dup), p.Path)
	defer f.Close()
	h := sha256.New()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		unix.Close(fd)
		return -1, diag.New(diag.LaunchFailed, "the wrapper "+diag.Quote(p.Path)+" is no regular file", "")
	}
	_, err = io.Copy(h, io.NewSectionReader(f, 0, 1<<62))
	if err != nil || hex.EncodeToString(h.Sum(nil)) != p.SHA256 {
		unix.Close(fd)
		return -1, diag.New(diag.LaunchFailed, "the wrapper "+diag.Quote(p.Path)+" is not what it was when it was trusted", "")
	}
	return fd, nil
}
