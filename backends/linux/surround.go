// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// closed are the types of file systems that are covered wherever they are
// mounted: what is looked up in autofs is told to the host's automounter; the
// others are doors to processes, devices, message queues and the kernel.
var closed = []string{"autofs", "bpf", "debugfs", "devpts", "devtmpfs", "mqueue", "proc", "tracefs"}

// surroundings returns rules for what the host mounts around: closed types are
// hidden, and what is mounted below an automount point already stays. files
// are the mount points that are not directories.
func surroundings(t *mounts, rules []policy.Rule, files []string) []policy.Rule {
	var added []policy.Rule
	var auto []string
	for _, m := range t.list {
		if slices.Contains(closed, m.fstype) && m.point != "/" && t.visible(m) {
			added = append(added, policy.Rule{Path: m.point, Access: policy.Hidden, Kind: kindOfPoint(m, files)})
			if m.fstype == "autofs" {
				auto = append(auto, m.point)
			}
		}
	}
	for _, m := range t.list {
		below := func(point string) bool { return m.point != point && within(point, m.point) }
		if slices.ContainsFunc(auto, below) && !slices.Contains(closed, m.fstype) && t.visible(m) && !hiddenBy(rules, m.point) {
			added = append(added, policy.Rule{Path: m.point, Access: policy.Read, Kind: kindOfPoint(m, files)})
		}
	}
	return added
}

// hiddenBy reports whether the nearest rule around a path hides it. Rules are
// sorted parents first.
func hiddenBy(rules []policy.Rule, name string) bool {
	hidden := false
	for _, r := range rules {
		if within(r.Path, name) {
			hidden = r.Access == policy.Hidden
		}
	}
	return hidden
}

// networked are the types of file systems whose contents come over the
// network, or from another machine's side of a virtual one.
var networked = []string{"9p", "afs", "beegfs", "ceph", "cifs", "coda", "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "smb3", "smbfs", "virtiofs"}

// serves reports whether a type of file system is answered by a server or by a
// process of some user, which then sees the names that are looked up.
func serves(fstype string) bool {
	return slices.Contains(networked, fstype) || fstype == "fuse" || fstype == "fuseblk" || strings.HasPrefix(fstype, "fuse.")
}

// networkMounts returns the mounts of such types that can be seen inside.
func networkMounts(t *mounts, steps []plan.Step) []mount {
	var list []mount
	for _, m := range t.list {
		if serves(m.fstype) && t.visible(m) && shown(steps, m.point) {
			list = append(list, m)
		}
	}
	return list
}

// shown reports whether the host's files at a path can be seen: the last mount
// around it is a bind, or there is none.
func shown(steps []plan.Step, name string) bool {
	seen := !within("/proc", name)
	for _, step := range steps {
		switch st := step.(type) {
		case plan.Bind:
			if within(st.Path, name) {
				seen = st.Source == ""
			}
		case plan.Private:
			if within(st.Path, name) {
				seen = false
			}
		case plan.Cover:
			if within(st.Path, name) {
				seen = false
			}
		case plan.Devices:
			if within("/dev", name) {
				seen = false
			}
		}
	}
	return seen
}
