// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// obtains is an attack that gains something from the kernel, which only the
// attacker can tell.
func obtains(id, what string, g guarantee.ID, needs string, act func() error) attack {
	return attack{
		id: id, what: what, guarantee: g, needs: needs,
		lay: func(*world) bait {
			return bait{harm: func(said string, _ int) string {
				if strings.Contains(said, "OBTAINED") {
					return "the kernel did it"
				}
				return ""
			}}
		},
		act: func([]string) error {
			if err := act(); err != nil {
				return err
			}
			fmt.Println("OBTAINED")
			return nil
		},
	}
}

// reaches is an attack on code of the kernel that must be out of reach. The
// arguments are bad, so that the control does nothing to the host: whoever
// hears of that was let in.
func reaches(name, needs string, nr uintptr, args ...uintptr) attack {
	return obtains("kernel/"+name, "reach "+name, guarantee.KernelSurface, needs, func() error {
		_, err := raw(nr, args...)
		if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
			return err
		}
		return nil
	})
}

// enters is an attack that makes a child in new namespaces.
func enters(name, needs string, flags uintptr) []attack {
	return []attack{
		obtains("namespace/unshare-"+name, "unshare the "+name+" namespace", guarantee.NoPrivs, needs, func() error {
			return just(raw(unix.SYS_UNSHARE, flags))
		}),
		obtains("namespace/clone-"+name, "make a child in a new "+name+" namespace", guarantee.NoPrivs, needs, func() error {
			cmd := exec.Command("/bin/true")
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
			return cmd.Run()
		}),
	}
}

func kernelAttacks() []attack {
	const bad = 1 // no pointer
	none := ^uintptr(0)
	module := "a kernel that has it"
	return []attack{
		reaches("io_uring_setup", "", unix.SYS_IO_URING_SETUP, 1, bad),
		reaches("io_uring_enter", "", unix.SYS_IO_URING_ENTER, none, 1, 1, 0, 0, 0),
		reaches("io_uring_register", "", unix.SYS_IO_URING_REGISTER, none, 0, 0, 0),
		reaches("keyctl", "", unix.SYS_KEYCTL, 0, ^uintptr(2), 1),
		reaches("add_key", "", unix.SYS_ADD_KEY, bad, bad, 0, 0, 0),
		reaches("request_key", "", unix.SYS_REQUEST_KEY, bad, bad, 0, 0),
		reaches("bpf", root, unix.SYS_BPF, 0, bad, 8),
		reaches("userfaultfd", root, unix.SYS_USERFAULTFD, none),
		reaches("perf_event_open", "", unix.SYS_PERF_EVENT_OPEN, bad, 0, 0, none, 0),
		reaches("process_vm_readv", "", unix.SYS_PROCESS_VM_READV, 1, bad, 1, bad, 1, 0),
		reaches("process_vm_writev", "", unix.SYS_PROCESS_VM_WRITEV, 1, bad, 1, bad, 1, 0),
		reaches("process_madvise", "", unix.SYS_PROCESS_MADVISE, none, bad, 1, 4, 0),
		reaches("pidfd_getfd", "", unix.SYS_PIDFD_GETFD, none, 0, 0),
		reaches("clone3", "", unix.SYS_CLONE3, bad, 0),
		reaches("openat2", "", unix.SYS_OPENAT2, atCWD, bad, bad, 0),
		reaches("setns", "", unix.SYS_SETNS, none, 0),
		reaches("open_tree", "", unix.SYS_OPEN_TREE, atCWD, bad, 0),
		reaches("open_tree_attr", newCall, 467, atCWD, bad, 0, 0, 0),
		reaches("move_mount", root, unix.SYS_MOVE_MOUNT, none, bad, none, bad, 0),
		reaches("fsopen", root, unix.SYS_FSOPEN, bad, 0),
		reaches("fsconfig", "", unix.SYS_FSCONFIG, none, 0, 0, 0, 0),
		reaches("fsmount", root, unix.SYS_FSMOUNT, none, 0, 0),
		reaches("fspick", root, unix.SYS_FSPICK, none, bad, 0),
		reaches("mount_setattr", root, unix.SYS_MOUNT_SETATTR, none, bad, 0, bad, 0),
		reaches("mount", root, unix.SYS_MOUNT, bad, bad, bad, 0, 0),
		reaches("umount2", root, unix.SYS_UMOUNT2, bad, 0),
		reaches("pivot_root", root, unix.SYS_PIVOT_ROOT, bad, bad),
		reaches("chroot", "", unix.SYS_CHROOT, bad),
		reaches("open_by_handle_at", root, unix.SYS_OPEN_BY_HANDLE_AT, none, bad, 0),
		listener("seccomp-listener", 1, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER),
		listener("seccomp-listener-high", 1|1<<40, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER),
		listener("seccomp-listener-more", 1, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_LOG),
		reaches("kexec_load", root, unix.SYS_KEXEC_LOAD, 0, 99, 0, 99),
		reaches("init_module", root, unix.SYS_INIT_MODULE, bad, 0, bad),
		reaches("finit_module", root, unix.SYS_FINIT_MODULE, none, bad, 0),
		reaches("delete_module", root, unix.SYS_DELETE_MODULE, bad, 0),
		reaches("swapon", root, unix.SYS_SWAPON, bad, 0),
		reaches("acct", root+" and accounting", unix.SYS_ACCT, bad),
		reaches("quotactl", "quotas", unix.SYS_QUOTACTL, none, bad, 0, 0),
		reaches("syslog", root, unix.SYS_SYSLOG, 3, 0, none),
		reaches("settimeofday", "", unix.SYS_SETTIMEOFDAY, bad, 0),
		reaches("sethostname", root, unix.SYS_SETHOSTNAME, bad, none),
		reaches("iopl", module, unix.SYS_IOPL, 9),
		reaches("ioperm", module, unix.SYS_IOPERM, none, none, 1),
		reaches("reboot", root, unix.SYS_REBOOT, 0, 0, 0, 0),
		reaches("modify_ldt", module, unix.SYS_MODIFY_LDT, 1, bad, 16),
		reaches("kcmp", module, unix.SYS_KCMP, none, none, 99, 0, 0),
		reaches("x32-getpid", "the x32 ABI", unix.SYS_GETPID|0x40000000),
		reaches("x32-socket", "the x32 ABI", unix.SYS_SOCKET|0x40000000, unix.AF_VSOCK, unix.SOCK_STREAM, 0),
		terminal("tiocsti", root, unix.TIOCSTI),
		terminal("tiocsti-high", root, unix.TIOCSTI|1<<32),
		terminal("tioclinux", "", unix.TIOCLINUX),
		terminal("tioclinux-high", "", unix.TIOCLINUX|0xffff<<32),
		terminal("tiocsetd", "", unix.TIOCSETD),
		fileSystem("btrfs-snapshot", guarantee.ReadHidden, 0x50009401),
		fileSystem("btrfs-snapshot-v2", guarantee.ReadHidden, 0x50009417),
		fileSystem("btrfs-snapshot-v2-high", guarantee.ReadHidden, 0x50009417|1<<32),
		fileSystem("btrfs-destroy-by-id", guarantee.WriteConfined, 0x5000943f),
		fileSystem("fscrypt-remove-key", guarantee.WriteConfined, 0xc0406618),
	}
}

