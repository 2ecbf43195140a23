// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// socketDir is a directory that only the caller can enter, for the socket of
// one plugin.
type socketDir struct{ path string }

// maxBase is the longest base that leaves room for the name of a socket: a
// path of one has at most 107 bytes, see unix(7), 103 on macOS, and what comes
// after the base takes up to 65.
const maxBase = 36

// newSocketDir makes the directory, in caisson's state where the path is short
// enough: it is hidden from commands. Else it is in /tmp, of which commands have
// one of their own, and not where TMPDIR says, which may be a workspace. What
// killed hosts left there goes.
func newSocketDir() (*socketDir, error) {
	base := filepath.Join(policy.OSHost().OwnDirs().State, "run")
	if len(base) > maxBase || os.MkdirAll(base, 0o700) != nil {
		base = "/tmp"
		if runtime.GOOS == "windows" {
			base = os.TempDir()
		}
	}
	sweep(base)
	dir, err := os.MkdirTemp(base, fmt.Sprintf("caisson-%d-", os.Getpid()))
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	return &socketDir{dir}, nil
}

// sweep removes the directories of hosts that are gone. Another user's cannot
// be removed.
func sweep(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), "caisson-")
		number, _, ok2 := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(number)
		if ok && ok2 && err == nil && e.IsDir() && !lives(pid) {
			_ = os.RemoveAll(filepath.Join(base, e.Name()))
		}
	}
}

// hide removes the socket, in the directory that the library made for it. The
// plugin has its temporary files beside it.
func (s *socketDir) hide() {
	if s.path == "" {
		return
	}
	entries, err := os.ReadDir(s.path)
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "plugin-dir") {
			_ = os.RemoveAll(filepath.Join(s.path, e.Name()))
		}
	}
}

func (s *socketDir) remove() {
	if s != nil && s.path != "" {
		_ = os.RemoveAll(s.path)
	}
}
