// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sandboxexec

import (
	"encoding/binary"
	"path/filepath"
	"strings"
)

// candidates are the files to try, in order, for a command's path. They are
// tried in the sandbox, for what is hidden there is not found.
func candidates(path string, env []string) []string {
	if strings.Contains(path, "/") {
		return []string{path}
	}
	search := "/usr/bin:/bin:/usr/sbin:/sbin" // as execvp(3) does without PATH
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			search = v
		}
	}
	var list []string
	for _, dir := range filepath.SplitList(search) {
		if filepath.IsAbs(dir) { // a relative PATH would run what the directory at hand offers
			list = append(list, filepath.Join(dir, path))
		}
	}
	if len(list) == 0 {
		return []string{"/nonexistent/" + path}
	}
	return list
}

// EnvironOf returns the environment, as NAME=VALUE with NUL between, in what
// sysctl(3) of macOS gives as kern.procargs2: the number of arguments, the path
// that was executed, padding, the arguments, the environment. It is "" where
// that is cut short. The arguments are the process's own to choose.
func EnvironOf(raw []byte) string {
	if len(raw) < 4 {
		return ""
	}
	count := binary.LittleEndian.Uint32(raw)
	_, rest, _ := strings.Cut(string(raw[4:]), "\x00")
	rest = strings.TrimLeft(rest, "\x00")
	for range count {
		var more bool
		if _, rest, more = strings.Cut(rest, "\x00"); !more {
			return ""
		}
	}
	return rest
}
