// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// probe looks for bwrap in the places of the system, not in PATH, and has it
// confine a program that does nothing. The caller bounds the time by ctx.
func probe(ctx context.Context) (facts, error) {
	f := facts{Format: factsFormat, Arch: runtime.GOARCH, Temp: []string{}, Notify: notifies()}
	for _, dir := range []string{"/tmp", "/var/tmp"} {
		if real, err := filepath.EvalSymlinks(dir); err == nil && !slices.Contains(f.Temp, real) {
			f.Temp = append(f.Temp, real)
		}
	}
	for _, name := range []string{"keys", "key-users", "kallsyms", "kcore", "kpagecount", "kpageflags", "timer_list"} {
		if _, err := os.Lstat("/proc/" + name); err == nil {
			f.Proc = append(f.Proc, name)
		}
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return f, fmt.Errorf("look at the mounts: %w", err)
	}
	f.Mounts = parseMounts(string(text))
	for _, name := range []string{"/usr/bin/bwrap", "/usr/local/bin/bwrap"} {
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
			f.Path = name
			break
		}
	}
	switch {
	case f.Path == "":
		f.Message = "bubblewrap is not installed"
	case f.Arch != "amd64" && f.Arch != "arm64":
		f.Message = "there is no filter for " + f.Arch
	default:
		f.Works, f.Message = try(ctx, f.Path)
	}
	return f, nil
}

// notifies reports whether the kernel knows listeners that a signal does not
// interrupt, Linux 5.19: it then looks for the filter, where there is none.
func notifies() bool {
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 0)
	return errno == unix.EFAULT
}

// try makes a sandbox with what plans use of bwrap.
func try(ctx context.Context, bwrap string) (bool, string) {
	args := slices.Concat(walls(true), []string{"--perms", "0000", "--tmpfs", "/tmp", "--remount-ro", "/tmp", "--", "/proc/self/exe", "--version"})
	cmd := exec.CommandContext(ctx, bwrap, args...)
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	if err == nil {
		return true, ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return false, strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, fmt.Sprintf("bubblewrap makes no sandbox here: %v %.200s", err, line))
}
