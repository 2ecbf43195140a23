// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// findOwn resolves where caisson's own files are.
func (r *resolver) findOwn() error {
	own := r.host.OwnDirs()
	real := func(path string) string {
		if path == "" || !r.os.IsAbs(path) {
			return ""
		}
		return r.real(path).Path
	}
	r.own = OwnDirs{State: real(own.State), Config: real(own.Config), Executable: real(own.Executable)}
	for _, p := range own.Other {
		r.own.Other = append(r.own.Other, real(p))
	}
	if r.own.State == "" {
		return diag.New(diag.OwnFilesExposed, "caisson has no directory for its state: it is "+diag.Quote(own.State),
			"set HOME or XDG_STATE_HOME to an absolute path")
	}
	return nil
}

// addWorkspaces resolves the directories that the commands work in.
func (r *resolver) addWorkspaces() error {
	entries := r.policy.entries("workspace")
	if len(entries) == 0 {
		entries = []entry{{Value: ".", Origin: Origin{File: originStandard}, Layer: LayerStandard, Dir: hereDir}}
	}
	for _, e := range entries {
		if e.Dir == "" {
			e.Dir = hereDir
		}
		path, at, err := r.rootAt("workspace", e, diag.WorkspaceInvalid, "the workspace")
		if err != nil {
			return err
		}
		if at.Kind != KindDir {
			return refuseEntry(diag.WorkspaceInvalid, e, "the workspace "+diag.Quote(path)+" is no directory", "name a directory with -w DIR")
		}
		if err := r.checkHomes(e, at.Path); err != nil {
			return err
		}
		if slices.ContainsFunc(r.work, func(w string) bool { return r.os.Key(w) == r.os.Key(at.Path) }) {
			continue
		}
		if err := r.checkOwn(e, at.Path); err != nil {
			return err
		}
		r.work = append(r.work, at.Path)
		if r.readOnly() {
			continue
		}
		if err := r.addRoot(e, at, true); err != nil {
			return err
		}
	}
	return nil
}

