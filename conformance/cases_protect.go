// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"path/filepath"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

const (
	meansProtect = "A command can change what runs outside later in the user's name: hooks, editor tasks, the configuration of agents. The sandbox is left by waiting."
	meansHide    = "A command can read secrets (keys, tokens, another client's work). Offline it can still write them into the workspace, from where they get published."
)

// protected lays a directory with rules inside the workspace and asks for its
// protection: top/kept/rule.txt, of which top/kept is protected.
func (t *T) protected() (top, kept, rule string) {
	top, kept = t.In("top"), t.In("top", "kept")
	rule = t.File(filepath.Join(kept, "rule.txt"), "before")
	t.File(t.In("mine.txt"), "mine")
	t.Spec.Protect = []string{kept}
	return top, kept, rule
}

// protect is a case whose act must leave a protected path as it is, at its own
// place.
func protect(id, title, seen string, needs []Need, acts func(t *T, top, kept, rule string) []act.Request) Case {
	return Case{ID: id, Title: title, Guarantee: guarantee.WriteProtected, Clause: string(guarantee.WriteProtected),
		Requirement: Must, Needs: needs, Meaning: meansProtect, Seen: seen, run: func(t *T) {
			top, kept, rule := t.protected()
			before := state(kept)
			for _, r := range acts(t, top, kept, rule) {
				t.Do(r)
			}
			t.Harm(state(kept) != before, "the protected directory is not what it was")
		}}
}

// absent is a case about a protected name that does not exist at the start.
func absent(id, title, seen string, acts func(path string) []act.Request) Case {
	return Case{ID: id, Title: title, Guarantee: guarantee.WriteProtected, Clause: string(guarantee.WriteProtected),
		Requirement: Must, Meaning: meansProtect, Seen: seen, run: func(t *T) {
			t.File(t.In("sub", "other.txt"), "x")
			path := t.In("sub", "absent")
			t.Spec.Protect = []string{path}
			for _, r := range acts(path) {
				t.Do(r)
			}
			t.Close()
			t.Harm(t.Exists(path), "%s is there after the run", path)
		}}
}

func protectCases() []Case {
	linux, unix := []Need{NeedLinux}, []Need{NeedUnix}
	cases := []Case{
		protect("protect-01", "write a protected file", "CVE-2026-26268 (Cursor)", nil, func(_ *T, _, _, rule string) []act.Request {
			return []act.Request{{Op: "write", Path: rule, Data: "after"}}
		}),
		protect("protect-02", "create a file in a protected directory", "", nil, func(_ *T, _, kept, _ string) []act.Request {
			return []act.Request{{Op: "create", Path: filepath.Join(kept, "new"), Data: "x"}}
		}),
		protect("protect-03", "remove a protected file", "", nil, func(_ *T, _, _, rule string) []act.Request {
			return []act.Request{{Op: "remove", Path: rule}}
		}),
		protect("protect-04", "remove a protected directory and make it anew", "", nil, func(_ *T, _, kept, rule string) []act.Request {
			return []act.Request{{Op: "removeall", Path: kept}, {Op: "mkdir", Path: kept}, {Op: "write", Path: rule, Data: "after"}}
		}),
		protect("protect-05", "move a protected directory away", "", nil, func(t *T, _, kept, _ string) []act.Request {
			return []act.Request{{Op: "rename", Path: kept, To: t.In("away")}}
		}),
		protect("protect-06", "move the directory above it away and put another in its place", "a bind protects the file, not the path (srt)", nil, func(t *T, top, kept, rule string) []act.Request {
			return []act.Request{{Op: "rename", Path: top, To: t.In("away")}, {Op: "mkdirall", Path: kept}, {Op: "write", Path: rule, Data: "after"}}
		}),
		protect("protect-07", "replace a protected file by a rename", "", nil, func(t *T, _, _, rule string) []act.Request {
			return []act.Request{{Op: "rename", Path: t.In("mine.txt"), To: rule}}
		}),
		protect("protect-08", "replace a protected directory by a link", "CVE-2025-66479's kin: the path is followed later", nil, func(t *T, _, kept, _ string) []act.Request {
			return []act.Request{{Op: "rename", Path: kept, To: t.In("away")}, {Op: "symlink", Path: t.In("away"), To: kept}}
		}),
		protect("protect-09", "swap a protected directory with another", "", linux, func(t *T, _, kept, _ string) []act.Request {
			return []act.Request{{Op: "mkdir", Path: t.In("fake")}, {Op: "exchange", Path: t.In("fake"), To: kept}}
		}),
		protect("protect-10", "write a protected file through a hard link made inside", "nub #449", nil, func(t *T, _, _, rule string) []act.Request {
			return []act.Request{{Op: "link", Path: rule, To: t.In("alias")}, {Op: "overwrite", Path: t.In("alias"), Data: "after!"}}
		}),
		protect("protect-11", "write a protected file through a symbolic link", "", nil, func(t *T, _, kept, _ string) []act.Request {
			return []act.Request{{Op: "symlink", Path: kept, To: t.In("alias")}, {Op: "write", Path: t.In("alias", "rule.txt"), Data: "after"}}
		}),
		protect("protect-12", "write a protected file through /proc/self/root", "", linux, func(_ *T, _, _, rule string) []act.Request {
			return []act.Request{{Op: "write", Path: "/proc/self/root" + rule, Data: "after"}}
		}),
		protect("protect-13", "write below a descriptor of a protected directory", "", unix, func(_ *T, _, kept, _ string) []act.Request {
			return []act.Request{{Op: "at", Path: kept, To: "rule.txt", Data: "after"}}
		}),
		protect("protect-14", "change the mode of a protected file", "", nil, func(_ *T, _, _, rule string) []act.Request {
			return []act.Request{{Op: "chmod", Path: rule, Num: 0o444}}
		}),
		protect("protect-15", "truncate a protected file", "", nil, func(_ *T, _, _, rule string) []act.Request {
			return []act.Request{{Op: "truncate", Path: rule, Num: 1}}
		}),
		protect("protect-16", "a child writes a protected file", "", nil, func(_ *T, _, _, rule string) []act.Request {
			return []act.Request{{Op: "child", Then: []act.Request{{Op: "append", Path: rule, Data: "after"}}}}
		}),
		absent("protect-17", "make a protected file that was absent", "CVE-2026-25725 (Claude Code): protected only if it existed", func(path string) []act.Request {
			return []act.Request{{Op: "write", Path: path, Data: "x"}}
		}),
		absent("protect-18", "make a protected directory that was absent, with a file in it", "", func(path string) []act.Request {
			return []act.Request{{Op: "mkdir", Path: path}, {Op: "write", Path: filepath.Join(path, "tasks.json"), Data: "x"}}
		}),
		absent("protect-19", "make an absent protected name by a link", "", func(path string) []act.Request {
			return []act.Request{{Op: "symlink", Path: filepath.Dir(path), To: path}}
		}),
		absent("protect-20", "move something to an absent protected name", "", func(path string) []act.Request {
			return []act.Request{{Op: "rename", Path: filepath.Join(filepath.Dir(path), "other.txt"), To: path}}
		}),
	}
	return append(cases, standardProtectCases()...)
}

