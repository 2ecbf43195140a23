// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Git is known here by its files only (gitrepository-layout(5)): git itself is
// never run, since what it reads from a checkout may name programs to run.

const (
	repoSet = "@repo-control"
	// maxGitDirs bounds the modules and the worktrees that are looked at one
	// by one. What is beyond stays read-only as a whole.
	maxGitDirs = 1000
	// maxGitFile bounds the small files of git: links and configuration.
	maxGitFile = 1 << 20
)

func repoOrigin() Origin { return Origin{File: originStandard, Set: repoSet} }

// guard protects one path for git's sake.
func (r *resolver) guard(path string, hold Hold, content string) {
	r.protect(r.real(path), hold, content, repoOrigin(), LayerStandard)
}

// nowhere is the target of the link that holds .git: nobody can make it. A
// directory in its place makes tools fail that look for a repository, such as
// go build; git and go take the link for no repository.
const nowhere = "/proc/held-by-caisson"

// addGit finds the repository that a writable root belongs to and protects what
// git runs or obeys.
func (r *resolver) addGit(t root) {
	entry := r.below(t.path, ".git")
	at := r.at(entry)
	switch at.Kind {
	case KindAbsent:
		if r.isGitDir(t.path) {
			r.addRepository(t.path, t.path)
		} else if t.work {
			// A directory is also a repository where it holds HEAD, objects
			// and refs itself, so holding .git alone would not do. A placeholder
			// of HEAD would be ambiguous for git in a repository further up.
			if head := r.below(t.path, "HEAD"); r.lstat(head).Kind == KindAbsent {
				r.guard(head, HoldQuarantine, "")
			}
			r.noteSubdirectory(t.path)
		}
		if t.work {
			r.guard(entry, HoldLink, nowhere)
		}
	case KindDir:
		r.addRepository(entry, t.path)
	case KindSymlink:
		real := r.real(entry)
		info := r.lstat(entry)
		r.claims = append(r.claims, claim{
			Rule: Rule{Path: entry, Kind: KindSymlink, Unprotect: true, Dev: info.Dev, Ino: info.Ino, Origin: repoOrigin()},
			say:  sayProtect,
		})
		if real.Kind != KindDir {
			r.guard(entry, HoldDir, "")
			return
		}
		r.addRepository(real.Path, t.path)
		if !r.inRoot(real.Path) {
			r.noteForeign(entry, real.Path)
		}
	case KindFile:
		r.guard(entry, HoldNone, "")
		r.addGitFile(t, entry)
	default:
		r.guard(entry, HoldNone, "")
	}
}

// gitLink is what a .git file names: the common git directory and that of the
// worktree. Answered is true where they name the file in turn, so that what is
// lifted for the file may be lifted there.
type gitLink struct {
	dirs     []string
	answered bool
}

// shareRoot reports whether a git directory lies in no writable root, or in one
// that holds the .git file too: in another root a command could have made the
// answer.
func (r *resolver) shareRoot(entry, dir string) bool {
	return !r.inRoot(dir) || slices.ContainsFunc(r.roots, func(t root) bool {
		return r.os.Within(t.path, dir) && r.os.Within(t.path, entry)
	})
}

// addGitFile follows a .git file: that of a linked worktree, of a submodule or
// of a repository kept elsewhere. The git directory is made writable only if it
// names this workspace itself: the .git file is part of a checkout, and could
// name anybody's repository.
func (r *resolver) addGitFile(t root, entry string) {
	target, ok := r.readLink(entry, "gitdir: ", t.path)
	dir := r.real(target)
	if !ok || dir.Kind != KindDir {
		return
	}
	common := dir.Path
	linked := false
	if text, ok := r.readLink(r.below(dir.Path, "commondir"), "", dir.Path); ok {
		common, linked = r.real(text).Path, true
	}
	back := r.namesWorktree(dir.Path, t.path)
	if linked {
		back = r.namesLink(common, dir.Path, entry)
	}
	// The one that --unprotect .git/config means comes first.
	r.gitFile[r.os.Key(entry)] = gitLink{[]string{common, dir.Path}, back && r.shareRoot(entry, common)}
	switch {
	case r.inRoot(common):
	case !back || !r.mayOpen(common):
		r.noteForeign(entry, common)
	default:
		at := r.real(common)
		r.claims = append(r.claims, claim{
			Rule: Rule{Path: at.Path, Kind: KindDir, Dev: at.Dev, Ino: at.Ino, Origin: repoOrigin()}, say: sayDerived,
		})
	}
	r.addRepository(common, t.path)
	if linked && !r.os.Within(common, dir.Path) {
		r.addWorktree(dir.Path, false)
	}
}

