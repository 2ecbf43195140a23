// SPDX-License-Identifier: Apache-2.0

package access

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Volume is a tree of files with their descriptors: a model of a file system
// with access lists. Paths are compared without case and separated by "\".
// Changes to a list are passed on to what is below, as SetNamedSecurityInfo
// does. The zero value is empty. It is used by one goroutine at a time.
type Volume struct {
	nodes map[string]*node
}

type node struct {
	path string
	sort string // orders parents before what is in them
	dir  bool
	sd   Descriptor
}

func key(path string) string { return strings.ToLower(strings.TrimRight(path, `\`)) }

func parentOf(path string) string {
	k := strings.TrimRight(path, `\`)
	i := strings.LastIndexByte(k, '\\')
	if i < 0 {
		return ""
	}
	return k[:i]
}

// Put adds a file or directory, or gives an existing one another descriptor.
func (v *Volume) Put(path string, dir bool, d Descriptor) {
	if v.nodes == nil {
		v.nodes = map[string]*node{}
	}
	v.nodes[key(path)] = &node{path, strings.ReplaceAll(key(path), `\`, "\x00"), dir, d.Clone()}
}

// Make adds a file or directory that inherits its list. The directory that it
// is in must be there.
func (v *Volume) Make(path string, dir bool, owner, group SID) error {
	parent := v.nodes[key(parentOf(path))]
	if parent == nil {
		return fmt.Errorf("make %s: %w", path, fs.ErrNotExist)
	}
	v.Put(path, dir, NewChild(parent.sd, dir, owner, group, nil, Files()))
	return nil
}

// Delete removes what is at path; nothing may be below.
func (v *Volume) Delete(path string) { delete(v.nodes, key(path)) }

// Exists reports whether the path is there.
func (v *Volume) Exists(path string) bool { return v.nodes[key(path)] != nil }

// IsDir reports whether the path is a directory that is there.
func (v *Volume) IsDir(path string) bool {
	n := v.nodes[key(path)]
	return n != nil && n.dir
}

// Descriptor returns the descriptor of a path, or that of what would be made
// there: one that inherits from the nearest directory that exists.
func (v *Volume) Descriptor(path string) (Descriptor, bool) {
	if n := v.nodes[key(path)]; n != nil {
		return n.sd.Clone(), true
	}
	var missing []string
	for p := path; ; {
		missing = append(missing, p)
		if p = parentOf(p); p == "" {
			return Descriptor{}, false
		}
		n := v.nodes[key(p)]
		if n == nil {
			continue
		}
		d := n.sd
		for range missing {
			d = NewChild(d, true, d.Owner, d.Group, nil, Files())
		}
		return d, true
	}
}

// Paths returns all paths, parents first.
func (v *Volume) Paths() []string {
	nodes := slices.SortedFunc(maps.Values(v.nodes), func(a, b *node) int { return strings.Compare(a.sort, b.sort) })
	list := make([]string, len(nodes))
	for i, n := range nodes {
		list[i] = n.path
	}
	return list
}

// Settle passes every list on to what is below, as if each had just been set.
// A tree that was copied or restored can hold lists that disagree with those
// above; the system brings them into agreement at the next change above, which
// nothing undoes.
func (v *Volume) Settle() {
	for _, p := range v.Paths() {
		n, parent := v.nodes[key(p)], v.nodes[key(parentOf(p))]
		if parent != nil {
			n.sd = Restamp(n.sd, parent.sd, n.dir, Files())
		}
	}
}

// Add puts an explicit ACE into the list of a path and passes it on. The result
// says whether the list changed: an equal entry may stand there.
func (v *Volume) Add(path string, a ACE) (bool, error) { return v.edit(path, a, Insert) }

// Take removes an explicit ACE from the list of a path and what it passed on.
func (v *Volume) Take(path string, a ACE) (bool, error) { return v.edit(path, a, Remove) }

func (v *Volume) edit(path string, a ACE, change func([]ACE, ACE) ([]ACE, bool)) (bool, error) {
	n := v.nodes[key(path)]
	if n == nil {
		return false, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	if n.sd.DACL == nil {
		return false, fmt.Errorf("%s: a list that grants everything takes no entries", path)
	}
	a.Mask = Files().Map(a.Mask)
	list, changed := change(n.sd.DACL, a)
	if changed {
		n.sd.DACL = list
		v.restamp(n)
	}
	return changed, nil
}

// restamp passes the list of n on to everything below.
func (v *Volume) restamp(top *node) {
	for _, p := range v.Paths() {
		if !strings.HasPrefix(key(p), key(top.path)+`\`) {
			continue
		}
		n, parent := v.nodes[key(p)], v.nodes[key(parentOf(p))]
		if parent != nil {
			n.sd = Restamp(n.sd, parent.sd, n.dir, Files())
		}
	}
}

// Snapshot writes every path with its descriptor, one a line, so that equal
// volumes are equal text.
func (v *Volume) Snapshot() string {
	var b strings.Builder
	for _, p := range v.Paths() {
		n := v.nodes[key(p)]
		fmt.Fprintf(&b, "%s %t %s\n", n.path, n.dir, n.sd)
	}
	return b.String()
}
