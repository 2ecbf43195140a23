// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// createActs make something at the absent path args[0].
func createActs() map[string]act {
	return map[string]act{
		"make file":    onFile(func(f string) error { return openClose(f, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY) }),
		"make dir":     onFile(func(f string) error { return unix.Mkdir(f, 0o755) }),
		"make symlink": onFile(func(f string) error { return unix.Symlink("elsewhere", f) }),
		"make fifo":    onFile(func(f string) error { return unix.Mkfifo(f, 0o644) }),
		"make socket":  onFile(bindAt),
		"make link":    onFile(linkOwn),
		"make unnamed": onFile(tmpfileAt),
		"rename to":    onFile(renameOwn),
		"rename a directory to": onFile(func(f string) error {
			_ = os.Mkdir("owndir", 0o755)
			if err := os.WriteFile("owndir/evil", nil, 0o644); err != nil {
				return err
			}
			return unix.Rename("owndir", f)
		}),
		"make inside": onFile(func(f string) error {
			if err := unix.Mkdir(f, 0o755); err != nil && err != unix.EEXIST {
				return err
			}
			return openClose(f+"/evil", unix.O_CREAT|unix.O_WRONLY)
		}),
		"remove and make": onFile(func(f string) error {
			_ = unix.Rmdir(f)
			_ = unix.Unlink(f)
			return openClose(f, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY)
		}),
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

func bindAt(name string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrUnix{Name: name})
}

func linkOwn(name string) error {
	if err := os.WriteFile("own", []byte("EVIL"), 0o644); err != nil {
		return err
	}
	return unix.Link("own", name)
}

func renameOwn(name string) error {
	if err := os.WriteFile("own", []byte("EVIL"), 0o644); err != nil {
		return err
	}
	return unix.Rename("own", name)
}

// tmpfile makes an unnamed file in the directory of a name and names it.
func tmpfile(name string) error { return tmpfileIn(dirOf(name), name) }

// tmpfileAt makes the unnamed file in the workspace.
func tmpfileAt(name string) error { return tmpfileIn(".", name) }

func tmpfileIn(dir, name string) error {
	return withFD(dir, unix.O_TMPFILE|unix.O_WRONLY, func(fd int) error {
		return unix.Linkat(unix.AT_FDCWD, fdPath(fd), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
	})
}

func dirOf(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			return name[:i]
		}
	}
	return "."
}