// namesLink reports whether a common git directory knows the linked worktree
// whose .git file is entry, under the git directory dir.
func (r *resolver) namesLink(common, dir, entry string) bool {
	own := r.os.Join(common, "worktrees", r.os.Base(dir))
	if r.os.Key(own) != r.os.Key(dir) || !r.isGitDir(common) {
		return false
	}
	back, ok := r.readLink(r.below(own, "gitdir"), "", own)
	return ok && r.os.Key(r.at(back).Path) == r.os.Key(entry)
}

// namesWorktree reports whether the configuration of a git directory names the
// workspace, as that of a submodule does.
func (r *resolver) namesWorktree(dir, workspace string) bool {
	if !r.isGitDir(dir) {
		return false
	}
	named := r.coreWorktree(dir, r.readConfig(r.below(dir, "config")))
	return named != "" && r.os.Key(named) == r.os.Key(workspace)
}

// coreWorktree returns the directory that core.worktree of a git directory
// names, or "".
func (r *resolver) coreWorktree(dir string, settings []gitSetting) string {
	named := ""
	for _, s := range settings {
		if s.Key == "core.worktree" {
			if p, ok := r.gitPath(s.Value, dir); ok {
				named = r.real(p).Path
			}
		}
	}
	return named
}

// mayOpen reports whether a git directory outside the roots can be made
// writable without opening what no root may hold.
func (r *resolver) mayOpen(dir string) bool {
	e := entry{Origin: repoOrigin(), Layer: LayerStandard}
	return r.checkRoot(e, diag.RootUnwritable, "", dir, r.real(dir)) == nil && r.checkOwn(e, dir) == nil &&
		!slices.ContainsFunc(r.homes, func(h string) bool { return r.os.Within(dir, r.real(h).Path) }) &&
		r.host.CanWrite(dir)
}

// addRepository protects what git runs or obeys in a git directory whose files
// are in worktree: for a linked worktree, in its common directory.
func (r *resolver) addRepository(dir, worktree string) {
	if slices.ContainsFunc(r.gitDirs, func(d string) bool { return r.os.Key(d) == r.os.Key(dir) }) || len(r.gitDirs) >= maxGitDirs {
		return
	}
	r.gitDirs = append(r.gitDirs, dir)
	r.list(dir)
	config := r.below(dir, "config")
	settings := r.readConfig(config)
	r.guard(config, HoldFile, "")
	r.guard(r.below(dir, "hooks"), HoldDir, "")
	r.addLinked(r.below(dir, "hooks"), repoOrigin())
	// Git takes a directory in its place for an error; "." names dir itself.
	r.guard(r.below(dir, "commondir"), HoldFile, ".\n")
	perWorktree := hasTrue(settings, "extensions.worktreeconfig")
	r.addConfigWorktree(dir, worktree, perWorktree)
	r.addConfigured(config, settings, worktree, 0)
	r.addGlobalConfig(worktree)
	r.guard(r.below(dir, "fsmonitor--daemon.ipc"), r.holdSocket(), "")
	r.addWorktrees(dir, perWorktree)
	r.addModules(dir, worktree)
}

// addConfigWorktree protects config.worktree. Git does not look at it unless
// the extension is on, and then takes a directory in its place for an error.
// Later on "git sparse-checkout" outside turns the extension on, and git obeys
// what is there, so that a file that appears is moved away.
func (r *resolver) addConfigWorktree(dir, worktree string, perWorktree bool) {
	file := r.below(dir, "config.worktree")
	if !perWorktree {
		r.guard(file, HoldQuarantine, "")
		return
	}
	r.guard(file, HoldFile, "")
	r.addConfigured(file, r.readConfig(file), worktree, 0)
}

// holdSocket says whether the socket of the file system monitor is held where
// it is absent: git asks it only if the monitor is on.
func (r *resolver) holdSocket() Hold {
	if r.fsmonitor {
		return HoldDir
	}
	return HoldNone
}

// addWorktrees protects the links of all linked worktrees of a repository,
// those outside the workspace too.
func (r *resolver) addWorktrees(dir string, perWorktree bool) {
	all := r.real(r.below(dir, "worktrees"))
	if all.Kind != KindDir {
		r.guard(r.below(dir, "worktrees"), HoldNone, "")
		return
	}
	names, err := r.host.ReadDir(all.Path, maxGitDirs)
	if err != nil {
		r.guard(all.Path, HoldNone, "")
		return
	}
	slices.Sort(names)
	for _, name := range names {
		if d := r.below(all.Path, name); r.lstat(d).Kind == KindDir {
			r.addWorktree(d, perWorktree)
		}
	}
}

