// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

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

// tmpDirs is where the directories are that plans of wrappers name {tmp}; one
// without namespaces names a place itself. Their names tell whose they are.
func tmpDirs(stateDir string) string {
	if stateDir == "" {
		return os.TempDir()
	}
	return filepath.Join(stateDir, "tmp")
}

const tmpPrefix = "caisson-box-"

// makeTmp makes the directory of one sandbox, and removes those of callers that
// are gone.
func makeTmp(base string) (string, error) {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", fmt.Errorf("a directory for the sandbox: %w", err)
	}
	collectTmp(base, nil)
	dir, err := os.MkdirTemp(base, fmt.Sprintf("%s%d-", tmpPrefix, os.Getpid())) // mode 0700
	if err != nil {
		return "", fmt.Errorf("a directory for the sandbox: %w", err)
	}
	return filepath.EvalSymlinks(dir)
}

// collectTmp removes the directories of callers that are gone. Those of other
// users cannot be removed.
func collectTmp(base string, report func(diag.Diagnostic)) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), tmpPrefix)
		number, _, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(number)
		if !ours || err != nil || !e.IsDir() || unix.Kill(pid, 0) != unix.ESRCH {
			continue
		}
		dir := filepath.Join(base, e.Name())
		removeTmp(dir)
		said := "the directory " + diag.Quote(dir) + " of a sandbox that was killed was removed"
		if info, err := os.Lstat(dir); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
				continue
			}
			said = "the directory " + diag.Quote(dir) + " of a sandbox that was killed cannot be removed yet"
		}
		tell(report, leftover(said))
	}
}

// removeTmp removes a directory with what commands left in it, also where they
// took the caller's rights to its directories.
func removeTmp(dir string) {
	if os.RemoveAll(dir) == nil {
		return
	}
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(name, 0o700) // a directory, and nothing runs that could replace it
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}