// standardProtectCases are about what the standard policy protects by itself.
// A foreign tool is told these paths by name.
func standardProtectCases() []Case {
	at := func(id, title, seen, name string, r func(path string) act.Request) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.WriteProtected, Clause: string(guarantee.WriteProtected),
			Requirement: Must, Meaning: meansProtect, Seen: seen, run: func(t *T) {
				t.must(os.MkdirAll(t.In(".git", "hooks"), 0o755))
				t.File(t.In(".git", "config"), "[core]\n\trepositoryformatversion = 0\n")
				t.File(t.In(".git", "HEAD"), "ref: refs/heads/main\n")
				t.Dir(t.In(".git", "objects"))
				t.Dir(t.In(".git", "refs"))
				path := t.In(filepath.FromSlash(name))
				t.Spec.Protect = []string{t.In(".git", "hooks"), t.In(".git", "config")}
				if !t.Exists(path) && filepath.Dir(path) != t.In(".git", "hooks") {
					t.Spec.Protect = append(t.Spec.Protect, path)
				}
				before := state(path)
				t.Do(r(path))
				t.Close()
				t.Harm(state(path) != before, "%s was changed", name)
			}}
	}
	write := func(path string) act.Request { return act.Request{Op: "write", Path: path, Data: "x"} }
	return []Case{
		at("protect-21", "make a git hook", "the host's next commit runs it", ".git/hooks/pre-commit", write),
		at("protect-22", "change git's configuration", "core.fsmonitor and core.hooksPath run programs on `git status`", ".git/config", func(path string) act.Request {
			return act.Request{Op: "append", Path: path, Data: "[core]\n\tfsmonitor = /tmp/x\n"}
		}),
		at("protect-23", "make an agent's server configuration", "CVE-2025-59944 (Cursor)", ".mcp.json", write),
		at("protect-24", "make the sandbox's own project file", "firejail #7154", ".caisson.toml", write),
	}
}

// hidden lays a secret outside and asks for it to be hidden.
func (t *T) hidden() (dir, file, secret string) {
	secret = t.Secret()
	dir = t.Out("vault")
	file = t.File(filepath.Join(dir, "key-"+secret), secret)
	t.Spec.Hide = []string{dir}
	return dir, file, secret
}

// hide is a case whose act must not bring a secret to light.
func hide(id, title, seen string, needs []Need, acts func(t *T, dir, file string) []act.Request) Case {
	return Case{ID: id, Title: title, Guarantee: guarantee.ReadHidden, Clause: string(guarantee.ReadHidden),
		Requirement: Must, Needs: needs, Meaning: meansHide, Seen: seen, run: func(t *T) {
			dir, file, secret := t.hidden()
			out := false
			for _, r := range acts(t, dir, file) {
				out = tells(t.Do(r), secret) || out
			}
			t.Harm(out, "the secret came to light")
		}}
}

