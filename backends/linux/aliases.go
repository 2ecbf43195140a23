// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"slices"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// aliases returns the rules for the other names that hidden, protected and
// held paths have: a bind mount, a second mount of a device, or a subvolume
// inside its whole file system shows the same files elsewhere. A rule means the
// file, so it goes with every name that the mount table knows. files are the
// mount points that are not directories.
//
// What is shown inside something hidden is shown under its own name only.
// A mount below a hidden path is hidden there with it; what it holds is not
// hidden where it is mounted on another path of its own. Hard links have no
// place in the mount table; the contract says so.
func aliases(rules []policy.Rule, t *mounts, files []string) []policy.Rule {
	if !t.shared {
		return nil
	}
	var found []policy.Rule
	add := func(r policy.Rule, name string) {
		if name != r.Path && !within(name, r.Path) { // not what the path itself lies in
			r.Path, r.Root, r.Unprotect = name, false, false
			found = append(found, r)
		}
	}
	for _, r := range rules {
		if !fixed(r) {
			continue
		}
		home := t.at(r.Path)
		if home == nil || !within(home.point, r.Path) {
			continue
		}
		inside := moved(r.Path, home.point, home.root)
		for _, m := range t.list {
			if m.device != home.device || m.id == home.id || !t.visible(m) {
				continue
			}
			switch {
			case within(m.root, inside):
				if name := moved(inside, m.root, m.point); t.at(name).id == m.id {
					add(elsewhere(r), name)
				}
			case within(inside, m.root) && !within(r.Path, m.point):
				part := elsewhere(r)
				part.Kind, part.Dev, part.Ino = kindOfPoint(m, files), 0, 0
				add(part, m.point)
			}
		}
	}
	return found
}

// fixed reports whether a rule restricts something that is there when the
// sandbox starts, the placeholder of a held path included.
func fixed(r policy.Rule) bool {
	held := r.Hold == policy.HoldDir || r.Hold == policy.HoldFile || r.Hold == policy.HoldLink
	return r.Access != policy.Write && (r.Kind != policy.KindAbsent || held)
}

// elsewhere is a rule as it is under another name. A placeholder is made and
// counted under its first name; under the others it is there to be protected.
func elsewhere(r policy.Rule) policy.Rule {
	switch r.Hold {
	case policy.HoldDir:
		return policy.Rule{Path: r.Path, Access: policy.Read, Kind: policy.KindDir, Origin: r.Origin}
	case policy.HoldLink:
		return policy.Rule{Path: r.Path, Access: policy.Read, Kind: policy.KindSymlink, Origin: r.Origin}
	case policy.HoldFile:
		return policy.Rule{Path: r.Path, Access: policy.Read, Kind: policy.KindFile, Origin: r.Origin}
	}
	return r
}

// kindOfPoint is the kind of a mount point.
func kindOfPoint(m mount, files []string) policy.Kind {
	if slices.Contains(files, m.point) {
		return policy.KindFile
	}
	return policy.KindDir
}
