// SPDX-License-Identifier: Apache-2.0

// Package pathspec is what paths mean on each operating system, as pure
// functions of an OS and some text.
//
// It looks at no file, so that the rules of Windows can be tested and planned
// with on Linux. A path is compared after Clean, by Within or by its Key: two
// paths with one key name one file there. Following symbolic links is not its
// business; do that first, on a path that was not cleaned yet (".." after a
// link leads elsewhere than Clean says).
package pathspec

import (
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// OS selects the rules; its values are those of GOOS. Every OS but Windows and
// Darwin follows the rules of Linux.
type OS string

// The systems whose rules differ.
const (
	Linux   OS = "linux"
	Darwin  OS = "darwin"
	Windows OS = "windows"
)

// Separator is what Clean and Join put between names.
func (o OS) Separator() string {
	if o == Windows {
		return `\`
	}
	return "/"
}

// IsAbs reports whether p alone says where it leads. On Windows `\x` and `C:x`
// do not: they depend on a current drive.
func (o OS) IsAbs(p string) bool {
	if o != Windows {
		return strings.HasPrefix(p, "/")
	}
	volume, rest := splitVolume(p)
	return strings.HasPrefix(volume, `\\`) || volume != "" && rest != "" && isSlash(rest[0])
}

// Clean returns the shortest lexical form of p: no "." or "..", no doubled or
// trailing separator; ".." never leads above a root. On Windows it also gives
// `\\?\C:\x` as `C:\x`, the drive letter in upper case, and names without the
// trailing dots and spaces that the system does not see either.
func (o OS) Clean(p string) string {
	if o != Windows {
		return path.Clean(p)
	}
	return cleanWindows(p)
}

// Join puts name below dir and cleans the result; an absolute name stands for
// itself.
func (o OS) Join(dir string, name ...string) string {
	p := dir
	for _, n := range name {
		p += o.Separator() + n
	}
	return o.Clean(p)
}

// Dir returns the directory that holds the cleaned path p; a root is its own.
func (o OS) Dir(p string) string {
	volume, names := o.Split(p)
	if len(names) == 0 {
		return p
	}
	return o.Clean(volume + strings.Join(names[:len(names)-1], o.Separator()))
}

// Base returns the last name of the cleaned path p, or p itself for a root.
func (o OS) Base(p string) string {
	names := o.Components(p)
	if len(names) == 0 {
		return p
	}
	return names[len(names)-1]
}

// Components returns the names of the cleaned absolute path p below its root:
// none for "/", `C:\` and `\\server\share`.
func (o OS) Components(p string) []string {
	_, names := o.Split(p)
	return names
}

// Depth is the number of names below the root. The deeper of two paths that
// contain a third is the more specific one.
func (o OS) Depth(p string) int { return len(o.Components(p)) }

// Within reports whether child is parent or lies below it. Both are cleaned
// and absolute.
func (o OS) Within(parent, child string) bool {
	return withinKey(o.Key(parent), o.Key(child), o.Separator())
}

func withinKey(parent, child, sep string) bool {
	if !strings.HasPrefix(child, parent) {
		return false
	}
	return len(parent) == len(child) || strings.HasSuffix(parent, sep) || strings.HasPrefix(child[len(parent):], sep)
}

// Key returns the form of a cleaned path by which paths compare: paths that
// the system may take for the same one have the same key, and keys sort
// parents before children.
//
// On Linux it is the path. On Darwin and Windows case is folded, as their usual
// volumes do; a volume that tells case apart then has fewer names here than it
// has there, which errs towards one rule covering both. Names that differ only
// in Unicode normalisation have different keys.
func (o OS) Key(p string) string {
	if o != Windows && o != Darwin {
		return p
	}
	return fold(p)
}

// fold maps every rune to the least one of its case orbit.
func fold(s string) string {
	if isFolded(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			b.WriteByte(s[0]) // not text: kept, so that different bytes stay different
		} else {
			b.WriteRune(foldRune(r))
		}
		s = s[n:]
	}
	return b.String()
}

func isFolded(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || c >= 'a' && c <= 'z' {
			return false
		}
	}
	return true
}

func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}

// Split cuts a path into its root with the separator that ends it, and the
// names below. The root of a relative path is empty; "." and ".." of a path
// that was not cleaned are names.
func (o OS) Split(p string) (root string, names []string) {
	rest := p
	if o == Windows {
		root, rest = splitVolume(p)
		if strings.HasPrefix(root, `\\`) && rest == "" {
			return root, nil
		}
	}
	if rest != "" && rest[:1] == o.Separator() {
		root, rest = root+rest[:1], rest[1:]
	}
	if rest == "" {
		return root, nil
	}
	return root, slices.DeleteFunc(strings.Split(rest, o.Separator()), func(n string) bool { return n == "" })
}
