// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

const (
	meansRead      = "Tools cannot find their compilers, libraries and configuration, and work in the workspace fails for no reason a person can see."
	meansWorkspace = "The work itself cannot be done: builds, edits and checkouts fail or change."
)

func readDuties() []Case {
	duty := func(id, title string, run func(*T)) Case {
		return Case{ID: id, Title: title, Clause: "duties", Requirement: Must, Meaning: meansRead, run: run}
	}
	return []Case{
		duty("read-01", "read a file outside the workspace", func(t *T) {
			secret := t.Secret()
			path := t.File(t.Out("doc.txt"), secret)
			t.Want(tells(t.Do(act.Request{Op: "read", Path: path}), secret), "the file was not read: %s", t.last.Said())
		}),
		duty("read-02", "list a directory outside the workspace", func(t *T) {
			name := "name-" + t.Secret()
			t.File(t.Out(name), "x")
			t.Want(tells(t.Do(act.Request{Op: "list", Path: t.Out()}), name), "the directory was not listed: %s", t.last.Said())
		}),
		duty("read-03", "read through a link that leads out of the workspace", func(t *T) {
			secret := t.Secret()
			path := t.File(t.Out("doc.txt"), secret)
			t.must(os.Symlink(path, t.In("doc")))
			t.Want(tells(t.Do(act.Request{Op: "read", Path: t.In("doc")}), secret), "the file was not read: %s", t.last.Said())
		}),
		duty("read-04", "run a program that lies outside the workspace", func(t *T) {
			r := t.Do(act.Request{Op: "run", Path: t.run.helper[0], Args: append(slices.Clone(t.run.helper[1:]), "args", "a b")})
			t.Want(strings.Contains(string(r.Data), "a b"), "the program did not run: %s", t.last.Said())
		}),
		duty("read-05", "read a file in the home directory that is not hidden", func(t *T) {
			secret := t.Secret()
			path := t.Bait(t.home(), secret)
			t.Want(tells(t.Do(act.Request{Op: "read", Path: path}), secret), "the file was not read: %s", t.last.Said())
		}),
		duty("read-06", "what is protected can be read", func(t *T) {
			_, _, rule := t.protected()
			t.Want(tells(t.Do(act.Request{Op: "read", Path: rule}), "before"), "the file was not read: %s", t.last.Said())
		}),
	}
}

