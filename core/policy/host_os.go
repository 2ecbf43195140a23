// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// OSHost returns the host that this process runs on. It remembers the home
// directories, so take a new one where they may have changed.
func OSHost() Host { return &osHost{} }

type osHost struct{ homes []string }

func (*osHost) OS() pathspec.OS                      { return pathspec.OS(runtime.GOOS) }
func (*osHost) Getenv(name string) string            { return os.Getenv(name) }
func (*osHost) Getwd() (string, error)               { return os.Getwd() }
func (*osHost) Readlink(path string) (string, error) { return os.Readlink(path) }

func (h *osHost) Homes() []string {
	if h.homes == nil {
		for _, dir := range findHomes() {
			if filepath.IsAbs(dir) && !slices.Contains(h.homes, dir) {
				h.homes = append(h.homes, dir)
			}
		}
	}
	return h.homes
}

// baseDir returns the directory that a variable names if it holds an absolute
// path, as the XDG base directory specification asks, else the fallback.
func baseDir(variable, fallback string) string {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return dir
	}
	return fallback
}

// executable returns the path of the running program, or "" where it is a
// throwaway of `go run` or `go test`, which nobody runs again.
func executable() string {
	path, err := os.Executable()
	if err != nil || isGoBuild(path) {
		return ""
	}
	return path
}

// isGoBuild reports whether a path lies in a build directory of the go command
// or in its cache of executables.
func isGoBuild(path string) bool {
	for _, name := range strings.Split(filepath.ToSlash(path), "/") {
		if strings.HasPrefix(name, "go-build") {
			return true
		}
	}
	return false
}
