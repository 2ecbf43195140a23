// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// setid is an attack that leaves a file in the workspace that gives its owner's
// or group's rights to whoever runs it outside.
func setid(id, what, needs string, act func(name string) error) attack {
	return attack{
		id: "setid/" + id, what: what, guarantee: guarantee.NoPrivs, needs: needs,
		lay: func(w *world) bait {
			name := w.work + "/setid-" + id
			return bait{args: []string{name}, harm: func(string, int) string {
				var st unix.Stat_t
				if unix.Lstat(name, &st) == nil && st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
					return "there is a setuid or setgid file in the workspace"
				}
				return ""
			}}
		},
		act: func(args []string) error { return act(args[0]) },
	}
}

func setidAttacks() []attack {
	const mode = unix.S_ISUID | 0o755
	made := func(f func(name string) error) func(string) error {
		return func(name string) error {
			if err := os.WriteFile(name, []byte("#!"), 0o755); err != nil {
				return err
			}
			return f(name)
		}
	}
	return []attack{
		setid("chmod", "chmod", "", made(func(n string) error { return just(raw(unix.SYS_CHMOD, pathArg(n), mode)) })),
		setid("chmod-high", "chmod with garbage above the mode", "", made(func(n string) error { return just(raw(unix.SYS_CHMOD, pathArg(n), mode|1<<40)) })),
		setid("chmod-both", "chmod to setuid and setgid", "", made(func(n string) error { return unix.Chmod(n, mode|unix.S_ISGID) })),
		setid("fchmod", "fchmod", "", made(func(n string) error {
			return withFD(n, unix.O_RDONLY, func(fd int) error { return just(raw(unix.SYS_FCHMOD, uintptr(fd), mode)) })
		})),
		setid("fchmodat", "fchmodat", "", made(func(n string) error { return just(raw(unix.SYS_FCHMODAT, atCWD, pathArg(n), mode)) })),
		setid("fchmodat2", "fchmodat2", newCall, made(func(n string) error { return just(raw(unix.SYS_FCHMODAT2, atCWD, pathArg(n), mode, 0)) })),
		setid("open", "open(2) with O_CREAT", "", func(n string) error { return just(raw(unix.SYS_OPEN, pathArg(n), unix.O_CREAT|unix.O_WRONLY, mode)) }),
		setid("openat", "openat with O_CREAT", "", func(n string) error {
			return just(raw(unix.SYS_OPENAT, atCWD, pathArg(n), unix.O_CREAT|unix.O_WRONLY, mode))
		}),
		setid("openat-high", "openat with garbage above the flags and the mode", "", func(n string) error {
			return just(raw(unix.SYS_OPENAT, atCWD, pathArg(n), unix.O_CREAT|unix.O_WRONLY|1<<40, mode|1<<33))
		}),
		setid("openat-setgid", "openat with a setgid mode", "", func(n string) error {
			return just(raw(unix.SYS_OPENAT, atCWD, pathArg(n), unix.O_CREAT|unix.O_WRONLY, unix.S_ISGID|0o755))
		}),
		setid("openat2", "openat2", "", func(n string) error {
			_, err := unix.Openat2(unix.AT_FDCWD, n, &unix.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY, Mode: mode})
			return err
		}),
		setid("creat", "creat", "", func(n string) error { return just(raw(unix.SYS_CREAT, pathArg(n), mode)) }),
		setid("mknod", "mknod", "", func(n string) error { return just(raw(unix.SYS_MKNOD, pathArg(n), unix.S_IFREG|mode, 0)) }),
		setid("mknodat", "mknodat", "", func(n string) error { return just(raw(unix.SYS_MKNODAT, atCWD, pathArg(n), unix.S_IFREG|mode, 0)) }),
		setid("tmpfile", "name an unnamed file", "", func(n string) error {
			fd, err := raw(unix.SYS_OPENAT, atCWD, pathArg("."), unix.O_TMPFILE|unix.O_WRONLY, mode)
			if err != nil {
				return err
			}
			return unix.Linkat(unix.AT_FDCWD, fdPath(int(fd)), unix.AT_FDCWD, n, unix.AT_SYMLINK_FOLLOW)
		}),
		setid("umask", "clear the umask and make a directory's child", "", func(n string) error {
			unix.Umask(0)
			return just(raw(unix.SYS_OPENAT, atCWD, pathArg(n), unix.O_CREAT|unix.O_RDWR|unix.O_TRUNC, unix.S_ISUID|unix.S_ISGID|0o777))
		}),
		setid("io-copy", "copy attributes from a setuid program", "a setuid /bin/su, and "+root, made(func(n string) error {
			st, err := os.Stat("/bin/su")
			if err != nil {
				return err
			}
			return os.Chmod(n, st.Mode())
		})),
	}
}
