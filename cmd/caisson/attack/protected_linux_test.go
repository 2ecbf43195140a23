// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// protected is an attack on a path of the workspace that must hold afterwards
// what it held before, or stay absent.
func protected(id, what, path string, prepare func(*world), act func() error) attack {
	return attack{
		id: "protected/" + id, what: what, guarantee: guarantee.WriteProtected, alone: true,
		lay: func(w *world) bait {
			w.repository()
			if prepare != nil {
				prepare(w)
			}
			name := filepath.Join(w.work, path)
			before := content(name)
			return bait{harm: func(string, int) string {
				if after := content(name); after != before {
					return fmt.Sprintf("%s was\n%sand is\n%s", path, before, after)
				}
				return ""
			}}
		},
		act: func([]string) error { return act() },
	}
}

// content describes a tree without its times: placeholders come and go there.
func content(root string) string {
	var b strings.Builder
	_ = filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, name)
		if err != nil {
			fmt.Fprintln(&b, rel, "absent or unreadable")
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		fmt.Fprint(&b, rel, " ", info.Mode())
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(name)
			fmt.Fprintf(&b, " %q %v", text, err)
		} else if info.Mode()&os.ModeSymlink != 0 {
			to, err := os.Readlink(name)
			fmt.Fprintf(&b, " -> %s %v", to, err)
		}
		b.WriteByte('\n')
		return nil
	})
	return b.String()
}

// put writes a file and the directories above it, as a command would.
func put(name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte("EVIL"), 0o755)
}

// swap puts a tree of the attacker in the place of a directory or file.
func swap(name string) error {
	if err := put("mine/pre-commit"); err != nil {
		return err
	}
	return unix.Renameat2(unix.AT_FDCWD, "mine", unix.AT_FDCWD, name, unix.RENAME_EXCHANGE)
}

// replace moves something away and puts a link in its place.
func replace(name string) error {
	if err := put("mine/pre-commit"); err != nil {
		return err
	}
	if err := os.Rename(name, "old"); err != nil {
		return err
	}
	return os.Symlink("mine", name)
}

func with(names ...string) func(*world) {
	return func(w *world) {
		for _, n := range names {
			w.write(filepath.Join(w.work, n), "{}\n")
		}
	}
}

func configured(key, value, file string) func(*world) {
	return func(w *world) {
		w.write(filepath.Join(w.work, file), "[core]\n")
		w.git(w.work, "config", key, value)
	}
}

// linkTo makes a link, and what it leads to: a directory if that ends in a slash.
func linkTo(link, to string) func(*world) {
	return func(w *world) {
		link := filepath.Join(w.work, link)
		at := filepath.Join(filepath.Dir(link), to)
		if strings.HasSuffix(to, "/") {
			at += "/file"
		}
		w.write(at, "text\n")
		w.must(os.MkdirAll(filepath.Dir(link), 0o755))
		w.must(os.Symlink(strings.TrimSuffix(to, "/"), link))
	}
}

func worktree(w *world) { w.git(w.work, "worktree", "add", "-q", w.dir+"/tree") }

// tidied has the directories that attackers shut opened again at the end, so
// that an ordinary user can remove them.
func tidied(w *world) {
	w.t.Cleanup(func() {
		for _, dir := range []string{".", ".git", ".vscode"} {
			_ = os.Chmod(filepath.Join(w.work, dir), 0o755)
		}
	})
}

