// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// onFile is an attack on a file outside, which must stay as it is.
func onFile(id, what, needs string, act func(name string) error) attack {
	return attack{
		id: "file/" + id, what: what, guarantee: guarantee.WriteConfined, needs: needs,
		lay: func(w *world) bait {
			name := w.file("precious")
			return bait{args: []string{name}, harm: changed(filepath.Dir(name))}
		},
		act: func(args []string) error { return act(args[0]) },
	}
}

const (
	root     = "root outside"
	xattrs   = "user attributes on the file system"
	newCall  = "a kernel that has the call"
	fileKind = "a file system that can do it"
)

// lease is an attack that makes whoever opens a file of the user wait. An
// attacker of another user could not, so the file is the attacker's own.
func lease(id, what string, command uintptr, kind uintptr) attack {
	return attack{
		id: "lease/" + id, what: what, guarantee: guarantee.OutsideUntouchable,
		lay: func(w *world) bait {
			name := w.file("x")
			return bait{args: []string{name}, harm: func(said string, _ int) string {
				if strings.Contains(said, "LEASED") {
					return "programs outside have to wait"
				}
				return ""
			}}
		},
		act: func(args []string) error {
			return withFD(args[0], unix.O_RDONLY, func(fd int) error {
				if _, err := raw(unix.SYS_FCNTL, uintptr(fd), command, kind); err != nil {
					return err
				}
				fmt.Println("LEASED")
				return nil
			})
		},
	}
}

func leaseAttacks() []attack {
	return []attack{
		lease("write", "take a write lease on a file of the user", unix.F_SETLEASE, unix.F_WRLCK),
		lease("read", "take a read lease on a file of the user", unix.F_SETLEASE, unix.F_RDLCK),
		lease("write-high", "the same with garbage in the high bits", unix.F_SETLEASE|1<<32, unix.F_WRLCK),
	}
}

