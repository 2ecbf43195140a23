// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// kernelActs print HARM if the kernel did what must be refused.
func kernelActs() map[string]act {
	call := func(nr int, args ...uintptr) act {
		return func([]string) error {
			var a [6]uintptr
			copy(a[:], args)
			_, _, errno := unix.Syscall6(uintptr(nr), a[0], a[1], a[2], a[3], a[4], a[5])
			if errno != 0 {
				return errno
			}
			fmt.Println("HARM")
			return nil
		}
	}
	harm := func(f func() error) act {
		return func([]string) error {
			if err := f(); err != nil {
				return err
			}
			fmt.Println("HARM")
			return nil
		}
	}
	socket := func(family, kind, protocol int) act {
		return call(unix.SYS_SOCKET, uintptr(family), uintptr(kind), uintptr(protocol))
	}
	return map[string]act{
		"kill group 0":         func([]string) error { return unix.Kill(0, unix.SIGUSR1) },
		"setpriority group 0":  func([]string) error { return lower(unix.PRIO_PGRP, 0) },
		"new user namespace":   call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER),
		"new mount namespace":  call(unix.SYS_UNSHARE, unix.CLONE_NEWNS),
		"new net namespace":    call(unix.SYS_UNSHARE, unix.CLONE_NEWNET),
		"mount tmpfs":          harm(func() error { return unix.Mount("x", "/tmp", "tmpfs", 0, "") }),
		"remount root":         harm(func() error { return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND, "") }),
		"umount":               harm(func() error { return unix.Unmount("/proc", unix.MNT_DETACH) }),
		"open_tree":            call(unix.SYS_OPEN_TREE, ^uintptr(99), 0, 1),
		"io_uring":             call(unix.SYS_IO_URING_SETUP, 0, 0),
		"keyring":              call(unix.SYS_KEYCTL, 0, ^uintptr(2), 1),
		"bpf":                  call(unix.SYS_BPF, 0, 0, 0),
		"userfaultfd":          call(unix.SYS_USERFAULTFD, 1),
		"packet socket":        socket(unix.AF_PACKET, unix.SOCK_RAW, 0x300),
		"vsock":                socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0),
		"alg socket":           socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0),
		"netlink audit":        socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT),
		"unix datagram family": socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0),
		"unix family, garbage above": func([]string) error {
			return call(unix.SYS_SOCKET, uintptr(unix.AF_VSOCK)|1<<40, unix.SOCK_STREAM, 0)(nil)
		},
		"device node": harm(func() error { return unix.Mknod("node", unix.S_IFBLK|0o666, 0x100) }),
		"setuid file": harm(func() error {
			if err := os.WriteFile("suid", nil, 0o755); err != nil {
				return err
			}
			return unix.Chmod("suid", 0o4755)
		}),
		"setuid by open": harm(func() error {
			_, err := unix.Open("suid2", unix.O_CREAT|unix.O_WRONLY, 0o4755)
			return isSetuid("suid2", err)
		}),
		"write core_pattern": harm(func() error {
			text, err := os.ReadFile("/proc/sys/kernel/core_pattern")
			if err != nil {
				return err
			}
			return os.WriteFile("/proc/sys/kernel/core_pattern", text, 0)
		}),
		"read process 1":         harm(func() error { return contains("/proc/1/environ", "PATH=") }),
		"memory of process 1":    harm(func() error { _, err := os.OpenFile("/proc/1/mem", os.O_RDWR, 0); return err }),
		"trace process 1":        harm(func() error { return unix.PtraceAttach(1) }),
		"open /dev/mem":          harm(func() error { _, err := os.Open("/dev/mem"); return err }),
		"open a disk":            harm(func() error { _, err := os.Open("/dev/vda"); return err }),
		"type into the terminal": call(unix.SYS_IOCTL, 0, unix.TIOCSTI, 0),
		"gain a capability":      harm(func() error { return unix.Sethostname([]byte("evil")) }),
	}
}

func isSetuid(name string, err error) error {
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_ISUID == 0 {
		return unix.EPERM
	}
	return nil
}

func notify(t *testing.T, c chan os.Signal, sig os.Signal) {
	signal.Notify(c, sig)
	t.Cleanup(func() { signal.Stop(c) })
}

// TestKernel asks for kernel interfaces that are closed inside. Where the host
// grants an act without a sandbox is logged: some need privileges even there.
func TestKernel(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	sb := s.open(t)
	for id := range kernelActs() {
		if strings.HasSuffix(id, "group 0") {
			continue // TestCallersGroup
		}
		t.Run(id, func(t *testing.T) {
			if said := s.inside(sb, id); strings.Contains(said, "HARM") {
				t.Errorf("the kernel did it: %s", said)
			}
		})
	}
	// What any user may do without a sandbox must work there, else the acts
	// themselves are broken.
	for _, id := range []string{"unix datagram family", "setuid file", "setuid by open"} {
		if said := s.plain(id); !strings.Contains(said, "HARM") {
			t.Errorf("the bait is broken: %s without a sandbox: %s", id, said)
		}
	}
}
