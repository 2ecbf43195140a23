// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
)

// A protected directory is read-only, but a symbolic link in it may lead to
// what is not: the hook that is a link to a script of the checkout, settings
// that are kept elsewhere. What it leads to is protected as well.

const (
	// maxLinkDirs and maxLinkDepth bound the directories that are searched for
	// links, per writable root, and how deep.
	maxLinkDirs  = 100
	maxLinkDepth = 4
)

// linkSearch looks for links in protected directories.
type linkSearch struct {
	*resolver
	origin Origin
	left   int // directories that may still be searched
}

// addLinked protects what the links below a protected path lead to, inside the
// writable roots. What is absent there is moved away when it appears.
func (r *resolver) addLinked(path string, o Origin) {
	s := linkSearch{resolver: r, origin: o, left: maxLinkDirs}
	s.search(r.real(path), 0)
}

func (s *linkSearch) search(at place, depth int) {
	if at.Kind != KindDir || depth > maxLinkDepth || s.left == 0 || s.holdsRoot(at.Path) {
		return
	}
	s.left--
	names, err := s.host.ReadDir(at.Path, maxListed)
	if err != nil {
		return
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasSuffix(name, ".sample") { // the hooks that git itself puts there, which it does not run
			continue
		}
		full := s.below(at.Path, name)
		switch info := s.lstat(full); info.Kind {
		case KindDir:
			s.search(place{Path: full, FileInfo: info}, depth+1)
		case KindSymlink:
			if to := s.real(full); s.touchesRoot(to) {
				s.protect(to, HoldQuarantine, "", s.origin, LayerStandard)
			}
		}
	}
}

// holdsRoot reports whether a directory is a writable root or holds one.
func (r *resolver) holdsRoot(dir string) bool {
	return slices.ContainsFunc(r.roots, func(t root) bool { return r.os.Within(dir, t.path) })
}

// ranByGit reports whether ordinary commands of git run the program that a
// setting names: status, diff, log, add, commit, checkout, merge, fetch, push.
// Aliases and the tools that a person starts by name (difftool, mergetool, web
// browsers) are not among them, as little as the targets of a Makefile.
func ranByGit(key string) bool {
	section, rest, _ := strings.Cut(key, ".")
	last := rest[strings.LastIndex(rest, ".")+1:]
	nested := last != rest
	switch section {
	case "core":
		return slices.Contains([]string{"alternaterefscommand", "askpass", "editor", "gitproxy", "pager", "sshcommand"}, rest)
	case "sequence":
		return rest == "editor"
	case "diff":
		return rest == "external" || nested && (last == "command" || last == "textconv")
	case "filter":
		return nested && (last == "clean" || last == "smudge" || last == "process")
	case "merge":
		return nested && last == "driver"
	case "interactive":
		return rest == "difffilter"
	case "pager":
		return true
	case "credential":
		return last == "helper"
	case "hook": // hooks by configuration, Git 2.54
		return nested && last == "command"
	case "gpg":
		return last == "program" || last == "defaultkeycommand"
	case "trailer":
		return nested && (last == "command" || last == "cmd")
	case "remote":
		return nested && (last == "uploadpack" || last == "receivepack")
	case "submodule":
		return nested && last == "update"
	case "gc":
		return rest == "recentobjectshook"
	case "uploadpack":
		return rest == "packobjectshook"
	}
	return false
}