// fileSystem is an attack by a request to the file system of the workspace,
// whichever it is: one that does not know the request says so, and was reached.
func fileSystem(name string, g guarantee.ID, request uintptr) attack {
	return obtains("filesystem/"+name, "ask a file system for "+name, g, "", func() error {
		return withFD(".", unix.O_RDONLY|unix.O_DIRECTORY, func(fd int) error {
			if _, err := raw(unix.SYS_IOCTL, uintptr(fd), request, 1); errors.Is(err, unix.EPERM) {
				return err
			}
			return nil
		})
	})
}

// listener is an attack that makes the attacker the judge of its children's
// calls, with a filter that allows everything.
func listener(name string, operation, flags uintptr) attack {
	return obtains("kernel/"+name, "listen to system calls", guarantee.KernelSurface, "", func() error {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
		return just(raw(unix.SYS_SECCOMP, operation, flags, filterArg(&unix.SockFprog{Len: 1, Filter: &allow})))
	})
}

// terminal is an attack on a terminal of the attacker's own: the request must
// not even get as far as its bad argument.
func terminal(name, needs string, request uintptr) attack {
	return obtains("terminal/"+name, "ask a terminal for "+name, guarantee.TTYNoInject, needs, func() error {
		return withFD("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY, func(fd int) error {
			if _, err := raw(unix.SYS_IOCTL, uintptr(fd), request, 1); errors.Is(err, unix.EPERM) {
				return err
			}
			return nil
		})
	})
}

func namespaceAttacks() []attack {
	var list []attack
	for _, ns := range []struct {
		name, needs string
		flags       uintptr
	}{
		{"user", "", unix.CLONE_NEWUSER},
		{"user and mount", "", unix.CLONE_NEWUSER | unix.CLONE_NEWNS},
		{"user and net", "", unix.CLONE_NEWUSER | unix.CLONE_NEWNET},
		{"mount", root, unix.CLONE_NEWNS},
		{"pid", root, unix.CLONE_NEWPID},
		{"net", root, unix.CLONE_NEWNET},
		{"ipc", root, unix.CLONE_NEWIPC},
		{"uts", root, unix.CLONE_NEWUTS},
		{"cgroup", root, unix.CLONE_NEWCGROUP},
	} {
		made := enters(ns.name, ns.needs, ns.flags)
		if strings.HasPrefix(ns.name, "user") {
			made[0].needs = "one thread" // the Go runtime has several, which unshare refuses for users
		}
		list = append(list, made...)
	}
	return list
}

func deviceAttacks() []attack {
	var list []attack
	for _, name := range []string{"mem", "kmsg", "vda", "fuse", "net/tun", "loop-control", "loop0", "kvm", "tty1", "vcs", "vsock", "hwrng", "port", "console", "snapshot", "uinput", "input/event0", "dri/card0", "mapper/control"} {
		open := func() error {
			return withFD("/dev/"+name, unix.O_RDONLY|unix.O_NONBLOCK, func(int) error { return nil })
		}
		list = append(list, obtains("device/"+name, "open /dev/"+name, guarantee.DeviceDenied, "the device, and the right to open it", open))
	}
	return append(list,
		obtains("device/mknod-char", "make the device of memory and open it", guarantee.DeviceDenied, root, func() error {
			defer os.Remove("device")
			if err := unix.Mknod("device", unix.S_IFCHR|0o666, 1<<8|5); err != nil {
				return err
			}
			return withFD("device", unix.O_RDONLY, func(int) error { return nil })
		}),
		obtains("device/mknod-block", "make the device of a disk", guarantee.DeviceDenied, root, func() error {
			defer os.Remove("disk")
			return unix.Mknodat(unix.AT_FDCWD, "disk", unix.S_IFBLK|0o666, 7<<8)
		}),
	)
}