func workspaceDuties() []Case {
	// did is a duty whose acts must leave a mark that the host sees.
	did := func(id, title string, needs []Need, acts func(t *T) []act.Request, seen func(t *T) bool) Case {
		return Case{ID: id, Title: title, Clause: "duties", Requirement: Must, Needs: needs, Meaning: meansWorkspace, run: func(t *T) {
			for _, r := range acts(t) {
				if reply := t.Do(r); !reply.OK() {
					t.Want(false, "%s failed: %s", r.Op, reply.Said())
					return
				}
			}
			t.Want(seen(t), "the host does not see it")
		}}
	}
	unix := []Need{NeedUnix}
	has := func(name, content string) func(*T) bool {
		return func(t *T) bool { return t.Content(t.In(name)) == content }
	}
	one := func(op, name, data string) func(*T) []act.Request {
		return func(t *T) []act.Request { return []act.Request{{Op: op, Path: t.In(name), Data: data}} }
	}
	odd := "a name; $(with) 'quotes' \"and\" ünïcödé"
	return []Case{
		did("work-01", "create a file in the workspace", nil, one("create", "new", "content"), has("new", "content")),
		did("work-02", "change a file of the workspace", nil, func(t *T) []act.Request {
			t.File(t.In("old"), "before")
			return []act.Request{{Op: "write", Path: t.In("old"), Data: "after"}, {Op: "append", Path: t.In("old"), Data: "!"}}
		}, has("old", "after!")),
		did("work-03", "make, rename and remove directories", nil, func(t *T) []act.Request {
			return []act.Request{{Op: "mkdirall", Path: t.In("a", "b", "c")}, {Op: "write", Path: t.In("a", "b", "c", "f"), Data: "x"},
				{Op: "rename", Path: t.In("a", "b"), To: t.In("z")}, {Op: "remove", Path: t.In("a")}}
		}, func(t *T) bool { return t.Exists(t.In("z", "c", "f")) && !t.Exists(t.In("a")) }),
		did("work-04", "remove a tree", nil, func(t *T) []act.Request {
			t.File(t.In("tree", "deep", "file"), "x")
			return []act.Request{{Op: "removeall", Path: t.In("tree")}}
		}, func(t *T) bool { return !t.Exists(t.In("tree")) }),
		did("work-05", "link files", nil, func(t *T) []act.Request {
			t.File(t.In("one"), "content")
			return []act.Request{{Op: "link", Path: t.In("one"), To: t.In("two")}, {Op: "symlink", Path: "one", To: t.In("three")}}
		}, func(t *T) bool { return t.Content(t.In("two")) == "content" && t.Content(t.In("three")) == "content" }),
		did("work-06", "change modes and times", nil, func(t *T) []act.Request {
			t.File(t.In("f"), "x")
			return []act.Request{{Op: "chtimes", Path: t.In("f"), Num: 1_000_000_000}, {Op: "chmod", Path: t.In("f"), Num: 0o444}}
		}, func(t *T) bool {
			info, err := os.Stat(t.In("f"))
			return err == nil && info.ModTime().Unix() == 1_000_000_000 && info.Mode().Perm()&0o222 == 0
		}),
		did("work-07", "truncate a file", nil, func(t *T) []act.Request {
			t.File(t.In("f"), "before")
			return []act.Request{{Op: "truncate", Path: t.In("f"), Num: 3}}
		}, has("f", "bef")),
		did("work-08", "write through a shared mapping", unix, func(t *T) []act.Request {
			t.File(t.In("f"), "before")
			return []act.Request{{Op: "map", Path: t.In("f"), Data: "after!"}}
		}, has("f", "after!")),
		did("work-09", "make a fifo", unix, func(t *T) []act.Request { return []act.Request{{Op: "mkfifo", Path: t.In("p")}} },
			func(t *T) bool {
				info, err := os.Lstat(t.In("p"))
				return err == nil && info.Mode()&os.ModeNamedPipe != 0
			}),
		did("work-10", "lock a file", unix, func(t *T) []act.Request { return []act.Request{{Op: "lock", Path: t.In("lock")}} },
			func(t *T) bool { return t.Exists(t.In("lock")) }),
		did("work-11", "use names with spaces, quotes and other alphabets", unix, one("write", odd, "content"), has(odd, "content")),
		did("work-12", "write a large file", nil, func(t *T) []act.Request {
			return []act.Request{{Op: "fill", Path: t.In("big"), Num: 8 << 20}, {Op: "check", Path: t.In("big"), Num: 8 << 20}}
		}, func(t *T) bool { info, err := os.Stat(t.In("big")); return err == nil && info.Size() == 8<<20 }),
		did("work-13", "work at the end of a long path", unix, func(t *T) []act.Request {
			deep := t.In(strings.Repeat("directory/", 100))
			return []act.Request{{Op: "mkdirall", Path: deep}, {Op: "write", Path: filepath.Join(deep, "f"), Data: "x"}}
		}, func(t *T) bool { return t.Exists(filepath.Join(t.In(strings.Repeat("directory/", 100)), "f")) }),
		did("work-14", "replace a file by a rename, as editors do", nil, func(t *T) []act.Request {
			t.File(t.In("f"), "before")
			return []act.Request{{Op: "write", Path: t.In("f.new"), Data: "after"}, {Op: "rename", Path: t.In("f.new"), To: t.In("f")}}
		}, has("f", "after")),
		did("work-15", "write in a further writable root", nil, func(t *T) []act.Request {
			dir := t.Dir(filepath.Join(t.dir, "second"))
			t.Spec.Write = []string{dir}
			return []act.Request{{Op: "write", Path: filepath.Join(dir, "f"), Data: "content"}}
		}, func(t *T) bool { return t.Content(filepath.Join(t.dir, "second", "f")) == "content" }),
		did("work-16", "run a program that was made in the workspace", nil, func(t *T) []act.Request {
			copyFile(t, t.run.helper[0], t.In("tool"))
			return []act.Request{{Op: "run", Path: t.In("tool"), Args: append(slices.Clone(t.run.helper[1:]), "args")}}
		}, func(*T) bool { return true }),
		did("work-17", "write beside what is protected", nil, func(t *T) []act.Request {
			top, _, _ := t.protected()
			return []act.Request{{Op: "write", Path: filepath.Join(top, "free"), Data: "content"}}
		}, func(t *T) bool { return t.Content(t.In("top", "free")) == "content" }),
		did("work-18", "what the host writes during the run is seen", nil, func(t *T) []act.Request {
			t.Do(act.Request{Op: "hello"})
			t.File(t.In("late"), "content")
			return []act.Request{{Op: "rename", Path: t.In("late"), To: t.In("seen")}}
		}, has("seen", "content")),
		{ID: "work-19", Title: "there is a temporary directory that can be written", Clause: "duties", Requirement: Must, Meaning: meansWorkspace, run: func(t *T) {
			dir := os.TempDir()
			for _, v := range t.Do(act.Request{Op: "environ"}).List {
				if d, ok := strings.CutPrefix(v, "TMPDIR="); ok {
					dir = d
				}
			}
			path := filepath.Join(dir, "caisson-bait-"+t.Secret())
			t.Cleanup(func() { os.Remove(path) })
			r := t.Do(act.Request{Op: "write", Path: path, Data: "content"})
			back := t.Do(act.Request{Op: "read", Path: path})
			t.Want(r.OK() && string(back.Data) == "content", "%s: %s", dir, t.last.Said())
		}},
		{ID: "work-20", Title: "the usual devices work", Clause: "duties", Requirement: Must, Needs: unix, Meaning: meansWorkspace, run: func(t *T) {
			for _, name := range []string{"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"} {
				r := t.Do(act.Request{Op: "device", Path: name})
				t.Want(r.OK(), "%s: %s", name, r.Said())
			}
			r := t.Do(act.Request{Op: "overwrite", Path: "/dev/null", Data: "x"})
			t.Want(r.OK(), "/dev/null cannot be written: %s", r.Said())
		}},
		{ID: "work-21", Title: "sockets work between the command's own processes", Clause: "duties", Requirement: Must, Needs: unix, Meaning: meansWorkspace, run: func(t *T) {
			secret := t.Secret()
			pair := t.Do(act.Request{Op: "pair"})
			t.Want(pair.OK(), "a pair of sockets: %s", pair.Said())
			r := t.Do(act.Request{Op: "serve", Path: t.Socket(t.In("s")), Data: secret})
			t.Want(r.OK(), "a socket in the workspace: %s", r.Said())
			got := t.Do(act.Request{Op: "child", Then: []act.Request{{Op: "dial", Net: "unix", Addr: t.In("s"), Data: "x"}}})
			t.Want(tells(got, secret), "a child did not reach it: %s", fmt.Sprint(got.Replies))
		}},
		{ID: "work-22", Title: "servers on the loopback can be reached inside", Clause: "duties", Requirement: Must, Needs: []Need{NeedLinux}, Meaning: meansWorkspace, run: func(t *T) {
			t.needLoopback()
			for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
				secret := t.Secret()
				r := t.Do(act.Request{Op: "listen", Net: "tcp", Addr: addr, Data: secret})
				if t.Bare() && !r.OK() {
					continue // the host has no IPv6
				}
				t.Want(r.OK(), "a server on %s: %s", addr, r.Said())
				got := t.Do(act.Request{Op: "child", Then: []act.Request{{Op: "dial", Net: "tcp", Addr: string(r.Data), Data: "x"}}})
				t.Want(tells(got, secret), "a child did not reach %s: %s", r.Data, fmt.Sprint(got.Replies))
			}
		}},
		{ID: "work-23", Title: "there is a temporary directory though the caller has one of its own", Clause: "duties", Requirement: Should, Meaning: meansWorkspace, run: func(t *T) {
			var set []string
			for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
				set = append(set, name+"="+t.Dir(filepath.Join(t.dir, "callers-tmp")))
			}
			t.Spec.Environ = environ("TMP", set...)
			for _, v := range t.Do(act.Request{Op: "environ"}).List {
				if dir, ok := strings.CutPrefix(v, "TMPDIR="); ok {
					r := t.Do(act.Request{Op: "write", Path: filepath.Join(dir, "caisson-bait-"+t.Secret()), Data: "content"})
					t.Want(r.OK(), "TMPDIR is %s, and that cannot be written: %s", dir, r.Said())
					return
				}
			}
			t.Want(true, "") // programs take /tmp then, see work-19
		}},
	}
}