func hideCases() []Case {
	linux, unix := []Need{NeedLinux}, []Need{NeedUnix}
	read := func(path string) act.Request { return act.Request{Op: "read", Path: path} }
	inside := hide("hide-15", "read something hidden inside the workspace", "", nil, nil)
	inside.run = func(t *T) {
		secret := t.Secret()
		file := t.File(t.In("private", "key"), secret)
		t.Spec.Hide = []string{t.In("private")}
		t.Harm(tells(t.Do(read(file)), secret), "the secret came to light")
	}
	single := hide("hide-16", "read a hidden file, beside one that is not", "", nil, nil)
	single.run = func(t *T) {
		secret := t.Secret()
		file := t.File(t.Out("env", "secret.env"), secret)
		t.File(t.Out("env", "open.txt"), "open")
		t.Spec.Hide = []string{file}
		t.Harm(tells(t.Do(read(file)), secret), "the secret came to light")
	}
	planted := hide("hide-14", "read through a link that was in the workspace before", "a checkout may hold such links", nil, nil)
	planted.run = func(t *T) {
		dir, file, secret := t.hidden()
		t.must(os.Symlink(dir, t.In("planted")))
		t.Harm(tells(t.Do(read(t.In("planted", filepath.Base(file)))), secret), "the secret came to light")
	}
	written := Case{ID: "hide-17", Title: "write into a hidden directory", Guarantee: guarantee.ReadHidden, Clause: string(guarantee.ReadHidden),
		Requirement: Must, Meaning: meansHide, run: func(t *T) {
			dir, _, _ := t.hidden()
			before := state(dir)
			t.Do(act.Request{Op: "write", Path: filepath.Join(dir, "new"), Data: "x"})
			t.Harm(state(dir) != before, "the hidden directory was changed")
		}}
	return []Case{
		hide("hide-01", "read a hidden file", "", nil, func(_ *T, _, file string) []act.Request { return []act.Request{read(file)} }),
		hide("hide-02", "list a hidden directory", "", nil, func(_ *T, dir, _ string) []act.Request {
			return []act.Request{{Op: "list", Path: dir}}
		}),
		hide("hide-03", "read through a symbolic link made inside", "", nil, func(t *T, dir, file string) []act.Request {
			return []act.Request{{Op: "symlink", Path: dir, To: t.In("alias")}, read(t.In("alias", filepath.Base(file)))}
		}),
		hide("hide-04", "read through a hard link made inside", "sandlock #179", nil, func(t *T, _, file string) []act.Request {
			return []act.Request{{Op: "link", Path: file, To: t.In("alias")}, read(t.In("alias"))}
		}),
		hide("hide-05", "move a hidden file into the workspace", "", nil, func(t *T, _, file string) []act.Request {
			return []act.Request{{Op: "rename", Path: file, To: t.In("taken")}, read(t.In("taken"))}
		}),
		hide("hide-06", "move a hidden directory into the workspace", "srt on macOS: rename to a readable name", nil, func(t *T, dir, file string) []act.Request {
			return []act.Request{{Op: "rename", Path: dir, To: t.In("taken")}, read(t.In("taken", filepath.Base(file)))}
		}),
		hide("hide-07", "read through /proc/self/root", "CVE-2024-34346's class (Deno)", linux, func(_ *T, _, file string) []act.Request {
			return []act.Request{read("/proc/self/root" + file)}
		}),
		hide("hide-08", "read through /proc/self/cwd", "", linux, func(_ *T, _, file string) []act.Request {
			return []act.Request{read("/proc/self/cwd/../ws-beside/vault/" + filepath.Base(file))}
		}),
		hostMay(hide("hide-09", "read through the root of process 1", "", []Need{NeedLinux, NeedRoot}, func(_ *T, _, file string) []act.Request {
			return []act.Request{read("/proc/1/root" + file)}
		})),
		hide("hide-10", "read by two dots", "", nil, func(t *T, _, file string) []act.Request {
			return []act.Request{read(t.Spec.Workspace + "/../ws-beside/vault/" + filepath.Base(file))}
		}),
		hide("hide-11", "a child reads a hidden file", "", nil, func(_ *T, _, file string) []act.Request {
			return []act.Request{{Op: "child", Then: []act.Request{read(file)}}}
		}),
		hide("hide-12", "a child in a session of its own lists a hidden directory", "", unix, func(_ *T, dir, _ string) []act.Request {
			return []act.Request{{Op: "child", Args: []string{"session"}, Then: []act.Request{{Op: "list", Path: dir}}}}
		}),
		hide("hide-13", "walk everything that lies above", "", nil, func(_ *T, dir, _ string) []act.Request {
			return []act.Request{{Op: "walk", Path: filepath.Dir(dir)}}
		}),
		planted, inside, single, written,
	}
}
