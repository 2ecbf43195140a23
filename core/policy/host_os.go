// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// OSHost returns the host that this process runs on.
func OSHost() Host { return osHost{} }

type osHost struct{}

func (osHost) OS() pathspec.OS                      { return pathspec.OS(runtime.GOOS) }
func (osHost) Getenv(name string) string            { return os.Getenv(name) }
func (osHost) Getwd() (string, error)               { return os.Getwd() }
func (osHost) Readlink(path string) (string, error) { return os.Readlink(path) }

func (osHost) ReadDir(path string) ([]string, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

func (osHost) ReadFile(path string, limit int) ([]byte, error) {
	f, err := openPlain(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	if info.Size() > int64(limit) {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	text := make([]byte, info.Size())
	n, err := io.ReadFull(f, text)
	if err != nil && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	return text[:n], nil
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
