// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/launch/seccomp"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// The observer looks at calls that name files while the command waits, and lets
// the kernel go on. The kernel reads the path again: another thread may have
// changed it by then, and a link on the way too. So what is seen here is what
// was asked, it is told to people, and nothing is decided by it
// (seccomp_unotify(2), "caveats").

// observed says where a call has its paths.
type observed struct {
	act    Act
	names  []named
	flags  int // argument with O_* flags that change the act, -1 for none
	atFlag int // argument with AT_SYMLINK_NOFOLLOW, -1 for none
}

// named is one path of a call.
type named struct {
	dir    int // argument with the directory's descriptor, -1: the working directory
	path   int
	follow bool // a link in the last place is followed
	act    Act  // "" as the call
}

// paths describes a call with one path.
func paths(act Act, dir, path int, follow bool) observed {
	return observed{act: act, names: []named{{dir: dir, path: path, follow: follow}}, flags: -1, atFlag: -1}
}

func (o observed) with(flags, atFlag int) observed {
	o.flags, o.atFlag = flags, atFlag
	return o
}

// moves describes a call that takes a name away and makes another one.
func moves(act Act, from, to named) observed {
	from.act, to.act = act, ActCreate
	return observed{act: act, names: []named{from, to}, flags: -1, atFlag: -1}
}

// observedCalls has each call of plan.Observed.
func observedCalls() map[string]observed {
	const here = -1
	return map[string]observed{
		"open": paths(ActRead, here, 0, true).with(1, -1), "openat": paths(ActRead, 0, 1, true).with(2, -1),
		"creat":  paths(ActWrite, here, 0, true),
		"execve": paths(ActExecute, here, 0, true), "execveat": paths(ActExecute, 0, 1, true).with(-1, 4),
		"stat": paths(ActLook, here, 0, true), "lstat": paths(ActLook, here, 0, false),
		"newfstatat": paths(ActLook, 0, 1, true).with(-1, 3), "statx": paths(ActLook, 0, 1, true).with(-1, 2),
		"access": paths(ActLook, here, 0, true), "faccessat": paths(ActLook, 0, 1, true),
		"faccessat2": paths(ActLook, 0, 1, true).with(-1, 3), "chdir": paths(ActLook, here, 0, true),
		"readlink": paths(ActLook, here, 0, false), "readlinkat": paths(ActLook, 0, 1, false),
		"mkdir": paths(ActCreate, here, 0, false), "mkdirat": paths(ActCreate, 0, 1, false),
		"mknod": paths(ActCreate, here, 0, false), "mknodat": paths(ActCreate, 0, 1, false),
		"symlink": paths(ActCreate, here, 1, false), "symlinkat": paths(ActCreate, 1, 2, false),
		"link": paths(ActCreate, here, 1, false), "linkat": paths(ActCreate, 2, 3, false),
		"unlink": paths(ActRemove, here, 0, false), "unlinkat": paths(ActRemove, 0, 1, false), "rmdir": paths(ActRemove, here, 0, false),
		"rename":   moves(ActRemove, named{dir: here, path: 0}, named{dir: here, path: 1}),
		"renameat": moves(ActRemove, named{dir: 0, path: 1}, named{dir: 2, path: 3}), "renameat2": moves(ActRemove, named{dir: 0, path: 1}, named{dir: 2, path: 3}),
		"chmod": paths(ActChange, here, 0, true), "fchmodat": paths(ActChange, 0, 1, true), "fchmodat2": paths(ActChange, 0, 1, true).with(-1, 3),
		"chown": paths(ActChange, here, 0, true), "lchown": paths(ActChange, here, 0, false), "fchownat": paths(ActChange, 0, 1, true).with(-1, 4),
		"utime": paths(ActChange, here, 0, true), "utimes": paths(ActChange, here, 0, true),
		"futimesat": paths(ActChange, 0, 1, true), "utimensat": paths(ActChange, 0, 1, true).with(-1, 3),
		"truncate": paths(ActWrite, here, 0, true),
		"setxattr": paths(ActChange, here, 0, true), "lsetxattr": paths(ActChange, here, 0, false),
		"removexattr": paths(ActChange, here, 0, true), "lremovexattr": paths(ActChange, here, 0, false),
	}
}

