// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

const (
	// maxIncludes is how deep git follows included configuration.
	maxIncludes = 10
	// maxNested is how deep commands within commands are read.
	maxNested = 3
	// shellBreaks end a word of a shell where they are not quoted.
	shellBreaks = " \t\n;|&()<>"
)

// readConfig returns the settings of a configuration file; one that cannot be
// read has none.
func (r *resolver) readConfig(file string) []gitSetting {
	at := r.real(file)
	if at.Kind != KindFile {
		return nil
	}
	if settings, ok := r.configs[at.Path]; ok {
		return settings
	}
	text, err := r.host.ReadFile(at.Path, maxGitFile)
	if err != nil {
		return nil
	}
	settings := parseGitConfig(text)
	r.configs[at.Path] = settings
	return settings
}

func hasTrue(settings []gitSetting, key string) bool {
	on := false
	for _, s := range settings {
		if s.Key == key {
			on, _ = gitBool(s.Value)
		}
	}
	return on
}

// addGlobalConfig reads the configuration of the user and of the system for one
// worktree: relative paths in it count from there.
func (r *resolver) addGlobalConfig(worktree string) {
	for _, file := range r.globalConfigs() {
		if at := r.real(file); r.inRoot(at.Path) {
			r.guard(file, HoldNone, "")
		}
		r.addConfigured(file, r.readConfig(file), worktree, 0)
	}
}

// globalConfigs returns the files that git-config(1) calls global and system.
func (r *resolver) globalConfigs() []string {
	var files []string
	add := func(dir string, names ...string) {
		if dir != "" && r.os.IsAbs(dir) {
			files = append(files, r.os.Join(dir, names...))
		}
	}
	if global := r.host.Getenv("GIT_CONFIG_GLOBAL"); global != "" {
		add(global)
	} else {
		home := r.home()
		add(home, ".gitconfig")
		if xdg := r.host.Getenv("XDG_CONFIG_HOME"); xdg != "" {
			add(xdg, "git", "config")
		} else {
			add(home, ".config", "git", "config")
		}
	}
	if system := r.host.Getenv("GIT_CONFIG_SYSTEM"); system != "" {
		add(system)
	} else if r.os == pathspec.Windows {
		add(r.host.Getenv("ProgramFiles"), "Git", "etc", "gitconfig")
	} else {
		add("/etc/gitconfig")
	}
	return files
}

// addConfigured protects what a configuration file names inside the writable
// roots: hooks, included files, the file system monitor, what else git runs.
func (r *resolver) addConfigured(file string, settings []gitSetting, worktree string, depth int) {
	for _, s := range settings {
		switch {
		case s.Key == "core.hookspath":
			r.addHooksPath(s.Value, worktree)
		case s.Key == "core.fsmonitor":
			on, isBool := gitBool(s.Value)
			r.fsmonitor = r.fsmonitor || on
			if !isBool {
				r.addCommand(s.Value, worktree)
			}
		case ranByGit(s.Key):
			r.addCommand(strings.TrimPrefix(s.Value, "!"), worktree)
		case s.Key == "include.path", strings.HasPrefix(s.Key, "includeif.") && strings.HasSuffix(s.Key, ".path"):
			r.addInclude(file, s.Value, worktree, depth)
		}
	}
}

// addInclude protects an included file and reads it, whatever its condition.
func (r *resolver) addInclude(file, value, worktree string, depth int) {
	path, ok := r.gitPath(value, r.os.Dir(r.real(file).Path))
	if !ok || depth >= maxIncludes {
		return
	}
	if at := r.real(path); r.inRoot(at.Path) {
		hold := HoldFile
		if !slices.ContainsFunc(r.gitDirs, func(d string) bool { return r.os.Within(d, at.Path) }) {
			// Git takes a directory in its place for an error, and would offer
			// an empty file in the worktree to be committed.
			hold = HoldQuarantine
		}
		r.guard(path, hold, "")
	}
	r.addConfigured(path, r.readConfig(path), worktree, depth+1)
}

// addHooksPath protects a directory of hooks. Where that is the workspace
// itself or holds it, only the names of hooks are protected.
func (r *resolver) addHooksPath(value, worktree string) {
	path, ok := r.gitPath(value, worktree)
	if !ok {
		return
	}
	at := r.real(path)
	if !r.holdsRoot(at.Path) {
		if r.touchesRoot(at) {
			r.guard(path, HoldDir, "")
		}
		r.addLinked(path, repoOrigin())
		return
	}
	if !r.inRoot(at.Path) {
		return
	}
	for _, hook := range []string{
		"applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-applypatch", "post-checkout", "post-commit",
		"post-index-change", "post-merge", "post-rewrite", "pre-applypatch", "pre-auto-gc", "pre-commit",
		"pre-merge-commit", "pre-push", "pre-rebase", "prepare-commit-msg", "reference-transaction", "sendemail-validate",
	} {
		r.guard(r.below(at.Path, hook), HoldDir, "") // follows a link itself
	}
}

// addCommand protects the programs and scripts that a shell command names.
func (r *resolver) addCommand(command, worktree string) {
	here := strings.NewReplacer("$(git rev-parse --show-toplevel)", worktree, "`git rev-parse --show-toplevel`", worktree,
		"$PWD", worktree, "${PWD}", worktree) // where git runs commands
	r.addWords(here.Replace(command), worktree, 0)
}

// addWords is addCommand for what a shell sees after expansion. A word may be a
// command in turn, as in sh -c './tool %f'.
func (r *resolver) addWords(command, worktree string, depth int) {
	for i, word := range shellWords(command) {
		if depth < maxNested && strings.ContainsAny(word, shellBreaks) {
			r.addWords(word, worktree, depth+1)
		}
		path, ok := r.gitPath(word, worktree)
		if !ok {
			continue
		}
		at := r.real(path)
		switch {
		case !r.touchesRoot(at) || at.Kind == KindDir:
		case at.Kind != KindAbsent:
			r.guard(path, HoldNone, "")
		case i == 0 && strings.Contains(word, "/"):
			r.guard(path, HoldDir, "")
		}
	}
}

// touchesRoot reports whether a path ends in a writable root or leads through a
// symbolic link in one.
func (r *resolver) touchesRoot(at place) bool {
	return r.inRoot(at.Path) || slices.ContainsFunc(at.Links, r.inRoot)
}

// gitPath returns the absolute path that a value of git's configuration means.
func (r *resolver) gitPath(value, dir string) (string, bool) {
	if value == "" || strings.HasPrefix(value, "%(") {
		return "", false
	}
	path, err := r.absolute(value, dir)
	return path, err == nil
}

// shellWords splits a command as a shell would, but expands nothing.
func shellWords(command string) []string {
	var words []string
	var word strings.Builder
	started := false
	var quote rune
	escaped := false
	for _, c := range command {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, started = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, started = c, true
		case strings.ContainsRune(shellBreaks, c):
			if started {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		default:
			word.WriteRune(c)
			started = true
		}
	}
	if started {
		words = append(words, word.String())
	}
	return words
}
