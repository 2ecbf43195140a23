// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// fileActs change the file args[0], something beside it, or its metadata. The
// working directory is the workspace; args[0] is absolute.
func fileActs() map[string]act {
	return map[string]act{
		"open for writing":        onFile(func(f string) error { return writeFD(f, unix.O_WRONLY) }),
		"open for appending":      onFile(func(f string) error { return writeFD(f, unix.O_WRONLY|unix.O_APPEND) }),
		"open read-write":         onFile(func(f string) error { return writeFD(f, unix.O_RDWR) }),
		"open and truncate":       onFile(func(f string) error { return openClose(f, unix.O_WRONLY|unix.O_TRUNC) }),
		"open read-only truncate": onFile(func(f string) error { return openClose(f, unix.O_RDONLY|unix.O_TRUNC) }),
		"creat":                   onFile(func(f string) error { fd, err := unix.Creat(f, 0o644); unix.Close(fd); return err }),
		"truncate":                onFile(func(f string) error { return unix.Truncate(f, 1) }),
		"pwrite": onFile(func(f string) error {
			return withFD(f, unix.O_WRONLY, func(fd int) error { _, err := unix.Pwrite(fd, []byte("X"), 0); return err })
		}),
		"fallocate": onFile(func(f string) error {
			return withFD(f, unix.O_WRONLY, func(fd int) error { return unix.Fallocate(fd, 0, 0, 9999) })
		}),
		"ftruncate": onFile(func(f string) error {
			return withFD(f, unix.O_RDWR, func(fd int) error { return unix.Ftruncate(fd, 0) })
		}),
		"write through a shared mapping": onFile(func(f string) error {
			return withFD(f, unix.O_RDWR, func(fd int) error {
				m, err := unix.Mmap(fd, 0, 4, unix.PROT_WRITE, unix.MAP_SHARED)
				if err != nil {
					return err
				}
				copy(m, "EVIL")
				return unix.Munmap(m)
			})
		}),
		"reopen by /proc/self/fd": onFile(func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error { return writeFD(fdPath(fd), unix.O_RDWR) })
		}),
		"truncate by /proc/self/fd": onFile(func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error { return unix.Truncate(fdPath(fd), 0) })
		}),
		"copy_file_range": fromOwn(func(own, victim int) error { _, err := unix.CopyFileRange(own, nil, victim, nil, 3, 0); return err }),
		"sendfile":        fromOwn(func(own, victim int) error { _, err := unix.Sendfile(victim, own, nil, 3); return err }),
		"splice": fromOwn(func(own, victim int) error {
			var p [2]int
			if err := unix.Pipe(p[:]); err != nil {
				return err
			}
			if _, err := unix.Write(p[1], []byte("EVIL")); err != nil {
				return err
			}
			_, err := unix.Splice(p[0], nil, victim, nil, 4, 0)
			return err
		}),
		"unlink":   onFile(unix.Unlink),
		"unlinkat": onFile(func(f string) error { return unix.Unlinkat(unix.AT_FDCWD, f, 0) }),
		"rename over it": onFile(func(f string) error {
			if err := os.WriteFile("own", []byte("EVIL"), 0o644); err != nil {
				return err
			}
			return unix.Rename("own", f)
		}),
		"rename it away": onFile(func(f string) error { return unix.Rename(f, "stolen") }),
		"exchange it": onFile(func(f string) error {
			if err := os.WriteFile("own", []byte("EVIL"), 0o644); err != nil {
				return err
			}
			return unix.Renameat2(unix.AT_FDCWD, "own", unix.AT_FDCWD, f, unix.RENAME_EXCHANGE)
		}),
		"rename its directory": onFile(func(f string) error { return unix.Rename(filepath.Dir(f), filepath.Dir(f)+"-moved") }),
		"hard link and write": onFile(func(f string) error {
			if err := unix.Link(f, "alias"); err != nil {
				return err
			}
			return writeFD("alias", unix.O_WRONLY)
		}),
		"linkat of a descriptor": onFile(func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error {
				return unix.Linkat(unix.AT_FDCWD, fdPath(fd), unix.AT_FDCWD, "alias2", unix.AT_SYMLINK_FOLLOW)
			})
		}),
		"chmod": onFile(func(f string) error { return unix.Chmod(f, 0o777) }),
		"fchmod": onFile(func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error { return unix.Fchmod(fd, 0o777) })
		}),
		"fchmodat": onFile(func(f string) error { return unix.Fchmodat(unix.AT_FDCWD, f, 0o777, 0) }),
		"chmod by /proc/self/fd": onFile(func(f string) error {
			return withFD(f, unix.O_PATH, func(fd int) error { return unix.Chmod(fdPath(fd), 0o777) })
		}),
		"chown":  onFile(func(f string) error { return unix.Chown(f, os.Getuid(), os.Getgid()) }),
		"lchown": onFile(func(f string) error { return unix.Lchown(f, os.Getuid(), os.Getgid()) }),
		"fchown": onFile(func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error { return unix.Fchown(fd, os.Getuid(), os.Getgid()) })
		}),
		"fchownat": onFile(func(f string) error { return unix.Fchownat(unix.AT_FDCWD, f, os.Getuid(), os.Getgid(), 0) }),
		"utimes":   onFile(func(f string) error { return unix.Utimes(f, make([]unix.Timeval, 2)) }),
		"utimensat": onFile(func(f string) error {
			return unix.UtimesNanoAt(unix.AT_FDCWD, f, make([]unix.Timespec, 2), 0)
		}),
		"futimes": onFile(func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error { return unix.Futimes(fd, make([]unix.Timeval, 2)) })
		}),
		"setxattr":  onFile(func(f string) error { return unix.Setxattr(f, "user.evil", []byte("1"), 0) }),
		"lsetxattr": onFile(func(f string) error { return unix.Lsetxattr(f, "user.evil", []byte("1"), 0) }),
		"fsetxattr": onFile(func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error { return unix.Fsetxattr(fd, "user.evil", []byte("1"), 0) })
		}),
		"set inode flags": onFile(func(f string) error {
			return withFD(f, unix.O_RDONLY, func(fd int) error {
				const noDump = 0x40
				return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, noDump)
			})
		}),
		"create beside":       beside(func(f string) error { return openClose(f, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY) }),
		"mkdir beside":        beside(func(f string) error { return unix.Mkdir(f, 0o755) }),
		"symlink beside":      beside(func(f string) error { return unix.Symlink("/", f) }),
		"fifo beside":         beside(func(f string) error { return unix.Mkfifo(f, 0o644) }),
		"mknod beside":        beside(func(f string) error { return unix.Mknod(f, unix.S_IFREG|0o644, 0) }),
		"socket beside":       beside(bindAt),
		"link beside":         beside(func(f string) error { return linkOwn(f) }),
		"unnamed file beside": beside(func(f string) error { return tmpfile(f) }),
		"rename beside":       beside(func(f string) error { return renameOwn(f) }),
		"create by /proc/self/cwd": beside(func(f string) error {
			if err := os.Chdir(filepath.Dir(f)); err != nil {
				return err
			}
			return openClose("/proc/self/cwd/"+filepath.Base(f), unix.O_CREAT|unix.O_WRONLY)
		}),
		"create by directory descriptor": beside(func(f string) error {
			return withFD(filepath.Dir(f), unix.O_RDONLY|unix.O_DIRECTORY, func(fd int) error {
				n, err := unix.Openat(fd, filepath.Base(f), unix.O_CREAT|unix.O_WRONLY, 0o644)
				unix.Close(n)
				return err
			})
		}),
	}
}

func onFile(f func(string) error) act { return func(args []string) error { return f(args[0]) } }

func beside(f func(string) error) act {
	return func(args []string) error { return f(filepath.Dir(args[0]) + "/new") }
}

func withFD(name string, flags int, f func(int) error) error {
	fd, err := unix.Open(name, flags, 0o644)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return f(fd)
}

func openClose(name string, flags int) error {
	return withFD(name, flags, func(int) error { return nil })
}

func writeFD(name string, flags int) error {
	return withFD(name, flags, func(fd int) error { _, err := unix.Write(fd, []byte("EVIL")); return err })
}

func fdPath(fd int) string { return "/proc/self/fd/" + itoa(fd) }

func fromOwn(f func(own, victim int) error) act {
	return func(args []string) error {
		if err := os.WriteFile("source", []byte("EVIL"), 0o644); err != nil {
			return err
		}
		return withFD("source", unix.O_RDONLY, func(own int) error {
			return withFD(args[0], unix.O_WRONLY, func(victim int) error { return f(own, victim) })
		})
	}
}
