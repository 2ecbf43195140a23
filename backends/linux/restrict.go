// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"slices"

	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// restrictions are the steps after the mounts, in the order of their effect.
func restrictions(f Facts, r *policy.Resolved, mounts []plan.Step) []plan.Step {
	steps := []plan.Step{limits(f, r), plan.ProcessGroup{Own: !f.signalScope()}}
	if f.Notify {
		steps = append(steps, plan.Broker{Allow: r.Network().Unix})
	}
	return append(steps, plan.Privileges{}, landlock(f, mounts), filter(filterOptions{Broker: f.Notify, Observe: traced(f, r)}))
}

// limits bounds core files to 1 byte: a piped core_pattern runs a program of
// the host for every limit but that one, 0 included, see core(5).
func limits(f Facts, r *policy.Resolved) plan.Limits {
	l := plan.Limits{Core: 1, Milliseconds: r.Limits().Time.Milliseconds()}
	switch n := r.Limits().Processes; {
	case n > 0 && f.limitsTasks():
		// Preferred, since such a group also tells that the limit was reached.
		l.Processes, l.ProcessesBy, l.Cgroup = n, "cgroup", f.Cgroup.Dir
	case n > 0 && !f.root():
		l.Processes, l.ProcessesBy = n, "rlimit"
	}
	if n := r.Limits().Memory; n > 0 && f.limitsMemory() {
		l.Memory, l.Cgroup = n, f.Cgroup.Dir
	}
	return l
}

// landlock is the second wall around the file system. Mounts decide already;
// it stands where a descriptor brings a mount of the host's in. Truncating and
// ioctls on devices are left out: each makes every open walk up the path, and
// what is outside is on read-only mounts. Devices are made by nobody.
func landlock(f Facts, mounts []plan.Step) plan.Landlock {
	change := []string{"make_dir", "make_fifo", "make_reg", "make_sock", "make_sym", "remove_dir", "remove_file", "write_file"}
	if f.Landlock >= 2 {
		change = append(change, "refer")
	}
	l := plan.Landlock{Handled: slices.Concat(change, []string{"make_block", "make_char"})}
	if f.Landlock >= 6 {
		l.Scoped = []string{"abstract_unix_socket", "signal"}
	}
	file := []string{"write_file"}
	for _, step := range mounts {
		switch st := step.(type) {
		case plan.Devices:
			l.Rules = append(l.Rules, plan.LandlockRule{Path: "/dev", Access: file})
		case plan.Private:
			if !st.ReadOnly {
				l.Rules = append(l.Rules, plan.LandlockRule{Path: st.Path, Access: change})
			}
		case plan.Bind:
			if st.Access != "write" || st.Role == "pin" {
				continue
			}
			access := change
			if st.Kind != "dir" {
				access = file
			}
			l.Rules = append(l.Rules, plan.LandlockRule{Path: st.Path, Access: access})
		}
	}
	return l
}