// observing returns the calls that a plan has observed, by number. A call that
// is also answered is none of them.
func observing(p *plan.Plan) map[int32]observed {
	calls := map[int32]observed{}
	var answered []int32
	for _, step := range p.Steps {
		filter, ok := step.(plan.Seccomp)
		if !ok {
			continue
		}
		known := observedCalls()
		for _, rule := range filter.Rules {
			for _, name := range rule.Calls {
				nr, ok := seccomp.Number(name, runtime.GOARCH)
				shape, observable := known[name]
				switch {
				case !ok:
				case rule.Action == "notify":
					answered = append(answered, int32(nr))
				case rule.Action == "observe" && observable:
					calls[int32(nr)] = shape
				}
			}
		}
	}
	for _, nr := range answered {
		delete(calls, nr)
	}
	return calls
}

// observe tells what a waiting call asks for.
func (b *broker) observe(n *notification, listener int, o observed) {
	if b.told == nil {
		return
	}
	type asked struct {
		named
		text string
	}
	var list []asked
	for _, name := range o.names {
		if text, ok := readPath(int(n.pid), n.args[name.path]); ok && text != "" {
			list = append(list, asked{name, text})
		}
	}
	if !n.valid(listener) {
		return // the id may be another process's by now
	}
	for _, a := range list {
		act, follow := o.refine(n, a.act, a.follow)
		path, found, ok := whereInside(int(n.pid), a.directory(n), a.text, follow)
		if !ok {
			continue
		}
		if act == ActWrite && !found {
			if !o.creates(n) {
				continue // nothing is there to write to
			}
			act = ActCreate
		}
		b.told(Attempt{Source: "trace", Act: act, Path: path, Found: found})
	}
}

// refine takes the flags of a call into account, which stand in its registers.
func (o observed) refine(n *notification, act Act, follow bool) (Act, bool) {
	if act == "" {
		act = o.act
	}
	if o.atFlag >= 0 && n.args[o.atFlag]&unix.AT_SYMLINK_NOFOLLOW != 0 {
		follow = false
	}
	if o.flags < 0 {
		return act, follow
	}
	flags := n.args[o.flags]
	if flags&unix.O_NOFOLLOW != 0 || flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL {
		follow = false
	}
	switch {
	case flags&unix.O_PATH != 0:
		act = ActLook
	case flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL:
		act = ActCreate
	case flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_TRUNC != 0:
		act = ActWrite
	}
	return act, follow
}

// creates reports whether opening for writing makes what is missing.
func (o observed) creates(n *notification) bool {
	if o.flags < 0 {
		return n.nr != unix.SYS_TRUNCATE // creat
	}
	return n.args[o.flags]&unix.O_CREAT != 0
}

// directory is the descriptor that a relative path begins at.
func (a named) directory(n *notification) int {
	if a.dir < 0 {
		return unix.AT_FDCWD
	}
	return int(int32(n.args[a.dir]))
}

// readPath copies a path out of a process: up to the first zero byte and at most
// PATH_MAX, page by page, for the one behind its end may not be there.
func readPath(pid int, at uint64) (string, bool) {
	page := uint64(os.Getpagesize())
	var text []byte
	for len(text) < unix.PathMax {
		size := min(page-at%page, uint64(unix.PathMax-len(text)))
		buf := make([]byte, size)
		local := []unix.Iovec{{Base: &buf[0], Len: size}}
		got, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: uintptr(at), Len: int(size)}}, 0)
		if err != nil || got <= 0 {
			return "", false
		}
		if end := bytes.IndexByte(buf[:got], 0); end >= 0 {
			return string(append(text, buf[:end]...)), true
		}
		text = append(text, buf[:got]...)
		at += uint64(got)
	}
	return "", false // the kernel refuses it too: ENAMETOOLONG
}
