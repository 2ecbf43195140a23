// SPDX-License-Identifier: Apache-2.0

//go:build unix

package policy

import (
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// spelled finds a name in a listing of its directory, on a volume that ignores
// case and Unicode normalisation. same reports whether a name of the listing
// leads to the same file; it is asked of names that may differ by normalisation
// only.
func spelled(names []string, name string, same func(string) bool) string {
	folded := ""
	for _, n := range names {
		if n == name {
			return name
		}
		if pathspec.Darwin.Key(n) == pathspec.Darwin.Key(name) {
			folded = n
		}
	}
	if folded != "" {
		return folded
	}
	plain := func(s string) string { // what normalisation leaves alone
		return strings.Map(func(r rune) rune {
			if r < 0x80 {
				return r
			}
			return -1
		}, s)
	}
	for _, n := range names {
		if plain(n) != n && plain(name) != name && same(n) {
			return n
		}
	}
	return ""
}
