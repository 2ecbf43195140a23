// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// state is everything about a path that an act could change, in one string: of
// a directory with all that is below it.
func state(path string) string {
	var all []string
	filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			all = append(all, p+": "+err.Error())
			return nil
		}
		info, err := d.Info()
		if err != nil {
			all = append(all, p+": "+err.Error())
			return nil
		}
		one := fmt.Sprintf("%s: %s %s", p, info.Mode(), metadata(p, info))
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(p)
			one += fmt.Sprintf(" at %d: %q %v", info.ModTime().UnixNano(), content, err)
		case info.Mode()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(p)
			one += " to " + to
		case info.IsDir():
			one += fmt.Sprintf(" at %d", info.ModTime().UnixNano())
		}
		all = append(all, one)
		return nil
	})
	return strings.Join(all, "\n")
}

// entries are the names in a directory, sorted; none where it cannot be read.
func entries(dir string) []string {
	list, _ := os.ReadDir(dir)
	var all []string
	for _, e := range list {
		all = append(all, e.Name())
	}
	return all
}

// added are the names of after that are not in before.
func added(before, after []string) []string {
	return slices.DeleteFunc(slices.Clone(after), func(name string) bool { return slices.Contains(before, name) })
}