func fileAttacks() []attack {
	return []attack{
		onFile("openat2", "open for writing by openat2", "", func(f string) error {
			fd, err := unix.Openat2(unix.AT_FDCWD, f, &unix.OpenHow{Flags: unix.O_WRONLY | unix.O_TRUNC})
			unix.Close(fd)
			return err
		}),
		onFile("open-truncate", "open read-only and truncate", "", func(f string) error {
			return withFD(f, unix.O_RDONLY|unix.O_TRUNC, func(int) error { return nil })
		}),
		onFile("open-append", "append", "", func(f string) error { return writeTo(f, unix.O_WRONLY|unix.O_APPEND) }),
		onFile("open-sync-direct", "open with unusual flags", "", func(f string) error { return writeTo(f, unix.O_RDWR|unix.O_DSYNC|unix.O_NOATIME) }),
		onFile("open-access-3", "open with access mode 3, then ioctl", "a file system with such ioctls", func(f string) error {
			return withFD(f, 3, func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, 0x40) })
		}),
		onFile("truncate", "truncate", "", func(f string) error { return unix.Truncate(f, 2) }),
		onFile("truncate-proc-fd", "truncate through a descriptor's link", "", func(f string) error {
			return withFD(f, unix.O_PATH, func(fd int) error { return unix.Truncate(fdPath(fd), 2) })
		}),
		onFile("reopen-proc-fd", "open for writing through a descriptor's link", "", func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error { return writeTo(fdPath(fd), unix.O_RDWR) })
		}),
		onFile("reopen-thread-self", "open for writing through /proc/thread-self", "", func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error { return writeTo("/proc/thread-self"+fdPath(fd)[len("/proc/self"):], unix.O_RDWR) })
		}),
		onFile("dev-fd", "open for writing through /dev/fd", "", func(f string) error {
			return withFD(f, unix.O_PATH, func(fd int) error { return writeTo("/dev/fd/"+filepath.Base(fdPath(fd)), unix.O_WRONLY) })
		}),
		onFile("root-link", "write through /proc/self/root", "", func(f string) error { return writeTo("/proc/self/root"+f, unix.O_WRONLY) }),
		onFile("root-link-1", "write through the root of process 1", root, func(f string) error { return writeTo("/proc/1/root"+f, unix.O_WRONLY) }),
		onFile("cwd-link", "write through /proc/self/cwd", "", func(f string) error {
			if err := os.Chdir(filepath.Dir(f)); err != nil {
				return err
			}
			return writeTo("/proc/self/cwd/victim", unix.O_WRONLY)
		}),
		onFile("dotdot", "write through a path with ..", "", func(f string) error { return writeTo("../outside/../outside/"+tail(f), unix.O_WRONLY) }),
		onFile("symlink", "write through a symbolic link in the workspace", "", func(f string) error {
			_ = os.Remove("link")
			if err := unix.Symlink(f, "link"); err != nil {
				return err
			}
			return writeTo("link", unix.O_WRONLY)
		}),
		onFile("hard-link", "link into the workspace and write there", "", func(f string) error {
			_ = os.Remove("hard")
			if err := unix.Link(f, "hard"); err != nil {
				return err
			}
			return writeTo("hard", unix.O_WRONLY)
		}),
		onFile("hard-link-fd", "link a descriptor into the workspace", "", func(f string) error {
			_ = os.Remove("hard")
			return withFD(f, unix.O_RDONLY, func(fd int) error {
				return unix.Linkat(unix.AT_FDCWD, fdPath(fd), unix.AT_FDCWD, "hard", unix.AT_SYMLINK_FOLLOW)
			})
		}),
		onFile("hard-link-empty-path", "link a descriptor by AT_EMPTY_PATH", "a recent kernel or root", func(f string) error {
			_ = os.Remove("hard")
			return withFD(f, unix.O_RDONLY, func(fd int) error { return unix.Linkat(fd, "", unix.AT_FDCWD, "hard", unix.AT_EMPTY_PATH) })
		}),
		onFile("rename-raw", "rename into the workspace by rename(2)", "", func(f string) error {
			return just(raw(unix.SYS_RENAME, pathArg(f), pathArg("stolen")))
		}),
		onFile("renameat", "rename over it by renameat", "", func(f string) error {
			if err := own("EVIL"); err != nil {
				return err
			}
			return unix.Renameat(unix.AT_FDCWD, "own", unix.AT_FDCWD, f)
		}),
		onFile("rename-exchange", "exchange it with a file of the workspace", "", func(f string) error {
			if err := own("EVIL"); err != nil {
				return err
			}
			return unix.Renameat2(unix.AT_FDCWD, "own", unix.AT_FDCWD, f, unix.RENAME_EXCHANGE)
		}),
		onFile("rename-whiteout", "rename and leave a whiteout", root, func(f string) error {
			return unix.Renameat2(unix.AT_FDCWD, f, unix.AT_FDCWD, "stolen", 4)
		}),
		onFile("unlink-raw", "remove it by unlink(2)", "", func(f string) error { return just(raw(unix.SYS_UNLINK, pathArg(f))) }),
		onFile("unlinkat-dirfd", "remove it by a directory descriptor", "", func(f string) error {
			return withFD(filepath.Dir(f), unix.O_PATH, func(fd int) error { return unix.Unlinkat(fd, "victim", 0) })
		}),
		onFile("rmdir", "make and remove directories beside", "", func(f string) error {
			if err := unix.Mkdirat(unix.AT_FDCWD, filepath.Dir(f)+"/d", 0o755); err != nil {
				return err
			}
			return unix.Rmdir(filepath.Dir(f) + "/d")
		}),
		onFile("symlinkat", "make a symbolic link beside", "", func(f string) error { return unix.Symlinkat("/", unix.AT_FDCWD, filepath.Dir(f)+"/l") }),
		onFile("mknodat", "make a fifo beside by mknodat", "", func(f string) error {
			return unix.Mknodat(unix.AT_FDCWD, filepath.Dir(f)+"/p", unix.S_IFIFO|0o644, 0)
		}),
		onFile("mknod-regular", "make a file beside by mknod", "", func(f string) error { return unix.Mknod(filepath.Dir(f)+"/r", unix.S_IFREG|0o644, 0) }),
		onFile("bind-socket", "bind a socket beside", "", func(f string) error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			return unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Dir(f) + "/s"})
		}),
		onFile("tmpfile", "name an unnamed file beside", "", func(f string) error {
			return withFD(filepath.Dir(f), unix.O_TMPFILE|unix.O_WRONLY, func(fd int) error {
				return unix.Linkat(unix.AT_FDCWD, fdPath(fd), unix.AT_FDCWD, filepath.Dir(f)+"/t", unix.AT_SYMLINK_FOLLOW)
			})
		}),
		onFile("chmod-raw", "chmod(2)", "", func(f string) error { return just(raw(unix.SYS_CHMOD, pathArg(f), 0o777)) }),
		onFile("fchmodat2", "fchmodat2", newCall, func(f string) error {
			return just(raw(unix.SYS_FCHMODAT2, atCWD, pathArg(f), 0o777, unix.AT_SYMLINK_NOFOLLOW))
		}),
		onFile("fchmod-read-only", "fchmod of a read-only descriptor", "", func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error { return unix.Fchmod(fd, 0o777) })
		}),
		onFile("chown-other", "give it away", root, func(f string) error { return unix.Chown(f, 7, 7) }),
		onFile("chown-self", "change its owner to the same", "", func(f string) error { return unix.Lchown(f, os.Getuid(), os.Getgid()) }),
		onFile("fchownat-empty", "change the owner by AT_EMPTY_PATH", "", func(f string) error {
			return withFD(f, unix.O_PATH, func(fd int) error { return unix.Fchownat(fd, "", os.Getuid(), os.Getgid(), unix.AT_EMPTY_PATH) })
		}),
		onFile("utime-raw", "utime(2)", "", func(f string) error { return just(raw(unix.SYS_UTIME, pathArg(f), 0)) }),
		onFile("futimesat", "futimesat", "", func(f string) error { return just(raw(unix.SYS_FUTIMESAT, atCWD, pathArg(f), 0)) }),
		onFile("utimensat", "utimensat of a read-only descriptor", "", func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error { return just(raw(unix.SYS_UTIMENSAT, uintptr(fd), 0, 0, 0)) })
		}),
		onFile("setxattr", "set an attribute", xattrs, func(f string) error { return unix.Setxattr(f, "user.evil", []byte("1"), 0) }),
		onFile("setxattrat", "set an attribute by setxattrat", xattrs+" and "+newCall, func(f string) error {
			args := make([]byte, 16)
			value := []byte("1")
			for i, at := 0, bytesArg(value); i < 8; i++ {
				args[i] = byte(at >> (8 * i))
			}
			args[8] = 1
			return just(raw(463, atCWD, pathArg(f), 0, pathArg("user.evil"), bytesArg(args), 16))
		}),
		onFile("removexattr", "remove an attribute", xattrs, func(f string) error { return unix.Removexattr(f, "user.keep") }),
		onFile("fremovexattr", "remove an attribute by a descriptor", xattrs, func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error { return unix.Fremovexattr(fd, "user.keep") })
		}),
		onFile("trusted-xattr", "set a trusted attribute", root+" and "+xattrs, func(f string) error { return unix.Setxattr(f, "trusted.evil", []byte("1"), 0) }),
		onFile("capability-xattr", "give it capabilities", root+" and "+xattrs, func(f string) error {
			return unix.Setxattr(f, "security.capability", []byte{0, 0, 0, 2, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0)
		}),
		onFile("flags", "set its flags", fileKind, func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, 0x40) })
		}),
		onFile("flags-x", "set its flags by FSSETXATTR", fileKind, func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error {
				attr := make([]byte, 28)
				attr[0] = 0x80 // FS_XFLAG_NODUMP
				return just(raw(unix.SYS_IOCTL, uintptr(fd), 0x401c5820, bytesArg(attr)))
			})
		}),
	}
}

// tail is the part of a path of a world below "outside".
func tail(name string) string {
	return filepath.Join(filepath.Base(filepath.Dir(name)), filepath.Base(name))
}
