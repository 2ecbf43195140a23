// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxSpelled is how many names a directory may hold to be searched for the
// spelling of one.
const maxSpelled = 20_000

// spelling returns the last name of an existing path as its directory spells
// it: the usual volumes find a name in any case and normal form, and the
// sandbox compares names as the directory has them. It is empty where the
// directory cannot be listed; the name stands as it was typed then.
func (h *osHost) spelling(path string, dev int32, ino uint64) string {
	dir, name := filepath.Split(path)
	if name == "" {
		return ""
	}
	names, err := h.ReadDir(filepath.Clean(dir), maxSpelled)
	if err != nil {
		return ""
	}
	return spelled(names, name, func(other string) bool {
		var st unix.Stat_t
		return unix.Lstat(dir+other, &st) == nil && st.Dev == dev && st.Ino == ino
	})
}
