// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// hidden is an attack on a secret in a hidden directory of the home.
func hidden(id, what, needs, dir string, act func(name string) error) attack {
	return attack{
		id: "hidden/" + id, what: what, guarantee: guarantee.ReadHidden, needs: needs,
		lay: func(w *world) bait {
			secret := token("SECRET")
			name := w.write(filepath.Join(here.home, dir, token("key")), secret)
			return bait{args: []string{name}, harm: leaked(secret)}
		},
		act: func(args []string) error { return act(args[0]) },
	}
}

// listing is an attack on the names in a hidden directory.
func listing(id, what, needs string, act func(dir string) error) attack {
	return attack{
		id: "hidden/" + id, what: what, guarantee: guarantee.ReadHidden, needs: needs,
		lay: func(w *world) bait {
			secret := token("LISTED")
			w.write(filepath.Join(here.home, ".ssh", secret), "x")
			return bait{args: []string{here.home + "/.ssh"}, harm: leaked(secret)}
		},
		act: func(args []string) error { return act(args[0]) },
	}
}

func list(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		fmt.Println(e.Name())
	}
	return err
}

func hiddenAttacks() []attack {
	through := func(link string, f func(string) error) func(string) error {
		return func(name string) error {
			_ = os.Remove(link)
			if err := os.Symlink(filepath.Dir(name), link); err != nil {
				return err
			}
			return f(filepath.Join(link, filepath.Base(name)))
		}
	}
	return []attack{
		hidden("ssh", "read a key in ~/.ssh", "", ".ssh", tell),
		hidden("ssh-deep", "read a key below ~/.ssh", "", ".ssh/deep", tell),
		hidden("aws", "read a credential in ~/.aws", "", ".aws", tell),
		hidden("gnupg", "read a key in ~/.gnupg", "", ".gnupg", tell),
		hidden("symlink", "read through a symbolic link", "", ".ssh", through("into", tell)),
		hidden("symlink-file", "read through a symbolic link to the file", "", ".ssh", func(name string) error {
			_ = os.Remove("tofile")
			if err := os.Symlink(name, "tofile"); err != nil {
				return err
			}
			return tell("tofile")
		}),
		hidden("hard-link", "link it into the workspace and read there", "", ".ssh", func(name string) error {
			_ = os.Remove("linked")
			if err := os.Link(name, "linked"); err != nil {
				return err
			}
			return tell("linked")
		}),
		hidden("rename", "rename the directory into the workspace", "", ".ssh", func(name string) error {
			_ = os.RemoveAll("moved")
			if err := os.Rename(name, "moved"); err != nil {
				return err
			}
			return tell("moved")
		}),
		hidden("proc-root", "read through /proc/self/root", "", ".ssh", func(name string) error { return tell("/proc/self/root" + name) }),
		hidden("proc-root-1", "read through the root of process 1", root, ".ssh", func(name string) error { return tell("/proc/1/root" + name) }),
		hidden("proc-cwd", "enter the directory and read through /proc/self/cwd", "", ".ssh", func(name string) error {
			if err := os.Chdir(filepath.Dir(name)); err != nil {
				return err
			}
			return tell("/proc/self/cwd/" + filepath.Base(name))
		}),
		hidden("dirfd", "read by descriptors, one component at a time", "", ".ssh", func(name string) error {
			return withFD(filepath.Dir(filepath.Dir(name)), unix.O_PATH, func(home int) error {
				dir, err := unix.Openat(home, ".ssh", unix.O_PATH, 0)
				if err != nil {
					return err
				}
				fd, err := unix.Openat(dir, filepath.Base(name), unix.O_RDONLY, 0)
				if err != nil {
					return err
				}
				return tellFD(fd)
			})
		}),
		hidden("dotdot", "read through the directory below and ..", "", ".ssh", func(name string) error {
			return tell(filepath.Dir(name) + "/deep/../" + filepath.Base(name))
		}),
		hidden("no-xdev", "read by openat2 without crossing mounts", "", ".ssh", func(name string) error {
			fd, err := unix.Open(filepath.Dir(filepath.Dir(name)), unix.O_PATH, 0)
			if err != nil {
				return err
			}
			fd, err = unix.Openat2(fd, ".ssh/"+filepath.Base(name), &unix.OpenHow{Resolve: unix.RESOLVE_NO_XDEV})
			if err != nil {
				return err
			}
			return tellFD(fd)
		}),
		hidden("handle", "read by a file handle", root, ".ssh", func(name string) error {
			// The handle is made where it can be, of the directory above.
			handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, name, 0)
			if err != nil {
				return err
			}
			at, err := unix.Open(".", unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			fd, err := unix.OpenByHandleAt(at, handle, unix.O_RDONLY)
			if err != nil {
				return err
			}
			return tellFD(fd)
		}),
		hidden("map", "map it as a library and read the mapping", "", ".ssh", func(name string) error {
			return withFD(name, unix.O_RDONLY, func(fd int) error {
				m, err := unix.Mmap(fd, 0, 32, unix.PROT_READ, unix.MAP_PRIVATE)
				if err != nil {
					return err
				}
				fmt.Printf("%s\n", m)
				return nil
			})
		}),
		hidden("chmod-cover", "open up what covers it", "", ".ssh", func(name string) error {
			_ = os.Chmod(filepath.Dir(name), 0o755)
			return tell(name)
		}),
		hidden("umount-cover", "unmount what covers it", "", ".ssh", func(name string) error {
			_ = unix.Unmount(filepath.Dir(name), unix.MNT_DETACH)
			return tell(name)
		}),
		hidden("namespace-umount", "unmount what covers it in a new user namespace", "", ".ssh", func(name string) error {
			_, _ = raw(unix.SYS_UNSHARE, unix.CLONE_NEWUSER|unix.CLONE_NEWNS)
			_ = unix.Unmount(filepath.Dir(name), unix.MNT_DETACH)
			return tell(name)
		}),
		listing("list", "list ~/.ssh", "", list),
		listing("list-link", "list it through a symbolic link", "", func(dir string) error {
			_ = os.Remove("lister")
			if err := os.Symlink(dir, "lister"); err != nil {
				return err
			}
			return list("lister/")
		}),
		listing("list-proc", "list it through /proc/self/root", "", func(dir string) error { return list("/proc/self/root" + dir) }),
		listing("list-cwd", "enter and list it", "", func(dir string) error {
			if err := os.Chdir(dir); err != nil {
				return err
			}
			return list(".")
		}),
		{
			id: "hidden/policy", what: "read what the policy hides", guarantee: guarantee.ReadHidden,
			lay: func(w *world) bait {
				secret := token("SECRET")
				return bait{args: []string{w.write(w.outside+"/hidden/"+token("n"), secret)}, harm: leaked(secret)}
			},
			act: func(args []string) error { return tell(args[0]) },
		},
		{
			id: "hidden/size", what: "tell the size of a hidden file", guarantee: guarantee.ReadHidden, leftOpen: withoutNamespaces,
			lay: func(w *world) bait {
				return bait{args: []string{w.write(w.outside+"/hidden/"+token("n"), string(make([]byte, 54321)))}, harm: leaked("54321")}
			},
			act: func(args []string) error {
				st, err := os.Stat(args[0])
				if err == nil {
					fmt.Println(st.Size())
				}
				return err
			},
		},
		aliased("alias-bind", "read through a bind mount of the home elsewhere", func(w *world, home, alias string) error {
			return unix.Mount(home, alias, "", unix.MS_BIND, "")
		}),
	}
}

// aliased is an attack on a hidden directory by another mount of what holds it.
func aliased(id, what string, mount func(w *world, home, alias string) error) attack {
	return attack{
		id: "hidden/" + id, what: what, guarantee: guarantee.ReadHidden, alone: true, needs: root,
		lay: func(w *world) bait {
			secret := token("SECRET")
			w.write(w.outside+"/hidden/key", secret)
			alias := w.dir + "/alias"
			w.must(os.Mkdir(alias, 0o755))
			if mount(w, w.outside, alias) == nil {
				w.t.Cleanup(func() { _ = unix.Unmount(alias, unix.MNT_DETACH) })
			}
			return bait{args: []string{alias + "/hidden/key"}, harm: leaked(secret)}
		},
		act: func(args []string) error { return tell(args[0]) },
	}
}
