// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package gitstate

import (
	"bytes"
	"encoding/hex"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	maxTips    = 2000 // refs that are looked at
	maxTracked = 1000 // files of a directory that are compared
	maxRefs    = 8 << 20
)

// Tracked is what the repositories of a plan held at a path before the run: in
// the commits that branches, remote branches and tags name, see Begin. A name
// that a branch tracks may appear because the branch was checked out. Older
// commits are not searched.
type Tracked struct {
	entries []treeEntry
	of      []*oldObjects // where each entry is from
	stores  []*oldObjects
}

// treeEntry is an entry of a git tree.
type treeEntry struct {
	mode string
	name string
	id   objectID
}

// Find looks a path up. It is of the name of a file, whatever is there now. The
// result must be closed.
func (g *State) Find(name string) *Tracked {
	t := &Tracked{}
	for _, dir := range g.dirs {
		root := worktree(dir)
		inside, ok := strings.CutPrefix(name, root+"/")
		if root == "" || !ok || strings.HasPrefix(inside, ".git/") { // git checks nothing out below .git, whatever a tree holds
			continue
		}
		common := commonDir(dir)
		before, ids := g.start, g.tips[dir]
		if g.settable {
			before = farFuture() // an id says what the content is, whoever wrote it
		} else {
			ids = tips(dir, common)
		}
		objects := openObjects(path.Join(common, "objects"), before)
		t.stores = append(t.stores, objects)
		seen := map[objectID]bool{}
		for _, tip := range ids {
			entry, err := objects.lookup(tip, strings.Split(inside, "/"))
			if err == nil && !seen[entry.id] {
				seen[entry.id] = true
				t.entries = append(t.entries, entry)
				t.of = append(t.of, objects)
			}
		}
	}
	return t
}

// commonDir is the repository of a git directory, which for a linked worktree
// is another directory.
func commonDir(dir string) string {
	b, err := readSmall(path.Join(dir, "commondir"), maxGitRef)
	if err != nil {
		return dir
	}
	name := strings.TrimSuffix(string(b), "\n")
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(dir, name)
}

// tips are the ids that refs name.
func tips(dir, common string) []objectID {
	var ids []objectID
	known := map[objectID]bool{}
	add := func(text string) {
		var id objectID
		if len(text) != hex.EncodedLen(len(id)) || len(ids) >= maxTips {
			return
		}
		if _, err := hex.Decode(id[:], []byte(text)); err == nil && !known[id] {
			known[id] = true
			ids = append(ids, id)
		}
	}
	for _, name := range []string{path.Join(dir, "HEAD"), path.Join(dir, "ORIG_HEAD")} {
		b, _ := readSmall(name, maxGitRef)
		add(strings.TrimSpace(string(b)))
	}
	_ = filepath.WalkDir(path.Join(common, "refs"), func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			b, _ := readSmall(name, maxGitRef)
			add(strings.TrimSpace(string(b)))
		}
		if len(ids) >= maxTips {
			return fs.SkipAll
		}
		return nil
	})
	packed, _ := readSmall(path.Join(common, "packed-refs"), maxRefs)
	for line := range strings.Lines(string(packed)) {
		id, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		add(strings.TrimPrefix(id, "^")) // what the tag of the line before names
	}
	return ids
}

// tree is the tree of a commit.
func (o *oldObjects) tree(commit objectID) (treeEntry, error) {
	text, err := o.read("commit", commit)
	if err != nil {
		return treeEntry{}, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	word, ok := strings.CutPrefix(line, "tree ")
	entry := treeEntry{mode: "40000"}
	if n, err := hex.Decode(entry.id[:], []byte(word[:min(len(word), 2*len(entry.id))])); !ok || err != nil || n != len(entry.id) {
		return treeEntry{}, errNoObject
	}
	return entry, nil
}

// lookup finds a path in the tree of a commit.
func (o *oldObjects) lookup(commit objectID, names []string) (treeEntry, error) {
	entry, err := o.tree(commit)
	if err != nil {
		return treeEntry{}, err
	}
	for _, name := range names {
		if entry, err = o.child(entry, name); err != nil {
			return treeEntry{}, err
		}
	}
	return entry, nil
}

func (o *oldObjects) child(dir treeEntry, name string) (treeEntry, error) {
	if dir.mode != "40000" {
		return treeEntry{}, errNoObject
	}
	text, err := o.read("tree", dir.id)
	if err != nil {
		return treeEntry{}, err
	}
	for len(text) > 0 {
		head, rest, ok := bytes.Cut(text, []byte{0})
		if !ok || len(rest) < len(dir.id) {
			return treeEntry{}, errNoObject
		}
		mode, entry, _ := strings.Cut(string(head), " ")
		if entry == name {
			return treeEntry{mode, entry, objectID(rest[:len(dir.id)])}, nil
		}
		text = rest[len(dir.id):]
	}
	return treeEntry{}, errNoObject
}

// Known reports whether a commit holds something at the path.
func (t *Tracked) Known() bool { return len(t.entries) > 0 }

// Holds says whether what is at a path is what one of the commits holds there.
// Of a directory every file must be; some may be missing.
func (t *Tracked) Holds(name string) bool {
	for i, entry := range t.entries {
		left := maxTracked
		if t.of[i].equals(name, entry, &left) {
			return true
		}
	}
	return false
}

func (o *oldObjects) equals(name string, entry treeEntry, left *int) bool {
	if *left--; *left < 0 {
		return false
	}
	st, ok := stampOf(name)
	if !ok {
		return false
	}
	switch {
	case st.kind == unix.S_IFREG && strings.HasPrefix(entry.mode, "100"):
		b, err := readSmall(name, maxObject)
		return err == nil && hashObject("blob", b) == entry.id
	case st.kind == unix.S_IFLNK && entry.mode == "120000":
		target, err := os.Readlink(name)
		return err == nil && hashObject("blob", []byte(target)) == entry.id
	case st.kind == unix.S_IFDIR && entry.mode == "40000":
		files, err := os.ReadDir(name)
		if err != nil {
			return false
		}
		for _, f := range files {
			child, err := o.child(entry, f.Name())
			if err != nil || !o.equals(path.Join(name, f.Name()), child, left) {
				return false
			}
		}
		return true
	}
	return false
}

// Close closes the files of the repositories.
func (t *Tracked) Close() {
	for _, o := range t.stores {
		o.close()
	}
}
