// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// addControls protects, in every writable root, what runs code later outside.
// Absent names are held in a workspace and where a repository is; in a further
// root, such as a cache, only what exists is protected.
func (r *resolver) addControls() error {
	if len(r.roots) == 0 {
		return nil
	}
	sets := []Set{
		{Name: "@repo-control", Members: repoControl()},
		{Name: "@editor-control", Members: editorControl()},
		{Name: "@agent-control", Members: agentControl()},
	}
	for i, t := range r.roots {
		r.list(t.path)
		if r.lstat(r.below(t.path, ".git")).Kind != KindAbsent {
			r.roots[i].work = true
		}
		r.addGit(r.roots[i])
		for _, set := range sets {
			for _, m := range set.Members {
				if m.Computed || m.OS != "" && m.OS != string(r.os) {
					continue
				}
				hold := m.Absent
				if !r.roots[i].work {
					hold = HoldNone
				}
				at, o := r.real(r.below(t.path, m.Path)), Origin{File: originStandard, Set: set.Name}
				r.protect(at, hold, "", o, LayerStandard)
				if at.Kind == KindDir {
					r.addLinked(at.Path, o)
				}
			}
		}
	}
	return nil
}

// addPolicyFiles protects the files that this policy was read from: who could
// change one would decide what the next sandbox is.
func (r *resolver) addPolicyFiles() error {
	for _, file := range r.policy.read {
		at := r.real(r.plain(file))
		inSet := r.os.Base(file) == ProjectFile && slices.ContainsFunc(r.roots, func(t root) bool { return r.os.Key(t.path) == r.os.Key(r.os.Dir(at.Path)) })
		if !inSet && r.touchesRoot(at) { // @agent-control has the file of a root, and lifts it
			r.protect(at, HoldNone, "", Origin{File: file}, LayerUser)
		}
	}
	return nil
}

// addSecrets hides the members of @secrets that exist.
func (r *resolver) addSecrets() error {
	homes := make([]string, 0, len(r.homes))
	for _, h := range r.homes {
		if at := r.real(h); at.Kind == KindDir {
			homes = append(homes, at.Path)
		}
	}
	privileged := r.host.Privileged()
	for _, m := range secrets() {
		if m.OS != "" && m.OS != string(r.os) {
			continue
		}
		switch {
		case strings.HasPrefix(m.Path, "~/"):
			for _, home := range homes {
				r.addSecret(home, m.Path[2:])
			}
		case strings.HasPrefix(m.Path, "$"):
			name, rest, _ := strings.Cut(m.Path[1:], "/")
			for _, dir := range r.variable(name, m.List) {
				if rest == "" {
					r.hideSecret(r.real(dir))
				} else {
					r.hideSecret(r.real(r.os.Join(dir, rest)))
				}
			}
		case privileged: // others cannot read what is not theirs
			r.hideSecret(r.real(m.Path))
		}
	}
	return nil
}

// variable returns the absolute paths that an environment variable holds.
func (r *resolver) variable(name string, list bool) []string {
	value := r.host.Getenv(name)
	if value == "" {
		return nil
	}
	values := []string{value}
	if list {
		separator := ":"
		if r.os == pathspec.Windows {
			separator = ";"
		}
		values = strings.Split(value, separator)
	}
	var paths []string
	for _, v := range values {
		if r.os.IsAbs(v) && r.os.Check(v) == nil {
			paths = append(paths, r.plain(v))
		}
	}
	return paths
}

// crowded are the directories of a home that hold many members. They are
// listed once; elsewhere a look at each name costs less.
const crowded = " .config .local .local/share .cache Library Library/Application Support "

// addSecret hides a member below a home directory. Most do not exist, and the
// listing of a crowded directory tells so for many at once.
func (r *resolver) addSecret(home, member string) {
	dir, above := home, ""
	for rest, more := member, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		if above == "" || strings.Contains(crowded, " "+above+" ") {
			if r.list(dir); r.unlisted(dir, name) {
				return
			}
		}
		dir = r.below(dir, name)
		if kind := r.lstat(dir).Kind; kind == KindAbsent {
			return
		} else if kind != KindDir {
			break // a link: the walk below tells
		}
		above = strings.TrimPrefix(above+"/"+name, "/")
	}
	r.hideSecret(r.real(r.os.Join(home, member)))
}

// hideSecret hides a member where it is a file or a directory. A history that
// leads to /dev/null is no secret.
func (r *resolver) hideSecret(at place) {
	if (at.Kind == KindFile || at.Kind == KindDir) && r.os.Depth(at.Path) > 0 {
		r.hide(at, Origin{File: originStandard, Set: "@secrets"}, LayerStandard)
	}
}
