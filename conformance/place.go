// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// workDir makes the directory of a run: in parent, or in a place that sandboxes
// let be read and that is no temporary directory, since those are private
// inside.
func workDir(parent string) (string, error) {
	parents := []string{parent}
	if parent == "" {
		parents = workParents()
	}
	var all error
	for _, p := range parents {
		dir, err := os.MkdirTemp(p, "caisson-conformance-*")
		if err == nil {
			if dir, err = filepath.EvalSymlinks(dir); err == nil {
				err = errors.Join(os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "c"), 0o755))
			}
		}
		if err == nil {
			return dir, nil
		}
		all = errors.Join(all, err)
	}
	return "", fmt.Errorf("no directory to work in: %w", all)
}

// workParents are the directories to work in, best first: private temporary
// directories inside would cover what lies in the host's.
func workParents() []string {
	var all []string
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		all = append(all, "/var/lib")
	}
	if home, err := os.UserHomeDir(); err == nil {
		all = append(all, home)
	}
	all = append(all, policy.OSHost().Homes()...)
	if here, err := os.Getwd(); err == nil {
		all = append(all, here)
	}
	temporary := temporaryDirs()
	slices.SortStableFunc(all, func(a, b string) int {
		return boolInt(below(a, temporary)) - boolInt(below(b, temporary))
	})
	return append(all, os.TempDir())
}

func temporaryDirs() []string { return []string{os.TempDir(), "/tmp", "/var/tmp"} }

// below reports whether a path is one of some directories or lies in one.
func below(path string, dirs []string) bool {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return slices.ContainsFunc(dirs, func(dir string) bool {
		rel, err := filepath.Rel(dir, path)
		return err == nil && filepath.IsLocal(rel)
	})
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// removeAll removes a tree that a case may have left without permissions.
func removeAll(dir string) {
	if dir == "" {
		return
	}
	if os.RemoveAll(dir) == nil {
		return
	}
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
	os.RemoveAll(dir)
}

// installHelper copies this executable to where it can be read inside, and
// returns the command line that makes it the helper, without its role.
func installHelper(work string) ([]string, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	name := "caisson-helper"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	to := filepath.Join(work, name)
	in, err := os.Open(exe)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	syscall.ForkLock.RLock() // a child that still had it open would make it busy, see ETXTBSY in execve(2)
	defer syscall.ForkLock.RUnlock()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return nil, err
	}
	return []string{to, act.NoTests, act.Marker}, nil
}
