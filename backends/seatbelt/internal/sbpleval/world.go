// SPDX-License-Identifier: Apache-2.0

package sbpleval

import (
	"fmt"
	"path"
	"strings"
)

// World is a small file system of macOS: directories, files, symbolic links and
// devices on a volume that ignores case and normalisation, or does not. It is
// not changed by what is asked of it, and safe for concurrent use.
type World struct {
	sensitive bool
	files     map[string]file // by key
}

type file struct {
	path   string // as the directory spells it
	kind   string // as Request.Type
	target string // of a symbolic link
}

// NewWorld makes a file system of a list with one path a line: "/a/b/" is a
// directory, "/a/l -> target" a symbolic link, "/dev/null device" a character
// device, "/a/s socket" a socket, anything else a file. Directories above need
// no line.
func NewWorld(list string, sensitive bool) (*World, error) {
	w := &World{sensitive: sensitive, files: map[string]file{}}
	w.files["/"] = file{path: "/", kind: "DIRECTORY"}
	for line := range strings.SplitSeq(list, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		f := file{path: line, kind: "REGULAR-FILE"}
		if name, target, ok := strings.Cut(line, " -> "); ok {
			f = file{path: name, kind: "SYMLINK", target: target}
		} else if name, ok := strings.CutSuffix(line, " device"); ok {
			f = file{path: name, kind: "CHARACTER-DEVICE"}
		} else if name, ok := strings.CutSuffix(line, " socket"); ok {
			f = file{path: name, kind: "SOCKET"}
		} else if name, ok := strings.CutSuffix(line, "/"); ok {
			f = file{path: name, kind: "DIRECTORY"}
		}
		if !path.IsAbs(f.path) || path.Clean(f.path) != f.path {
			return nil, fmt.Errorf("the path %q is not clean", f.path)
		}
		if old, ok := w.files[w.key(f.path)]; ok && old.kind != f.kind {
			return nil, fmt.Errorf("%s is there twice", f.path)
		}
		w.files[w.key(f.path)] = f
		for dir := path.Dir(f.path); dir != "/"; dir = path.Dir(dir) {
			if _, ok := w.files[w.key(dir)]; !ok {
				w.files[w.key(dir)] = file{path: dir, kind: "DIRECTORY"}
			}
		}
	}
	return w, nil
}

func (w *World) key(p string) string {
	if w.sensitive {
		return p
	}
	return fold(p)
}

// firmLinks are the directories that the system volume shows from the data
// volume. The kernel names what is in them by the short path.
func firmLinks() []string {
	return []string{"/Applications", "/Library", "/Users", "/Volumes", "/cores", "/opt", "/private", "/usr/local"}
}

const dataVolume = "/System/Volumes/Data"

// short is the path by which the kernel names a file of the data volume.
func short(p string) string {
	rest, ok := strings.CutPrefix(p, dataVolume)
	if !ok {
		return p
	}
	for _, link := range firmLinks() {
		if rest == link || strings.HasPrefix(rest, link+"/") {
			return rest
		}
	}
	return p
}

// maxLinks bounds a walk, as MAXSYMLINKS does.
const maxLinks = 32

// lookup walks a path as the kernel does and gives the file that it leads to,
// named as the kernel names it. Only the last name may be absent; then the name
// is the one that was typed. last says whether a symbolic link there is
// followed.
func (w *World) lookup(name string, last bool) (found file, exists bool, err error) {
	if !path.IsAbs(name) {
		return file{}, false, fmt.Errorf("the path %q is relative", name)
	}
	rest := strings.Split(strings.TrimPrefix(name, "/"), "/")
	at, links := file{path: "/", kind: "DIRECTORY"}, 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch {
		case part == "" || part == ".":
			continue
		case at.kind != "DIRECTORY":
			return file{}, false, fmt.Errorf("%s: %s is no directory", name, at.path)
		case part == "..":
			at = w.files[w.key(path.Dir(at.path))]
			continue
		}
		typed := path.Join(at.path, part)
		next, ok := w.files[w.key(short(typed))]
		switch {
		case !ok && strings.Join(rest, "") != "":
			return file{}, false, fmt.Errorf("%s: there is no %s", name, typed)
		case !ok:
			return file{path: short(typed)}, false, nil
		case next.kind == "SYMLINK" && (last || len(rest) > 0):
			if links++; links > maxLinks {
				return file{}, false, fmt.Errorf("%s: too many links", name)
			}
			if path.IsAbs(next.target) {
				at = w.files["/"]
			}
			rest = append(strings.Split(next.target, "/"), rest...)
			continue
		}
		at = next
	}
	return at, true, nil
}
