// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroup finds where this process may make a control group: beside its own,
// since a group with controllers for others holds no process itself, or in the
// one at the root, which may. Nothing is made to find out. See "Delegation"
// and "No internal processes" in cgroups(7).
func cgroup(mount string) *Cgroup {
	name, ok := ownGroup(setting("/proc/self/cgroup"))
	if !ok {
		return nil
	}
	dir := filepath.Join(mount, name)
	switch {
	case name != "/":
		dir = filepath.Dir(dir)
	case kindOf(filepath.Join(dir, "cgroup.type")) != "":
		return nil // the root of a namespace: what is above cannot be seen
	}
	for _, name := range []string{dir, filepath.Join(dir, "cgroup.procs")} {
		if unix.Faccessat(unix.AT_FDCWD, name, unix.W_OK, unix.AT_EACCESS) != nil {
			return nil
		}
	}
	controllers := strings.Fields(setting(filepath.Join(dir, "cgroup.subtree_control")))
	c := &Cgroup{Dir: dir, Memory: slices.Contains(controllers, "memory"), Pids: slices.Contains(controllers, "pids")}
	if !c.Memory && !c.Pids {
		return nil
	}
	return c
}

// ownGroup reads the name of the group of version 2 in /proc/PID/cgroup. It is
// false where that lies outside of the namespace.
func ownGroup(text string) (string, bool) {
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return name, strings.HasPrefix(name, "/") && name == filepath.Clean(name) && !strings.HasSuffix(name, " (deleted)")
		}
	}
	return "", false
}
