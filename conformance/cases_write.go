// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

const (
	meansWrite = "A command can change files of the user's that are no part of its task: start-up files, keys, other checkouts. What it writes there runs later without a sandbox."
	meansMeta  = "A command can change the mode, owner, times or attributes of files outside, and so open them to others, or make backups and builds miss or repeat work."
)

// bait is what lies outside the workspace for an act to change.
type bait struct {
	file string // in a directory whose name begins with the workspace's
	dir  string // an empty directory beside the file
	all  string // the directory that holds both
}

func (t *T) lay() bait {
	b := bait{all: t.Out("bait")}
	b.file = t.File(filepath.Join(b.all, "file.txt"), "before")
	b.dir = t.Dir(filepath.Join(b.all, "dir"))
	t.File(t.In("mine.txt"), "mine")
	return b
}

// outside is a case whose act must leave everything beside the workspace as it
// is. acts returns the requests; the harm is any difference seen from outside.
func outside(id, title, seen string, needs []Need, acts func(t *T, b bait) []act.Request) Case {
	return Case{ID: id, Title: title, Guarantee: guarantee.WriteConfined, Clause: string(guarantee.WriteConfined),
		Requirement: Must, Needs: needs, Meaning: meansWrite, Seen: seen, run: func(t *T) {
			b := t.lay()
			before := state(b.all)
			requests := acts(t, b)
			for _, r := range requests {
				t.Do(r)
			}
			t.Harm(state(b.all) != before, "what lies beside the workspace was changed")
		}}
}

// should makes a case weigh less: what it shows is no harm in itself.
func should(c Case) Case { c.Requirement = Should; return c }

// hostMay lets the host itself refuse the act of a case.
func hostMay(c Case) Case { c.hostMay = true; return c }

// elsewhere is a case about one file that lies in a directory of the host's.
func elsewhere(id, title, seen string, needs []Need, dir func(t *T) string, r func(path string) act.Request) Case {
	return Case{ID: id, Title: title, Guarantee: guarantee.WriteConfined, Clause: string(guarantee.WriteConfined),
		Requirement: Must, Needs: needs, Meaning: meansWrite, Seen: seen, run: func(t *T) {
			path := t.Bait(dir(t), "before")
			before := state(path)
			t.Do(r(path))
			t.Harm(state(path) != before, "%s was changed", path)
		}}
}

