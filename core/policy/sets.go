// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

// Set is a named set of paths, the one thing in a path rule that is no path.
type Set struct {
	Name    string // "@secrets"
	About   string // one sentence, lower case, no full stop
	Members []Member
}

// Member is one path of a set. It is written with slashes on every system.
type Member struct {
	// Path begins with "~/" (below every home directory of the caller), "/",
	// or "$NAME" (the value of that variable, where it is an absolute path).
	// In the control sets it is relative to each writable root, and "*" stands
	// for any one name.
	Path string
	What string // what it is, and why it is a member
	// OS is the only system that has the path; empty means every system.
	OS string
	// Absent says what keeps the path from being created where it does not
	// exist. It is HoldNone in @secrets: what does not exist has no secret.
	Absent Hold
	// List is true where the variable holds a list of paths, as PATH does.
	List bool
	// Computed is true where the members are found by reading the repository,
	// and Path only says what they look like.
	Computed bool
}

// Sets returns the named sets. The caller owns the slice.
func Sets() []Set {
	return []Set{
		{"@secrets", "keys, credentials, browser profiles, password stores and shell histories", secrets()},
		{"@repo-control", "what git runs or obeys, outside the sandbox, the next time it is used", repoControl()},
		{"@editor-control", "what editors and shells run, outside the sandbox, when they open the workspace", editorControl()},
		{"@agent-control", "what coding agents and caisson itself obey, outside the sandbox", agentControl()},
	}
}

// setNamed returns a set by its name.
func setNamed(name string) (Set, bool) {
	for _, s := range Sets() {
		if s.Name == name {
			return s, true
		}
	}
	return Set{}, false
}

// isSet reports whether an entry is the name of a set. A path that begins with
// "@" is written "./@name".
func isSet(value string) bool { return strings.HasPrefix(value, "@") }

func unknownSet(name string) (message, remedy string) {
	var names []string
	for _, s := range Sets() {
		names = append(names, s.Name)
	}
	if near := strict.Nearest(name, names); near != "" {
		remedy = "did you mean " + near + "? "
	}
	slices.Sort(names)
	return "unknown set " + diag.Quote(name), remedy + "known sets: " + strings.Join(names, ", ") + "; a path that begins with @ is written ./@name"
}

func repoControl() []Member {
	computed := func(path, what string, absent Hold) Member {
		return Member{Path: path, What: what, Absent: absent, Computed: true}
	}
	return []Member{
		computed(".git", "the repository itself; where it is a file it names another directory, and it cannot be replaced or moved", HoldLink),
		computed("HEAD", "with objects and refs beside it makes the root itself a repository, where it has none", HoldQuarantine),
		computed(".git/hooks", "programs that git runs on commit, checkout, merge and push", HoldDir),
		computed(".git/config", "names programs that git runs: pager, editor, filters, ssh command, file system monitor", HoldNone),
		computed(".git/config.worktree", "the same for one worktree; held where extensions.worktreeConfig is set, else moved away", HoldQuarantine),
		computed(".git/commondir", "turns another directory into the repository whose hooks and config are used", HoldFile),
		computed(".git/fsmonitor--daemon.ipc", "a socket whose answers git believes about what changed; held where core.fsmonitor is set", HoldDir),
		computed(".git/modules/*/config", "the configuration of a submodule", HoldNone),
		computed(".git/modules/*/hooks", "the hooks of a submodule", HoldDir),
		computed(".git/modules/*/commondir", "as .git/commondir, of a submodule", HoldFile),
		computed(".git/worktrees/*/commondir", "which repository a linked worktree belongs to", HoldNone),
		computed(".git/worktrees/*/gitdir", "where a linked worktree is", HoldNone),
		computed(".git/worktrees/*/config.worktree", "the configuration of a linked worktree, likewise", HoldQuarantine),
		computed("core.hooksPath", "the directory of hooks that the configuration names, if it is inside a writable root", HoldDir),
		computed("include.path", "the configuration files that the configuration includes, if they are inside a writable root", HoldFile),
		computed("core.fsmonitor", "the program that git asks what changed, if it is inside a writable root", HoldFile),
		computed("core.sshCommand", "the program that git connects with, if it is inside a writable root", HoldFile),
		computed("filter.*.clean", "and smudge, process, diff.*.textconv and command, diff.external, merge.*.driver, core.pager, pager.*, core.editor, sequence.editor, core.askPass, credential helpers, gpg programs and the like: what ordinary commands of git run, likewise; not aliases", HoldFile),
		{Path: ".gitmodules", What: "names the repositories of submodules and where they are put", Absent: HoldReport},
	}
}

func editorControl() []Member {
	members := []Member{
		{Path: ".envrc", What: "run by direnv when a shell enters the directory", Absent: HoldQuarantine},
		{Path: ".vscode", What: "tasks, launch commands and settings of Visual Studio Code that name programs", Absent: HoldQuarantine},
		{Path: ".idea", What: "run configurations and external tools of JetBrains editors", Absent: HoldQuarantine},
		{Path: ".zed", What: "settings and tasks of Zed that name programs", Absent: HoldQuarantine},
		{Path: ".helix", What: "settings of Helix that name language servers", Absent: HoldQuarantine},
		{Path: ".devcontainer", What: "commands that editors run on the host when they open a development container", Absent: HoldQuarantine},
		{Path: ".devcontainer.json", What: "likewise", Absent: HoldQuarantine},
	}
	for _, name := range []string{
		".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile",
		".zshrc", ".zprofile", ".zshenv", ".zlogin", ".zlogout",
		".cshrc", ".tcshrc", ".login", ".logout", ".kshrc", ".inputrc",
	} {
		members = append(members, Member{Path: name, What: "run or read by a shell where the workspace is somebody's home directory", Absent: HoldQuarantine})
	}
	return members
}

func agentControl() []Member {
	return []Member{
		{Path: ".mcp.json", What: "servers that an agent starts", Absent: HoldDir},
		{Path: ".caisson.toml", What: "the policy of the project", Absent: HoldDir},
		{Path: ".claude", What: "hooks, permissions and commands of Claude Code", Absent: HoldDir},
		{Path: ".codex", What: "configuration and rules of Codex", Absent: HoldDir},
		{Path: ".cursor", What: "servers, rules and hooks of Cursor", Absent: HoldDir},
	}
}