func (r *resolver) addWorktree(dir string, perWorktree bool) {
	if !slices.Contains(r.gitDirs, dir) {
		r.gitDirs = append(r.gitDirs, dir) // it has an index and a sequencer of its own
	}
	r.guard(r.below(dir, "commondir"), HoldFile, "../..\n")
	r.guard(r.below(dir, "gitdir"), HoldNone, "")
	where := dir
	if entry, ok := r.readLink(r.below(dir, "gitdir"), "", dir); ok {
		where = r.os.Dir(r.os.Clean(entry))
	}
	r.addConfigWorktree(dir, where, perWorktree)
}

// addModules protects the git directories of submodules: no new one can be
// made, and those that exist are writable but for what git obeys.
func (r *resolver) addModules(dir, worktree string) {
	top := r.real(r.below(dir, "modules"))
	nested := strings.Contains(dir, r.os.Separator()+"modules"+r.os.Separator())
	switch {
	case top.Kind == KindDir:
		r.guard(top.Path, HoldNone, "")
		r.findModules(top.Path, worktree, 0)
	case !nested:
		r.guard(r.below(dir, "modules"), HoldDir, "")
	}
}

// findModules looks for git directories below modules; the name of a submodule
// may hold slashes.
func (r *resolver) findModules(dir, worktree string, depth int) {
	names, err := r.host.ReadDir(dir, maxGitDirs)
	if err != nil || depth > 8 {
		return
	}
	slices.Sort(names)
	for _, name := range names {
		module := r.below(dir, name)
		info := r.lstat(module)
		if info.Kind != KindDir {
			continue
		}
		if !r.isGitDir(module) {
			r.findModules(module, worktree, depth+1)
			continue
		}
		if len(r.gitDirs) >= maxGitDirs {
			return
		}
		r.claims = append(r.claims, claim{
			Rule: Rule{Path: module, Kind: KindDir, Dev: info.Dev, Ino: info.Ino, Origin: repoOrigin()}, say: sayAgain,
		})
		where := worktree
		if named := r.coreWorktree(module, r.readConfig(r.below(module, "config"))); named != "" {
			where = named
		}
		r.addRepository(module, where)
	}
}

// isGitDir reports whether git would take a directory for a git directory.
func (r *resolver) isGitDir(dir string) bool {
	return r.lstat(r.below(dir, "HEAD")).Kind != KindAbsent &&
		r.real(r.below(dir, "objects")).Kind == KindDir && r.real(r.below(dir, "refs")).Kind == KindDir
}

// inRoot reports whether a real path lies in a writable root.
func (r *resolver) inRoot(path string) bool {
	return slices.ContainsFunc(r.roots, func(t root) bool { return r.os.Within(t.path, path) })
}

// readLink reads a file of git that holds one path after a prefix; a relative
// one starts at dir.
func (r *resolver) readLink(file, prefix, dir string) (string, bool) {
	if r.real(file).Kind != KindFile {
		return "", false
	}
	text, err := r.host.ReadFile(r.real(file).Path, maxGitFile)
	if err != nil {
		return "", false
	}
	path, ok := strings.CutPrefix(strings.TrimRight(string(text), "\r\n"), prefix)
	if !ok || path == "" {
		return "", false
	}
	return r.gitPath(path, dir)
}

func (r *resolver) noteForeign(entry, dir string) {
	r.notes = append(r.notes, *diag.New(diag.RepositoryForeign,
		diag.Quote(entry)+" names "+diag.Quote(dir)+", which does not name this workspace: git can read it and not write it",
		"if it is yours, --write "+diag.Quote(dir)).With(diag.NewGrant(diag.GrantWrite, dir)))
}

// noteSubdirectory says so where the workspace is inside a repository.
func (r *resolver) noteSubdirectory(workspace string) {
	for dir := r.os.Dir(workspace); r.os.Depth(dir) > 0; dir = r.os.Dir(dir) {
		if slices.ContainsFunc(r.homes, func(h string) bool { return r.os.Within(dir, r.real(h).Path) }) {
			return
		}
		if r.lstat(r.below(dir, ".git")).Kind != KindAbsent {
			r.notes = append(r.notes, *diag.New(diag.WorkspaceSubdir,
				"the workspace "+diag.Quote(workspace)+" is a directory of the repository "+diag.Quote(dir)+": git cannot write there",
				"-w "+diag.Quote(dir)+" makes the repository the workspace"))
			return
		}
	}
}