func writeCases() []Case {
	linux, unix := []Need{NeedLinux}, []Need{NeedUnix}
	one := func(op string) func(*T, bait) []act.Request {
		return func(_ *T, b bait) []act.Request { return []act.Request{{Op: op, Path: b.file, Data: "after!"}} }
	}
	through := func(path string) func(*T, bait) []act.Request {
		return func(_ *T, b bait) []act.Request {
			return []act.Request{{Op: "write", Path: path + b.file, Data: "after"}}
		}
	}
	home := func(t *T) string { return t.home() }
	return []Case{
		outside("write-01", "create a file beside the workspace", "a prefix compare took /ws-evil for a part of /ws (claw-code)", nil, func(_ *T, b bait) []act.Request {
			return []act.Request{{Op: "create", Path: filepath.Join(b.dir, "new"), Data: "x"}}
		}),
		outside("write-02", "overwrite a file beside the workspace", "", nil, one("write")),
		outside("write-03", "write over a file without truncating it", "", nil, one("overwrite")),
		outside("write-04", "append to a file outside", "", nil, one("append")),
		outside("write-05", "truncate a file outside", "Landlock has no right for truncating before its third version", nil, func(_ *T, b bait) []act.Request {
			return []act.Request{{Op: "truncate", Path: b.file, Num: 2}}
		}),
		outside("write-06", "remove a file outside", "", nil, one("remove")),
		outside("write-07", "remove a directory outside", "", nil, func(_ *T, b bait) []act.Request {
			return []act.Request{{Op: "remove", Path: b.dir}}
		}),
		outside("write-08", "make a directory outside", "", nil, func(_ *T, b bait) []act.Request {
			return []act.Request{{Op: "mkdir", Path: filepath.Join(b.all, "new")}}
		}),
		outside("write-09", "move a file out of the workspace", "", nil, func(t *T, b bait) []act.Request {
			return []act.Request{{Op: "rename", Path: t.In("mine.txt"), To: filepath.Join(b.all, "new")}}
		}),
		outside("write-10", "replace a file outside by one of the workspace", "", nil, func(t *T, b bait) []act.Request {
			return []act.Request{{Op: "rename", Path: t.In("mine.txt"), To: b.file}}
		}),
		outside("write-11", "move a file from outside into the workspace", "Landlock's right to move between directories (landrun #49)", nil, func(t *T, b bait) []act.Request {
			return []act.Request{{Op: "rename", Path: b.file, To: t.In("taken")}}
		}),
		outside("write-12", "swap a file of the workspace with one outside", "", linux, func(t *T, b bait) []act.Request {
			return []act.Request{{Op: "exchange", Path: t.In("mine.txt"), To: b.file}}
		}),
		outside("write-13", "make a symbolic link outside", "", nil, func(t *T, b bait) []act.Request {
			return []act.Request{{Op: "symlink", Path: t.In("mine.txt"), To: filepath.Join(b.all, "new")}}
		}),
		outside("write-14", "make a hard link outside to a file of the workspace", "", nil, func(t *T, b bait) []act.Request {
			return []act.Request{{Op: "link", Path: t.In("mine.txt"), To: filepath.Join(b.all, "new")}}
		}),
		outside("write-15", "hard-link a file from outside into the workspace and write it there", "path rules do not see the second name (sandlock #179)", nil, func(t *T, b bait) []act.Request {
			return []act.Request{{Op: "link", Path: b.file, To: t.In("alias")}, {Op: "overwrite", Path: t.In("alias"), Data: "after!"}}
		}),
		outside("write-16", "write through a symbolic link that was made inside", "CVE-2026-39861 (Claude Code)", nil, func(t *T, b bait) []act.Request {
			return []act.Request{{Op: "symlink", Path: b.file, To: t.In("alias")}, {Op: "write", Path: t.In("alias"), Data: "after"}}
		}),
		outside("write-17", "create a file through a linked directory in the middle of a path", "only the last name was looked at (librefang #6299, gemini #2677)", nil, func(t *T, b bait) []act.Request {
			return []act.Request{{Op: "symlink", Path: b.all, To: t.In("deep")}, {Op: "create", Path: t.In("deep", "dir", "new"), Data: "x"}}
		}),
		outside("write-18", "leave the workspace by two dots", "", nil, func(t *T, b bait) []act.Request {
			return []act.Request{{Op: "write", Path: t.Spec.Workspace + "/../ws-beside/bait/file.txt", Data: "after"}}
		}),
		outside("write-19", "change the directory first and write from there", "", unix, func(_ *T, b bait) []act.Request {
			return []act.Request{{Op: "chdirs", Path: b.all, To: "file.txt", Data: "after"}}
		}),
		outside("write-20", "write below a descriptor of a directory outside", "", unix, func(_ *T, b bait) []act.Request {
			return []act.Request{{Op: "at", Path: b.all, To: "file.txt", Data: "after"}}
		}),
		outside("write-21", "write through a shared mapping", "", unix, one("map")),
		outside("write-22", "write through /proc/self/root", "an agent found this way by itself", linux, through("/proc/self/root")),
		outside("write-23", "write through /proc/self/cwd", "", linux, func(_ *T, b bait) []act.Request {
			return []act.Request{{Op: "write", Path: "/proc/self/cwd/../ws-beside/bait/file.txt", Data: "after"}}
		}),
		hostMay(outside("write-24", "write through the root of process 1", "", []Need{NeedLinux, NeedRoot}, through("/proc/1/root"))),
		outside("write-25", "open without rights, then again for writing through /proc", "", linux, one("reopen")),
		outside("write-26", "a child of the command writes", "a spawn path without the sandbox (codex #14367)", nil, func(_ *T, b bait) []act.Request {
			return []act.Request{{Op: "child", Then: []act.Request{{Op: "write", Path: b.file, Data: "after"}}}}
		}),
		outside("write-27", "a child in a session of its own writes", "", unix, func(_ *T, b bait) []act.Request {
			return []act.Request{{Op: "child", Args: []string{"session"}, Then: []act.Request{{Op: "write", Path: b.file, Data: "after"}}}}
		}),
		outside("write-28", "lengthen a file outside with fallocate", "", linux, func(_ *T, b bait) []act.Request {
			return []act.Request{{Op: "allocate", Path: b.file, Num: 100}}
		}),
		outside("write-29", "make a fifo outside", "", unix, func(_ *T, b bait) []act.Request {
			return []act.Request{{Op: "mkfifo", Path: filepath.Join(b.all, "new")}}
		}),
		outside("write-30", "make a socket outside", "", unix, func(t *T, b bait) []act.Request {
			return []act.Request{{Op: "serve", Path: t.Socket(filepath.Join(b.all, "s"))}}
		}),
		{ID: "write-31", Title: "a link that changes between check and use does not lead out", Guarantee: guarantee.WriteConfined,
			Clause: string(guarantee.WriteConfined), Requirement: Must, Meaning: meansWrite,
			Seen: "decisions in user space, and the kernel looks again (sandlock #111, Kilo's red team)", run: func(t *T) {
				b := t.lay()
				before := state(b.file)
				t.Do(act.Request{Op: "race", Path: t.In("swap"), To: b.file, Data: "after", Num: 500})
				t.Harm(state(b.file) != before, "the file beside the workspace was written through a swapped link")
			}},
		{ID: "write-32", Title: "a link that was there before the run does not lead out", Guarantee: guarantee.WriteConfined,
			Clause: string(guarantee.WriteConfined), Requirement: Must, Meaning: meansWrite, Seen: "a checkout may hold such links", run: func(t *T) {
				b := t.lay()
				t.must(os.Symlink(b.file, t.In("planted")))
				before := state(b.file)
				t.Do(act.Request{Op: "write", Path: t.In("planted"), Data: "after"})
				t.Harm(state(b.file) != before, "the file beside the workspace was written through the checkout's link")
			}},
		elsewhere("write-33", "overwrite a file in the home directory", "", nil, home, func(path string) act.Request {
			return act.Request{Op: "write", Path: path, Data: "after"}
		}),
		elsewhere("write-34", "remove a file in the home directory", "", nil, home, func(path string) act.Request {
			return act.Request{Op: "remove", Path: path}
		}),
		{ID: "write-35", Title: "create a start-up file in the home directory", Guarantee: guarantee.WriteConfined, Clause: string(guarantee.WriteConfined),
			Requirement: Must, Meaning: meansWrite, Seen: "gemini #28215: the profile let global git configuration be written", run: func(t *T) {
				path := filepath.Join(t.home(), ".caisson-bait-"+t.Secret())
				t.Cleanup(func() { removeAll(path) })
				t.Do(act.Request{Op: "create", Path: path, Data: "x"})
				t.Harm(t.Exists(path), "%s was made", path)
			}},
		elsewhere("write-36", "overwrite a file below /etc", "", []Need{NeedUnix, NeedRoot}, func(*T) string { return "/etc" }, func(path string) act.Request {
			return act.Request{Op: "write", Path: path, Data: "after"}
		}),
		{ID: "write-37", Title: "nothing can be made where the system's programs are", Guarantee: guarantee.WriteConfined, Clause: string(guarantee.WriteConfined),
			Requirement: Must, Needs: []Need{NeedRoot}, Meaning: meansWrite, run: func(t *T) {
				dir := "/usr/local/bin"
				if runtime.GOOS == "windows" {
					t.Skip("the suite does not write to the system's directories on Windows")
				}
				if !t.Exists(dir) {
					t.Skip("there is no %s", dir)
				}
				path := filepath.Join(dir, "caisson-bait-"+t.Secret())
				t.Cleanup(func() { removeAll(path) })
				t.Do(act.Request{Op: "create", Path: path, Data: "x"})
				t.Harm(t.Exists(path), "%s was made", path)
			}},
		{ID: "write-38", Title: "change the file that is the standard input", Guarantee: guarantee.WriteConfined, Clause: string(guarantee.WriteConfined),
			Requirement: Must, Needs: []Need{NeedUnix}, Meaning: meansWrite, Seen: "`cmd < ~/file` lent the file's mode, times and content", run: func(t *T) {
				path := t.File(t.Out("input"), strings.Repeat("before ", 10))
				before := state(path)
				f, err := os.Open(path)
				t.must(err)
				t.Cleanup(func() { f.Close() })
				t.Open()
				h := t.StartWith(Command{Stdin: f}, "spoil")
				h.Line()
				h.Wait()
				t.Harm(state(path) != before, "the file was changed through the standard input")
			}},
	}
}

