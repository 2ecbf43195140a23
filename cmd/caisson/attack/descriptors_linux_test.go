// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// input is an attack through standard input, which the host opened with flags.
func input(id, what string, flags int, needs string, act func() error) attack {
	return attack{
		id: "input/" + id, what: what, guarantee: guarantee.WriteConfined, needs: needs, refusable: flags&unix.O_DIRECTORY != 0,
		lay: func(w *world) bait {
			name := w.file("precious")
			open := name
			if flags&unix.O_DIRECTORY != 0 {
				open = filepath.Dir(name)
			}
			f, err := os.OpenFile(open, flags, 0)
			w.must(err)
			w.t.Cleanup(func() { f.Close() })
			return bait{stdin: f, harm: changed(filepath.Dir(name))}
		},
		act: func([]string) error { return act() },
	}
}

// inherited is an attack through a descriptor that the host's program has left
// open across exec. The act gets its number.
func inherited(id, what string, open func(w *world) (fd int, harm func(string, int) string), act func(fd int) error) attack {
	return attack{
		id: "descriptor/" + id, what: what, guarantee: guarantee.FDNoLeak,
		lay: func(w *world) bait {
			fd, harm := open(w)
			high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, 100)
			w.must(err)
			unix.Close(fd)
			w.t.Cleanup(func() { unix.Close(high) })
			return bait{args: []string{strconv.Itoa(high)}, harm: harm}
		},
		act: func(args []string) error {
			fd, err := strconv.Atoi(args[0])
			if err != nil {
				return err
			}
			return act(fd)
		},
	}
}

func secretFile(w *world) (int, func(string, int) string) {
	secret := token("SECRET")
	fd, err := unix.Open(w.file(secret), unix.O_RDONLY, 0)
	w.must(err)
	return fd, leaked(secret)
}

func victimDir(w *world) (int, func(string, int) string) {
	dir := filepath.Dir(w.file("precious"))
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	w.must(err)
	return fd, changed(dir)
}

func victimFile(w *world) (int, func(string, int) string) {
	name := w.file("precious")
	fd, err := unix.Open(name, unix.O_RDWR, 0)
	w.must(err)
	return fd, changed(name)
}

// connected is one end of a connection; the host looks at the other.
func connected(w *world) (int, func(string, int) string) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	w.must(err)
	w.t.Cleanup(func() { unix.Close(pair[1]) })
	return pair[0], func(string, int) string {
		if n, _ := unix.Read(pair[1], make([]byte, 8)); n > 0 {
			return "the host has read what the attacker wrote"
		}
		return ""
	}
}

func ownNamespace(w *world) (int, func(string, int) string) {
	fd, err := unix.Open("/proc/self/ns/mnt", unix.O_RDONLY, 0)
	w.must(err)
	name, err := os.Readlink("/proc/self/ns/mnt")
	w.must(err)
	return fd, leaked(name)
}

func descriptorAttacks() []attack {
	const file, dir = unix.O_RDONLY, unix.O_RDONLY | unix.O_DIRECTORY
	return []attack{
		input("fchmod", "change the mode of standard input", file, "", func() error { return unix.Fchmod(0, 0o777) }),
		input("fchown", "change the owner of standard input", file, "", func() error { return unix.Fchown(0, os.Getuid(), os.Getgid()) }),
		input("futimens", "change the times of standard input", file, "", func() error { return just(raw(unix.SYS_UTIMENSAT, 0, 0, 0, 0)) }),
		input("fsetxattr", "set an attribute of standard input", file, xattrs, func() error { return unix.Fsetxattr(0, "user.evil", []byte("1"), 0) }),
		input("fremovexattr", "remove an attribute of standard input", file, xattrs, func() error { return unix.Fremovexattr(0, "user.keep") }),
		input("flags", "set the flags of standard input", file, fileKind, func() error { return unix.IoctlSetPointerInt(0, unix.FS_IOC_SETFLAGS, 0x40) }),
		input("truncate", "truncate through /proc/self/fd/0", file, "", func() error { return unix.Truncate("/proc/self/fd/0", 0) }),
		input("truncate-dev-stdin", "truncate through /dev/stdin", file, "", func() error { return unix.Truncate("/dev/stdin", 0) }),
		input("open-truncate", "open /proc/self/fd/0 and truncate", file, "", func() error {
			return withFD("/proc/self/fd/0", unix.O_RDONLY|unix.O_TRUNC, func(int) error { return nil })
		}),
		input("reopen", "open /proc/self/fd/0 for writing", file, "", func() error { return writeTo("/proc/self/fd/0", unix.O_RDWR) }),
		input("link", "link standard input into the workspace", file, "", func() error {
			_ = os.Remove("stdin-link")
			return unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/0", unix.AT_FDCWD, "stdin-link", unix.AT_SYMLINK_FOLLOW)
		}),
		input("fchmodat2", "change the mode of standard input by AT_EMPTY_PATH", file, newCall, func() error {
			return just(raw(unix.SYS_FCHMODAT2, 0, pathArg(""), 0o777, unix.AT_EMPTY_PATH))
		}),
		input("directory-chmod", "change a file below standard input", dir, "", func() error { return unix.Fchmodat(0, "victim", 0o777, 0) }),
		input("directory-truncate", "truncate a file below standard input", dir, "", func() error {
			fd, err := unix.Openat(0, "victim", unix.O_RDONLY|unix.O_TRUNC, 0)
			unix.Close(fd)
			return err
		}),
		input("directory-path", "make something below standard input", dir|unix.O_PATH, "", func() error { return unix.Mkdirat(0, "new", 0o755) }),
		inherited("read", "read from a forgotten descriptor", secretFile, tellFD),
		inherited("read-proc", "open a forgotten descriptor again", secretFile, func(fd int) error { return tell(fdPath(fd)) }),
		inherited("all", "read from every descriptor that there is", secretFile, func(int) error {
			for fd := 3; fd < 400; fd++ {
				if unix.SetNonblock(fd, true) == nil {
					_ = tellFD(fd)
				}
			}
			return nil
		}),
		inherited("directory", "make something below a forgotten directory", victimDir, func(fd int) error { return unix.Mkdirat(fd, "new", 0o755) }),
		inherited("directory-fchdir", "enter a forgotten directory and write", victimDir, func(fd int) error {
			if err := unix.Fchdir(fd); err != nil {
				return err
			}
			return writeTo("victim", unix.O_WRONLY)
		}),
		inherited("write", "write to a forgotten descriptor", victimFile, func(fd int) error { _, err := unix.Write(fd, []byte("EVIL")); return err }),
		inherited("socket", "speak through a forgotten socket", connected, func(fd int) error { _, err := unix.Write(fd, []byte("EVIL")); return err }),
		inherited("namespace", "tell the host's mount namespace by a forgotten descriptor", ownNamespace, func(fd int) error {
			name, err := os.Readlink(fdPath(fd))
			fmt.Println(name)
			return err
		}),
	}
}