func protectedAttacks() []attack {
	return []attack{
		protected("config-write", "write .git/config", ".git/config", nil, func() error { return put(".git/config") }),
		protected("config-append", "append to .git/config", ".git/config", nil, func() error { return writeTo(".git/config", unix.O_WRONLY|unix.O_APPEND) }),
		protected("config-truncate", "truncate .git/config", ".git/config", nil, func() error { return unix.Truncate(".git/config", 0) }),
		protected("config-chmod", "change the mode of .git/config", ".git/config", nil, func() error { return unix.Chmod(".git/config", 0) }),
		protected("config-unlink", "remove .git/config", ".git/config", nil, func() error { return os.Remove(".git/config") }),
		protected("config-lock", "rename a lock file over .git/config, as git does", ".git/config", nil, func() error {
			if err := put(".git/config.lock"); err != nil {
				return err
			}
			return os.Rename(".git/config.lock", ".git/config")
		}),
		protected("config-exchange", "exchange .git/config", ".git/config", nil, func() error { return swap(".git/config") }),
		protected("config-replace", "move .git/config away and put a link there", ".git/config", nil, func() error { return replace(".git/config") }),
		protected("config-hard-link", "write .git/config by a hard link", ".git/config", nil, func() error {
			if err := os.Link(".git/config", "alias"); err != nil {
				return err
			}
			return put("alias")
		}),
		protected("config-descriptor", "write .git/config by a descriptor of its directory", ".git/config", nil, func() error {
			return withFD(".git", unix.O_PATH|unix.O_DIRECTORY, func(fd int) error { return writeTo(fdPath(fd)+"/config", unix.O_RDWR) })
		}),
		protected("config-proc-root", "write .git/config by /proc/self/root", ".git/config", nil, func() error {
			dir, err := os.Getwd()
			if err != nil {
				return err
			}
			return put("/proc/self/root" + dir + "/.git/config")
		}),
		protected("config-mmap", "write .git/config by a shared mapping", ".git/config", nil, func() error {
			return withFD(".git/config", unix.O_RDWR, func(fd int) error {
				m, err := unix.Mmap(fd, 0, 8, unix.PROT_WRITE, unix.MAP_SHARED)
				if err != nil {
					return err
				}
				copy(m, "EVILEVIL")
				return unix.Munmap(m)
			})
		}),
		protected("hook-create", "make a hook", ".git/hooks", nil, func() error { return put(".git/hooks/pre-commit") }),
		protected("hook-chmod", "make a sample hook's directory unusable", ".git/hooks", nil, func() error { return unix.Chmod(".git/hooks", 0o700) }),
		protected("hook-write", "write an existing hook", ".git/hooks", with(".git/hooks/post-checkout"), func() error { return put(".git/hooks/post-checkout") }),
		protected("hooks-exchange", "exchange .git/hooks", ".git/hooks", nil, func() error { return swap(".git/hooks") }),
		protected("hooks-replace", "replace .git/hooks by a link", ".git/hooks", nil, func() error { return replace(".git/hooks") }),
		protected("git-rename", "rename .git away", ".git/HEAD", nil, func() error { return os.Rename(".git", "gone") }),
		protected("git-exchange", "exchange .git", ".git/config", nil, func() error { return swap(".git") }),
		protected("git-replace", "replace .git by a link", ".git/config", nil, func() error { return replace(".git") }),
		protected("git-rename-raw", "rename .git by rename(2) and /proc/self/cwd", ".git/HEAD", nil, func() error {
			return just(raw(unix.SYS_RENAME, pathArg("/proc/self/cwd/.git"), pathArg("gone")))
		}),
		protected("git-move-and-back", "rename .git, write, rename back", ".git/config", nil, func() error {
			if err := os.Rename(".git", "g"); err != nil {
				return err
			}
			if err := put("g/config"); err != nil {
				return err
			}
			return os.Rename("g", ".git")
		}),
		protected("commondir", "make .git/commondir", ".git/commondir", nil, func() error { return put(".git/commondir") }),
		protected("commondir-rename", "rename a file to .git/commondir", ".git/commondir", nil, func() error {
			if err := put("mine"); err != nil {
				return err
			}
			return os.Rename("mine", ".git/commondir")
		}),
		protected("config-worktree", "make .git/config.worktree", ".git/config.worktree", configured("extensions.worktreeConfig", "true", "keep"), func() error {
			return put(".git/config.worktree")
		}),
		protected("modules", "make a git directory in .git/modules", ".git/modules", nil, func() error { return put(".git/modules/new/config") }),
		protected("module-config", "write an existing submodule's configuration", ".git/modules/sub/config", with(".git/modules/sub/config", ".git/modules/sub/HEAD"), func() error {
			return put(".git/modules/sub/config")
		}),
		protected("module-hook", "make a hook of an existing submodule", ".git/modules/sub/hooks", with(".git/modules/sub/config", ".git/modules/sub/hooks/x.sample"), func() error {
			return put(".git/modules/sub/hooks/pre-commit")
		}),
		protected("module-rename", "rename an existing submodule's git directory", ".git/modules/sub", with(".git/modules/sub/config"), func() error {
			return os.Rename(".git/modules/sub", "gone")
		}),
		protected("worktree-commondir", "redirect an existing worktree's common directory", ".git/worktrees/tree/commondir", worktree, func() error {
			return put(".git/worktrees/tree/commondir")
		}),
		protected("worktree-gitdir", "redirect an existing worktree", ".git/worktrees/tree/gitdir", worktree, func() error { return put(".git/worktrees/tree/gitdir") }),
		protected("fsmonitor-socket", "listen as git's file system monitor", ".git/fsmonitor--daemon.ipc", configured("core.fsmonitor", "true", "keep"), func() error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			return unix.Bind(fd, &unix.SockaddrUnix{Name: ".git/fsmonitor--daemon.ipc"})
		}),
		protected("hooks-path", "make a hook where core.hooksPath leads", ".husky/pre-commit", configured("core.hooksPath", ".husky", ".husky/keep"), func() error { return put(".husky/pre-commit") }),
		protected("include-path", "write a file that the configuration includes", "extra.cfg", configured("include.path", "../extra.cfg", "extra.cfg"), func() error { return put("extra.cfg") }),
		protected("fsmonitor-program", "write the program that core.fsmonitor names", "tools/monitor", configured("core.fsmonitor", "tools/monitor", "tools/monitor"), func() error { return put("tools/monitor") }),
		protected("hook-link", "write the script that a hook links to", "tools/hook", linkTo(".git/hooks/pre-commit", "../../tools/hook"), func() error { return put("tools/hook") }),
		protected("hook-link-rename", "rename the directory of the script that a hook links to", "tools/hook", linkTo(".git/hooks/pre-commit", "../../tools/hook"), func() error { return replace("tools") }),
		protected("hooks-path-link", "write the script that a hook of core.hooksPath links to", "tools/hook", func(w *world) {
			configured("core.hooksPath", ".husky", ".husky/keep")(w)
			linkTo(".husky/deep/pre-commit", "../../tools/hook")(w)
		}, func() error { return put("tools/hook") }),
		protected("settings-link", "write the settings that .claude links to", "cfg/s.json", linkTo(".claude/settings.json", "../cfg/s.json"), func() error { return put("cfg/s.json") }),
		protected("settings-link-dir", "write below a directory that .claude links to", "cfg/commands", linkTo(".claude/commands", "../cfg/commands/"), func() error { return put("cfg/commands/new.md") }),
		protected("settings-link-absent", "make what .vscode links to", "cfg/tasks.json", func(w *world) {
			w.must(os.MkdirAll(w.work+"/.vscode", 0o755))
			w.must(os.Symlink("../cfg/tasks.json", w.work+"/.vscode/tasks.json"))
		}, func() error { return put("cfg/tasks.json") }),
		protected("filter-program", "write the program of a filter", "tools/clean", configured("filter.x.clean", "tools/clean %f", "tools/clean"), func() error { return put("tools/clean") }),
		protected("filter-process", "write the script of a filter process", "tools/clean.py", configured("filter.x.process", "python3 ./tools/clean.py", "tools/clean.py"), func() error { return put("tools/clean.py") }),
		protected("textconv-program", "write the program of a textconv", "tools/conv", configured("diff.x.textconv", "tools/conv", "tools/conv"), func() error { return put("tools/conv") }),
		protected("merge-driver", "write the program of a merge driver", "tools/merge", configured("merge.x.driver", "tools/merge %O %A %B", "tools/merge"), func() error { return put("tools/merge") }),
		protected("pager-program", "write the program that core.pager names", "tools/pager", configured("core.pager", "./tools/pager -R", "tools/pager"), func() error { return put("tools/pager") }),
		protected("credential-program", "write the program that credential.helper names", "tools/helper", configured("credential.helper", "!./tools/helper", "tools/helper"), func() error { return put("tools/helper") }),
		protected("policy-rule", "write below a path that the policy protects", "vendor", with("vendor/a/b"), func() error { return put("vendor/a/b") }),
		protected("policy-rule-rename", "rename a path that the policy protects", "vendor", with("vendor/a/b"), func() error { return os.Rename("vendor", "gone") }),
		protected("policy-rule-new", "make something below a path that the policy protects", "vendor", with("vendor/a/b"), func() error { return put("vendor/a/new") }),

		protected("mcp-absent", "make .mcp.json", ".mcp.json", nil, func() error { return put(".mcp.json") }),
		protected("mcp-link", "make .mcp.json a link", ".mcp.json", nil, func() error { return os.Symlink("mine", ".mcp.json") }),
		protected("claude-absent", "make .claude/settings.json", ".claude", nil, func() error { return put(".claude/settings.json") }),
		protected("codex-absent", "make .codex/config.toml", ".codex", nil, func() error { return put(".codex/config.toml") }),
		protected("cursor-absent", "make .cursor/mcp.json", ".cursor", nil, func() error { return put(".cursor/mcp.json") }),
		protected("caisson-absent", "make .caisson.toml", ".caisson.toml", nil, func() error { return put(".caisson.toml") }),
		protected("held-remove", "remove what holds the place of .claude and make it", ".claude", nil, func() error {
			_ = os.Remove(".claude")
			return put(".claude/settings.json")
		}),
		protected("held-exchange", "exchange what holds the place of .mcp.json", ".mcp.json", nil, func() error {
			if err := put("mine"); err != nil {
				return err
			}
			if os.Rename("mine", ".mcp.json") == nil {
				return nil
			}
			return unix.Renameat2(unix.AT_FDCWD, "mine", unix.AT_FDCWD, ".mcp.json", unix.RENAME_EXCHANGE)
		}),
		protected("mcp-present", "write an existing .mcp.json", ".mcp.json", with(".mcp.json"), func() error { return put(".mcp.json") }),
		protected("mcp-over", "rename over an existing .mcp.json", ".mcp.json", with(".mcp.json"), func() error {
			if err := put("mine"); err != nil {
				return err
			}
			return os.Rename("mine", ".mcp.json")
		}),
		protected("claude-present", "write below an existing .claude", ".claude", with(".claude/settings.json"), func() error { return put(".claude/hooks/x.sh") }),
		protected("claude-rename", "rename an existing .claude", ".claude", with(".claude/settings.json"), func() error { return replace(".claude") }),
		protected("vscode-present", "write an existing .vscode/tasks.json", ".vscode", with(".vscode/tasks.json"), func() error { return put(".vscode/tasks.json") }),
		protected("envrc-present", "write an existing .envrc", ".envrc", with(".envrc"), func() error { return put(".envrc") }),
		protected("vscode-absent", "make .vscode/tasks.json", ".vscode", nil, func() error { return put(".vscode/tasks.json") }),
		protected("zed-absent", "make .zed/settings.json", ".zed", nil, func() error { return put(".zed/settings.json") }),
		protected("devcontainer-absent", "make .devcontainer/devcontainer.json", ".devcontainer", nil, func() error { return put(".devcontainer/devcontainer.json") }),
		protected("vscode-unwritable", "make .vscode and take from its owner the right to move it", ".vscode", tidied, func() error {
			return errors.Join(put(".vscode/tasks.json"), os.Chmod(".vscode", 0o555))
		}),
		protected("workspace-unwritable", "make .vscode where nothing can be moved any more", ".vscode", tidied, func() error {
			return errors.Join(put(".vscode/tasks.json"), os.Chmod(".", 0o555))
		}),
		protected("placeholder-unwritable", "make .claude, or leave its placeholder where nothing can be removed any more", ".claude", tidied, func() error {
			return errors.Join(put(".claude/settings.json"), os.Chmod(".", 0o555))
		}),
		protected("git-unwritable", "make .git/config.worktree where nothing can be moved any more", ".git/config.worktree", tidied, func() error {
			return errors.Join(put(".git/config.worktree"), os.Chmod(".git", 0o555), os.Chmod(".", 0o111))
		}),
		protected("idea-absent", "make .idea/workspace.xml", ".idea", nil, func() error { return put(".idea/workspace.xml") }),
		protected("envrc-absent", "make .envrc", ".envrc", nil, func() error { return put(".envrc") }),
		protected("envrc-link", "make .envrc a link", ".envrc", nil, func() error { return os.Symlink("/etc/passwd", ".envrc") }),
		protected("bashrc-absent", "make .bashrc", ".bashrc", nil, func() error { return put(".bashrc") }),
		protected("profile-absent", "make .profile by renaming", ".profile", nil, func() error {
			if err := put("mine"); err != nil {
				return err
			}
			return os.Rename("mine", ".profile")
		}),
		protected("workspace-rename", "rename the workspace itself", "tracked", nil, func() error { return os.Rename("../work", "../gone") }),
	}
}
