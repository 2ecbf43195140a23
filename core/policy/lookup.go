// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// maxListed is how many names a directory may hold to be listed.
const maxListed = 1000

// maxLinks is how many symbolic links one path may lead through; Linux allows
// as many.
const maxLinks = 40

// lookup finds what paths lead to, and asks the host about each path once.
type lookup struct {
	host  Host
	os    pathspec.OS
	homes []string
	seen  map[string]FileInfo
	known map[string]bool            // directories that are their own real path
	dirs  map[string]map[string]bool // the names in listed directories; nil where there are too many
}

func newLookup(h Host) *lookup {
	return &lookup{host: h, os: h.OS(), homes: h.Homes(), seen: map[string]FileInfo{}, known: map[string]bool{}, dirs: map[string]map[string]bool{}}
}

// place is where a path leads. Path is real but for its last name, and for
// whatever does not exist.
type place struct {
	Path string
	FileInfo
	// Block is where the path ends for want of a directory: the first part of
	// it that is absent or no directory. It is Path itself where only the last
	// name is absent, and empty where Path exists. BlockKind is what is there.
	Block     string
	BlockKind Kind
	Links     []string // the symbolic links on the way, Path excluded
	Asked     string   // the path that real was asked for
}

// lstat describes a path whose directory is real. What cannot be looked at is
// absent: neither could the command look at it.
func (l *lookup) lstat(path string) FileInfo {
	if info, ok := l.seen[path]; ok {
		return info
	}
	if i := strings.LastIndex(path, l.os.Separator()); i > 0 && l.unlisted(path[:i], path[i+1:]) {
		return FileInfo{Kind: KindAbsent}
	}
	info, err := l.host.Lstat(path)
	if err != nil {
		info = FileInfo{Kind: KindAbsent}
	}
	l.seen[path] = info
	return info
}

// list reads the names in a real directory where many are going to be asked
// for, so that absent ones cost nothing. A large directory is not worth it.
func (l *lookup) list(dir string) {
	if _, ok := l.dirs[dir]; ok {
		return
	}
	names, err := l.host.ReadDir(dir, maxListed)
	if err != nil {
		l.dirs[dir] = nil
		return
	}
	found := make(map[string]bool, len(names))
	for _, n := range names {
		found[l.os.Key(n)] = true
	}
	l.dirs[dir] = found
}

// unlisted reports whether a listing shows that dir has no entry of that name.
func (l *lookup) unlisted(dir, name string) bool {
	names := l.dirs[dir]
	return names != nil && name != "" && !names[l.os.Key(name)] && !l.os.MayBeShort(name)
}

// at follows every link of an absolute path but one in the last place.
func (l *lookup) at(path string) place { return l.walk(path, false) }

// real follows every link of an absolute path.
func (l *lookup) real(path string) place {
	at := l.walk(path, true)
	at.Asked = path
	return at
}

func (l *lookup) walk(path string, last bool) place {
	if l.os == pathspec.Windows {
		path = l.os.Clean(path) // ".." is lexical there
	}
	dir, rest := l.start(path)
	found := place{Path: dir}
	if len(rest) == 0 {
		found.FileInfo = l.lstat(dir)
	}
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == "." {
			continue
		}
		if name == ".." {
			dir = l.os.Dir(dir)
			found.Path, found.FileInfo = dir, l.lstat(dir)
			continue
		}
		full := l.below(dir, name)
		info := l.lstat(full)
		if info.Name != "" && info.Name != name {
			full = l.below(dir, info.Name)
		}
		found.Path, found.FileInfo = full, info
		switch {
		case info.Kind == KindSymlink && (last || len(rest) > 0):
			text, err := l.host.Readlink(full)
			if found.Links = append(found.Links, full); err != nil || len(found.Links) > maxLinks {
				return l.absent(found, full, KindSymlink, rest)
			}
			root, names := l.os.Split(text)
			if root != "" {
				if !l.os.IsAbs(text) {
					return l.absent(found, full, KindSymlink, rest)
				}
				dir = root
			}
			found.Path, found.FileInfo = dir, l.lstat(dir)
			rest = append(names[:len(names):len(names)], rest...)
		case info.Kind == KindAbsent, info.Kind != KindDir && len(rest) > 0:
			return l.absent(found, full, info.Kind, rest)
		default:
			dir = full
			l.known[dir] = l.known[dir] || info.Kind == KindDir
		}
	}
	return found
}

// start cuts a path where a walk has to begin: at its root, or at its directory
// if that was walked before.
func (l *lookup) start(path string) (dir string, rest []string) {
	if i := strings.LastIndex(path, l.os.Separator()); i > 0 && l.known[path[:i]] {
		if name := path[i+1:]; name != "" && name != "." && name != ".." {
			return path[:i], []string{name}
		}
	}
	return l.os.Split(path)
}

// absent gives the place of a path that ends at block.
func (l *lookup) absent(found place, block string, kind Kind, rest []string) place {
	found.Path = l.os.Join(block, rest...)
	found.FileInfo = FileInfo{Kind: KindAbsent}
	found.Block, found.BlockKind = block, kind
	return found
}

// below joins a cleaned directory and one name.
func (l *lookup) below(dir, name string) string {
	if strings.HasSuffix(dir, l.os.Separator()) {
		return dir + name
	}
	return dir + l.os.Separator() + name
}

// absolute returns the path that an entry means, not cleaned: dir is what a
// relative one is relative to.
func (l *lookup) absolute(value, dir string) (string, error) {
	if err := l.os.Check(value); err != nil {
		return "", err
	}
	if !utf8.ValidString(value) {
		return "", fmt.Errorf("%q is not UTF-8 text", value)
	}
	if rest, ok := l.belowHome(value); ok {
		home := l.home()
		if home == "" {
			return "", fmt.Errorf("%q needs a home directory and there is none", value)
		}
		return l.plain(home + rest), nil
	}
	if l.os.IsAbs(value) {
		return l.plain(value), nil
	}
	if l.os == pathspec.Windows && (strings.HasPrefix(value, `\`) || strings.HasPrefix(value, "/") || strings.Contains(value, ":")) {
		return "", fmt.Errorf("%q depends on a current drive; write the drive and the whole path", value)
	}
	if dir == hereDir {
		wd, err := l.host.Getwd()
		if err != nil {
			return "", fmt.Errorf("the current directory cannot be told: %w", err)
		}
		dir = wd
	}
	return l.plain(dir + l.os.Separator() + value), nil
}

// belowHome returns what follows "~" in a path that begins with it.
func (l *lookup) belowHome(value string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(value, "~")
	return rest, ok && (rest == "" || rest[0] == '/' || rest[:1] == l.os.Separator())
}

// home is the directory that "~" means: $HOME before the user database, as in
// every shell. It is empty where there is none.
func (l *lookup) home() string {
	if len(l.homes) == 0 {
		return ""
	}
	return l.homes[len(l.homes)-1]
}

// plain is Clean where ".." is lexical, so that walk sees the links elsewhere.
func (l *lookup) plain(path string) string {
	if l.os == pathspec.Windows {
		return l.os.Clean(path)
	}
	return path
}
