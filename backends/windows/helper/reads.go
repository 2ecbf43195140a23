// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// mostReads bounds how many directories setup lets the accounts read.
const mostReads = 200

// Reads chooses what sandbox accounts may read of a home directory: of its
// directories those that hold nothing of what is hidden. The home directory
// itself is not among them, nor is the directory of programs' own data, in
// which credentials lie at places that no list knows.
func Reads(home string, directories, hidden []string) []string {
	os := pathspec.Windows
	var list []string
	for _, name := range directories {
		dir := os.Join(home, name)
		if strings.EqualFold(name, "AppData") || checkPath(dir) != nil {
			continue
		}
		if slices.ContainsFunc(hidden, func(h string) bool { return os.Within(dir, h) || os.Within(h, dir) }) {
			continue
		}
		list = append(list, dir)
	}
	slices.SortFunc(list, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	list = slices.CompactFunc(list, strings.EqualFold)
	return list[:min(len(list), mostReads)]
}
