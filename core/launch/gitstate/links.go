// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package gitstate

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// A gitlink is an entry of an index or a tree that stands for a repository. Git
// looks into what is at its path even for a plain status, and obeys the
// configuration that it finds there. What is in no index and not in HEAD git
// does not go into: such repositories are not looked for.

// maxLinkTrees bounds the directories of HEAD that are searched for gitlinks.
const maxLinkTrees = 1000

// linked are the files, below the path of a gitlink, that git obeys.
var linked = [...]string{".git", ".git/config", ".git/config.worktree", ".git/commondir", ".git/hooks"}

// noteLinks notes what is at the gitlinks of a git directory.
func (g *State) noteLinks(dir string) {
	root := worktree(dir)
	if root == "" {
		return
	}
	links, _ := readGitlinks(dir) // an index that cannot be read is reported if it changes
	for _, link := range links {
		if sub := path.Join(root, link); strings.HasPrefix(sub, root+"/") {
			g.known[dir] = append(g.known[dir], sub)
			g.links[sub] = g.linkStamps(sub)
		}
	}
}

// linkStamps are those of what git obeys at a gitlink.
func (g *State) linkStamps(sub string) map[string]stamp {
	stamps := map[string]stamp{}
	note := func(name string) {
		if s, ok := stampOf(name); ok {
			stamps[name] = s
		}
	}
	for _, name := range linked {
		note(path.Join(sub, name))
	}
	if s := stamps[path.Join(sub, ".git")]; s.kind != unix.S_IFDIR {
		// A file names the repository; those that the plan knows are protected.
		text, _ := readSmall(path.Join(sub, ".git"), maxGitRef)
		if to, ok := strings.CutPrefix(strings.TrimSuffix(string(text), "\n"), "gitdir: "); ok {
			if !path.IsAbs(to) {
				to = path.Join(sub, to)
			}
			if to = path.Clean(to); !slices.Contains(g.dirs, to) {
				for _, name := range linked[1:] {
					note(path.Join(to, strings.TrimPrefix(name, ".git/")))
				}
			}
		}
	}
	return stamps
}

// linkChanged says whether the repository at a gitlink was made or changed: one
// that was no gitlink at the start, whenever it is there.
func (g *State) linkChanged(sub string) bool {
	was, known := g.links[sub]
	for name, now := range g.linkStamps(sub) {
		before, there := was[name]
		switch {
		case !known || !there || before.ino != now.ino:
			return true
		case name == path.Join(sub, ".git") && sameDir(before, now): // its files come and go
		case before.changed != now.changed:
			return true
		}
	}
	return false
}

// sameDir says whether two stamps of one inode number are of one directory.
func sameDir(a, b stamp) bool {
	return a.kind == unix.S_IFDIR && b.kind == unix.S_IFDIR && a.born != 0 && a.born == b.born
}

// tellLinks reports the repositories at the gitlinks of a git directory.
func (g *State) tellLinks(dir, root string, tell func(diag.Diagnostic)) {
	links := slices.Clone(g.known[dir])
	add := func(more []string) {
		for _, link := range more {
			if sub := path.Join(root, link); strings.HasPrefix(sub, root+"/") && !slices.Contains(links, sub) {
				links = append(links, sub)
			}
		}
	}
	if index := path.Join(dir, "index"); g.changed(index) {
		more, err := readGitlinks(dir)
		if err != nil {
			tell(appeared(fmt.Sprintf("%s cannot be searched for repositories that were made: %v", diag.Quote(index), err), root))
		}
		add(more)
	}
	add(g.headLinks(dir))
	for _, sub := range links {
		if g.linkChanged(sub) {
			tell(appeared(diag.Quote(sub)+" is a repository that was made or changed, and the index or HEAD makes git look into it", root))
		}
	}
}

// headLinks returns the gitlinks of the commit that HEAD names, if it came to
// name another one since the start. The index may be made to hold what HEAD
// does by an ordinary command, such as git reset.
func (g *State) headLinks(dir string) []string {
	common := commonDir(dir)
	moved := g.young(path.Join(dir, "HEAD")) || g.young(path.Join(common, "packed-refs"))
	text, _ := readSmall(path.Join(dir, "HEAD"), maxGitRef)
	word := strings.TrimSpace(string(text))
	if ref, ok := strings.CutPrefix(word, "ref: "); ok {
		at := path.Join(common, ref)
		moved = moved || g.young(at)
		text, _ := readSmall(at, maxGitRef)
		word = strings.TrimSpace(string(text))
		if len(text) == 0 {
			word = packedRef(common, ref)
		}
	}
	var commit objectID
	if n, err := hex.Decode(commit[:], []byte(word[:min(len(word), 2*len(commit))])); !moved || err != nil || n != len(commit) {
		return nil
	}
	objects := openObjects(path.Join(common, "objects"), farFuture())
	defer objects.close()
	return objects.gitlinks(commit)
}

// packedRef is what packed-refs says of a ref, "" for nothing.
func packedRef(common, ref string) string {
	text, _ := readSmall(path.Join(common, "packed-refs"), maxRefs)
	for line := range strings.Lines(string(text)) {
		if id, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == ref {
			return id
		}
	}
	return ""
}

// gitlinks searches the first directories of a commit.
func (o *oldObjects) gitlinks(commit objectID) []string {
	type place struct {
		dir string
		id  objectID
	}
	root, err := o.tree(commit)
	if err != nil {
		return nil
	}
	var links []string
	for left, searched := []place{{"", root.id}}, 0; len(left) > 0 && searched < maxLinkTrees; searched++ {
		at := left[0]
		left = left[1:]
		text, err := o.read("tree", at.id)
		if err != nil {
			continue
		}
		for len(text) > 0 {
			head, rest, ok := bytes.Cut(text, []byte{0})
			if !ok || len(rest) < len(at.id) {
				break
			}
			mode, name, _ := strings.Cut(string(head), " ")
			switch name = path.Join(at.dir, name); mode {
			case "160000":
				links = append(links, name)
			case "40000":
				left = append(left, place{name, objectID(rest[:len(at.id)])})
			}
			text = rest[len(at.id):]
		}
	}
	return links
}
