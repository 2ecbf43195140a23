// SPDX-License-Identifier: Apache-2.0

package spawn

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// ErrNotFound says that no program of a name was found.
var ErrNotFound = errors.New("the program was not found")

// Find searches a program as a shell would: in PATH with the extensions of
// PATHEXT, both of the command's environment; a name with a directory is taken
// from dir. The current directory is not searched by itself, nor is the
// directory of links to Store applications, which start for their owner alone.
// isFile reports whether a path is a file.
func Find(name, dir string, vars []string, isFile func(string) bool) (string, error) {
	os := pathspec.Windows
	var dirs []string
	switch {
	case os.IsAbs(name):
		dirs = []string{""}
	case strings.ContainsAny(name, `\/`):
		dirs = []string{dir}
	case strings.Contains(name, ":"):
		return "", fmt.Errorf("%q: %w", name, ErrNotFound)
	default:
		for _, d := range strings.Split(Lookup(vars, "PATH"), ";") {
			d = strings.Trim(d, `"`)
			if os.IsAbs(d) && !strings.HasSuffix(strings.ToLower(os.Clean(d)), `\microsoft\windowsapps`) {
				dirs = append(dirs, d)
			}
		}
	}
	extensions := Lookup(vars, "PATHEXT")
	if extensions == "" {
		extensions = ".COM;.EXE;.BAT;.CMD"
	}
	for _, d := range dirs {
		path := name
		if d != "" {
			path = os.Clean(d + `\` + name)
		}
		if strings.Contains(os.Base(path), ".") && isFile(path) {
			return path, nil
		}
		for _, e := range strings.Split(extensions, ";") {
			if strings.HasPrefix(e, ".") && isFile(path+e) {
				return path + e, nil
			}
		}
	}
	return "", fmt.Errorf("%q: %w", name, ErrNotFound)
}