// addWrites resolves the further writable roots.
func (r *resolver) addWrites() error {
	for _, e := range r.policy.entries("files.write") {
		paths, err := r.paths(e)
		if err != nil {
			return err
		}
		for _, p := range paths {
			at := r.real(p)
			r.loosen("files.write", e, p, at)
			if err := r.checkRoot(e, diag.RootUnwritable, "the writable root", p, at); err != nil {
				return err
			}
			if at.Kind != KindDir && at.Kind != KindFile {
				return refuseEntry(diag.RootUnwritable, e, "the writable root "+diag.Quote(p)+" is neither a directory nor a file", "")
			}
			if err := r.checkOwn(e, at.Path); err != nil {
				return err
			}
			if err := r.addRoot(e, at, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// addTmp resolves the caller's own temporary directory.
func (r *resolver) addTmp() error {
	if r.policy.Tmp == "" {
		return nil
	}
	e := entry{Value: r.policy.Tmp, Origin: Origin{File: "--tmp"}, Layer: LayerFlag, Dir: hereDir}
	path, at, err := r.rootAt("--tmp", e, diag.RootUnwritable, "the temporary directory")
	if err != nil {
		return err
	}
	if at.Kind != KindDir {
		return refuseEntry(diag.RootUnwritable, e, "the temporary directory "+diag.Quote(path)+" is no directory", "name a directory with --tmp DIR")
	}
	if err := r.checkOwn(e, at.Path); err != nil {
		return err
	}
	r.tmp = at.Path
	return r.addRoot(e, at, false)
}

func (r *resolver) rootAt(setting string, e entry, code diag.Code, what string) (string, place, error) {
	path, err := r.absolute(e.Value, e.Dir)
	if err != nil {
		return "", place{}, refuseEntry(code, e, err.Error(), "")
	}
	at := r.real(path)
	r.loosen(setting, e, path, at)
	return path, at, r.checkRoot(e, code, what, path, at)
}

// checkRoot refuses what cannot be a writable root, whatever it is wanted for.
func (r *resolver) checkRoot(e entry, code diag.Code, what, path string, at place) error {
	name := what + " " + diag.Quote(path)
	switch {
	case at.Kind == KindAbsent:
		return refuseEntry(code, e, name+" does not exist", "make it first, or name another one")
	case r.os.Depth(at.Path) == 0 && !(code == diag.WorkspaceInvalid && r.policy.WorkspaceAnyway):
		return refuseEntry(code, e, name+" is the root of the file system", "name the directory that is worked in")
	case r.os.MayBeShort(at.Path) && at.Name == "":
		return refuseEntry(code, e, name+" may be a short alias of another name", "write the long name")
	}
	if r.os != pathspec.Windows {
		for _, dir := range kernelDirs() {
			if r.os.Within(dir, at.Path) {
				if r.os.Key(r.os.Clean(path)) == r.os.Key(at.Path) {
					name = what + " " + diag.Quote(at.Path)
				} else {
					name += " leads to " + diag.Quote(at.Path) + ", which"
				}
				return refuseEntry(code, e, name+" lies in "+dir+", where nothing of the host can be writable", "name another directory")
			}
		}
	}
	return nil
}

// checkHomes refuses a workspace that is a home directory or holds one.
func (r *resolver) checkHomes(e entry, path string) error {
	if r.policy.WorkspaceAnyway {
		return nil
	}
	for _, home := range r.homes {
		if home = r.real(home).Path; r.os.Within(path, home) {
			what := "is your home directory"
			if r.os.Key(home) != r.os.Key(path) {
				what = "holds your home directory " + diag.Quote(home)
			}
			return refuseEntry(diag.WorkspaceInvalid, e, "the workspace "+diag.Quote(path)+" "+what,
				"name the project's directory with -w DIR, or pass --workspace-anyway")
		}
	}
	return nil
}

// checkOwn refuses a writable root that holds files of caisson, or lies among
// them. Nothing lifts this: who writes there decides what the next sandbox is.
func (r *resolver) checkOwn(e entry, path string) error {
	refuse := func(own string) error {
		remedy := "name a directory further down"
		switch {
		case own == r.own.Executable:
			remedy = "install caisson elsewhere, for example in ~/.local/bin, or name a directory further down that does not hold it"
		case r.os.Within(own, path):
			remedy = "name a directory elsewhere"
		}
		return refuseEntry(diag.OwnFilesExposed, e, diag.Quote(path)+" would make caisson's own "+diag.Quote(own)+" writable", remedy)
	}
	for _, own := range r.ownPaths() {
		if r.os.Within(path, own) || r.os.Within(own, path) {
			return refuse(own)
		}
	}
	return nil
}

// ownPaths lists caisson's own files, its state first.
func (r *resolver) ownPaths() []string {
	own := append([]string{r.own.State, r.own.Config}, r.own.Other...)
	return slices.DeleteFunc(append(own, r.own.Executable), func(p string) bool { return p == "" })
}

// realHome is the directory that "~" leads to, or the root where there is none.
func (r *resolver) realHome() string {
	if home := r.home(); home != "" {
		return r.real(home).Path
	}
	root, _ := r.os.Split(r.work[0])
	return r.os.Clean(root)
}

// kernelDirs are the directories of unix whose files are the kernel's.
func kernelDirs() []string { return []string{"/proc", "/sys", "/dev"} }

// addRoot records a writable root.
func (r *resolver) addRoot(e entry, at place, work bool) error {
	if !r.host.CanWrite(at.Path) {
		return refuseEntry(diag.RootUnwritable, e, "the writable root "+diag.Quote(at.Path)+" cannot be written by the user that commands run as",
			"change its owner or mode, or name another directory")
	}
	r.claims = append(r.claims, claim{
		Rule: Rule{Path: at.Path, Kind: at.Kind, Root: true, Dev: at.Dev, Ino: at.Ino, Origin: e.Origin},
		say:  sayWrite, layer: e.Layer,
	})
	if at.Kind == KindDir && !slices.ContainsFunc(r.roots, func(o root) bool { return r.os.Key(o.path) == r.os.Key(at.Path) }) {
		r.roots = append(r.roots, root{at.Path, work})
	}
	return nil
}

// checkRoots refuses a workspace that a rule hides: no command could run in it.
func (r *resolver) checkRoots(resolved *Resolved) error {
	for _, w := range r.work {
		access, rule := resolved.AccessTo(w)
		if access != Hidden {
			continue
		}
		d := diag.New(diag.WorkspaceInvalid, "the workspace "+diag.Quote(w)+" is hidden by "+rule.Origin.String(), "name another directory, or show this one")
		if rule.Origin.Set == ownSet {
			return d
		}
		return d.With(diag.NewGrant(diag.GrantShow, rule.Path))
	}
	return nil
}
