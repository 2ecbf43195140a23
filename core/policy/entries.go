// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// addEntries reads the path rules of every layer.
func (r *resolver) addEntries() error {
	for _, s := range []struct {
		name string
		add  func(entry, string) error
	}{
		{"files.hide", r.addHide},
		{"files.protect", r.addProtect},
		{"files.show", r.addShow},
		{"files.unprotect", r.addUnprotect},
	} {
		for _, e := range r.policy.entries(s.name) {
			if isSet(e.Value) {
				if err := r.addSet(s.name, e); err != nil {
					return err
				}
				continue
			}
			paths, err := r.paths(e)
			if err != nil {
				return err
			}
			for _, p := range paths {
				if err := s.add(e, p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// addSet handles the name of a set. The built-in policy hides and protects
// every set already, so that naming one again changes nothing.
func (r *resolver) addSet(setting string, e entry) error {
	if e.Layer == LayerStandard {
		return nil
	}
	if _, ok := setNamed(e.Value); !ok {
		message, remedy := unknownSet(e.Value)
		return refuseEntry(diag.PolicyInvalid, e, setting+": "+message, remedy)
	}
	switch setting {
	case "files.show":
		r.lifts = append(r.lifts, lift{say: sayHide, set: e.Value})
	case "files.unprotect":
		r.lifts = append(r.lifts, lift{say: sayProtect, set: e.Value})
	}
	return nil
}

func (r *resolver) addHide(e entry, path string) error {
	at := r.real(path)
	if at.Kind == KindAbsent {
		// A path that the caller names may be a slip, and then a secret stays in
		// sight. What holds for many machines, checkouts or workspaces is not
		// everywhere.
		code := diag.PathAbsent
		if e.Layer == LayerFlag || e.Layer == LayerUser && (e.Dir != "" || !r.relative(e.Value)) {
			code = diag.HideAbsent
		}
		r.noteAbsent(code, e, path, "nothing is hidden")
		return nil
	}
	if r.os.Depth(at.Path) == 0 {
		return refuseEntry(diag.PolicyInvalid, e, "hide: "+diag.Quote(path)+" is the root of the file system", "hide directories below it")
	}
	r.hide(at, e.Origin, e.Layer)
	return nil
}

// relative reports whether an entry means a path in each workspace.
func (r *resolver) relative(value string) bool {
	return !r.os.IsAbs(value) && !strings.HasPrefix(value, "~")
}

// hide hides what a path leads to. A link that leads there holds nothing itself
// and stays readable; where commands could replace it, the next sandbox would
// hide something else, so it is protected. What programs outside replace it by
// during a run the launcher hides.
func (r *resolver) hide(at place, o Origin, layer LayerKind) {
	for _, link := range at.Links {
		if r.inRoot(link) {
			r.protectLink(link, o, layer)
		}
	}
	if len(at.Links) > 0 && r.os.Clean(at.Asked) == at.Asked {
		r.hiddenLinks = append(r.hiddenLinks, HiddenLink{Name: at.Asked, Path: at.Path})
	}
	r.claims = append(r.claims, claim{Rule: ruleAt(at, o), say: sayHide, layer: layer})
}

func ruleAt(at place, o Origin) Rule {
	return Rule{Path: at.Path, Kind: at.Kind, Dev: at.Dev, Ino: at.Ino, Origin: o}
}

func (r *resolver) addProtect(e entry, path string) error {
	r.protect(r.real(path), HoldDir, "", e.Origin, e.Layer)
	return nil
}

// protect protects what a path leads to and every symbolic link on the way, so
// that none can be made to lead elsewhere. What is absent is treated as hold
// says; an absent directory on the way is held in its place.
func (r *resolver) protect(at place, hold Hold, content string, o Origin, layer LayerKind) {
	add := func(rule Rule) {
		rule.Origin, rule.Unprotect = o, true
		r.claims = append(r.claims, claim{Rule: rule, say: sayProtect, layer: layer})
	}
	for _, link := range at.Links {
		r.protectLink(link, o, layer)
	}
	switch {
	case at.Kind != KindAbsent:
		// A link of the checkout must not turn the whole workspace read-only.
		if layer == LayerStandard && slices.ContainsFunc(r.roots, func(t root) bool { return r.os.Within(at.Path, t.path) }) {
			return
		}
		add(Rule{Path: at.Path, Kind: at.Kind, Dev: at.Dev, Ino: at.Ino})
	case at.BlockKind != KindAbsent:
		info := r.lstat(at.Block)
		add(Rule{Path: at.Block, Kind: info.Kind, Dev: info.Dev, Ino: info.Ino})
	case hold == HoldNone:
	case at.Block == at.Path:
		add(Rule{Path: at.Path, Kind: KindAbsent, Hold: hold, Content: content})
	case hold == HoldDir || hold == HoldFile:
		add(Rule{Path: at.Block, Kind: KindAbsent, Hold: HoldDir})
	default:
		add(Rule{Path: at.Block, Kind: KindAbsent, Hold: hold})
	}
}

// protectLink protects a symbolic link itself.
func (r *resolver) protectLink(link string, o Origin, layer LayerKind) {
	info := r.lstat(link)
	r.claims = append(r.claims, claim{
		Rule: Rule{Path: link, Kind: KindSymlink, Dev: info.Dev, Ino: info.Ino, Origin: o, Unprotect: true},
		say:  sayProtect, layer: layer,
	})
}

func (r *resolver) addShow(e entry, path string) error {
	at := r.real(path)
	r.loosen("files.show", e, path, at)
	if e.Layer != LayerProject {
		r.liftAt(sayHide, path, at)
	}
	if at.Kind == KindAbsent {
		r.noteAbsent(diag.PathAbsent, e, path, "nothing is shown")
		return nil
	}
	r.claims = append(r.claims, claim{Rule: ruleAt(at, e.Origin), say: sayShow, layer: e.Layer})
	return nil
}

func (r *resolver) addUnprotect(e entry, path string) error {
	at := r.real(path)
	r.loosen("files.unprotect", e, path, at)
	r.liftAt(sayProtect, path, at)
	if rest, ok := r.belowGitFile(at); ok {
		link := r.gitFile[r.os.Key(at.Block)]
		for _, dir := range link.dirs {
			below := r.real(dir + rest)
			if !link.answered {
				below.Links = append(below.Links, at.Block)
			}
			r.loosen("files.unprotect", e, dir+rest, below)
			r.liftAt(sayProtect, dir+rest, below)
		}
	}
	if at.Kind != KindAbsent {
		r.claims = append(r.claims, claim{Rule: ruleAt(at, e.Origin), say: sayUnprotect, layer: e.Layer})
	}
	return nil
}

// belowGitFile reports whether a path leads through a .git file, as in a linked
// worktree, and the part of the path after it.
func (r *resolver) belowGitFile(at place) (rest string, ok bool) {
	if at.BlockKind != KindFile || len(r.gitFile[r.os.Key(at.Block)].dirs) == 0 {
		return "", false
	}
	return strings.TrimPrefix(at.Path, at.Block), true
}

// liftAt lifts the claims at what a path leads to, and at the links on the way
// that are its own last name.
func (r *resolver) liftAt(what say, path string, at place) {
	r.lifts = append(r.lifts, lift{say: what, path: at.Path})
	if named := r.at(path); named.Path != at.Path {
		r.lifts = append(r.lifts, lift{say: what, path: named.Path})
	}
}

func (r *resolver) noteAbsent(code diag.Code, e entry, path, effect string) {
	r.notes = append(r.notes, *refuseEntry(code, e, diag.Quote(path)+" does not exist: "+effect, ""))
}

// addOwn hides caisson's state and opens the caches in it.
func (r *resolver) addOwn() error {
	o := Origin{File: originStandard, Set: ownSet}
	state := r.real(r.own.State)
	rule := ruleAt(state, o)
	r.claims = append(r.claims, claim{Rule: rule, say: sayHide, own: true})
	if r.policy.Caches.Mode != "off" {
		cache := r.real(r.cacheDir())
		if cache.Path != r.cacheDir() || cache.Kind != KindDir && cache.Kind != KindAbsent {
			return diag.New(diag.OwnFilesExposed, "the cache directory "+diag.Quote(r.cacheDir())+" is no directory of its own", "remove it")
		}
		r.claims = append(r.claims, claim{Rule: ruleAt(cache, o), say: sayDerived, own: true})
	}
	return nil
}
