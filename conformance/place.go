// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// workDir makes the directory of a run: in parent, or in a place that sandboxes
// let be read and that is no temporary directory, since those are private
// inside.
func workDir(parent string) (string, error) {
	var parents []string
	switch {
	case parent != "":
		parents = []string{parent}
	default:
		if runtime.GOOS == "linux" && os.Geteuid() == 0 {
			parents = append(parents, "/var/lib")
		}
		if home, err := os.UserHomeDir(); err == nil {
			parents = append(parents, home)
		}
		parents = append(parents, "/var/tmp", os.TempDir())
	}
	var all error
	for _, p := range parents {
		if len(p) > 40 && parent == "" {
			all = errors.Join(all, fmt.Errorf("%s is too long for the sockets of the cases", p))
			continue
		}
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