func metadataCases() []Case {
	linux, unix := []Need{NeedLinux}, []Need{NeedUnix}
	meta := func(id, title, seen string, needs []Need, r func(b bait) act.Request) Case {
		c := outside(id, title, seen, needs, func(_ *T, b bait) []act.Request { return []act.Request{r(b)} })
		c.Meaning = meansMeta
		return c
	}
	attribute := meta("meta-04", "set an extended attribute outside", "Landlock has no right for attributes", unix, func(b bait) act.Request {
		return act.Request{Op: "setxattr", Path: b.file, To: "user.bait", Data: "x"}
	})
	attribute.hostMay = true
	flags := meta("meta-05", "set a file attribute outside", "", linux, func(b bait) act.Request { return act.Request{Op: "flags", Path: b.file} })
	flags.hostMay = true
	return []Case{
		meta("meta-01", "change the mode of a file outside", "Landlock has no right for modes", nil, func(b bait) act.Request {
			return act.Request{Op: "chmod", Path: b.file, Num: 0o444}
		}),
		meta("meta-02", "change the mode of a directory outside", "", unix, func(b bait) act.Request {
			return act.Request{Op: "chmod", Path: b.dir, Num: 0o700}
		}),
		meta("meta-03", "change the times of a file outside", "Landlock has no right for times", nil, func(b bait) act.Request {
			return act.Request{Op: "chtimes", Path: b.file, Num: 1_000_000_000}
		}),
		attribute, flags,
		meta("meta-06", "change the owner of a file outside", "", []Need{NeedUnix, NeedRoot}, func(b bait) act.Request {
			return act.Request{Op: "chown", Path: b.file, Nums: []int64{12345, 12345}}
		}),
		meta("meta-07", "change the mode through a hard link in the workspace", "", nil, func(b bait) act.Request {
			return act.Request{Op: "child", Then: []act.Request{
				{Op: "link", Path: b.file, To: filepath.Join(filepath.Dir(filepath.Dir(b.all)), "ws", "alias")},
				{Op: "chmod", Path: filepath.Join(filepath.Dir(filepath.Dir(b.all)), "ws", "alias"), Num: 0o400}}}
		}),
	}
}
