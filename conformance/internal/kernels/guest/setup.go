// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/conformance/internal/kernels/wire"
)

// loadModules loads the modules of a list in its order. What is built into the
// kernel or cannot be on this machine does not matter here: the disk is waited
// for afterwards.
func loadModules(list string) error {
	for name := range strings.Lines(list) {
		name = strings.TrimSpace(name)
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			fmt.Fprintf(os.Stderr, "guest: load %s: %v\n", filepath.Base(name), err)
		}
	}
	return nil
}

// mounts are what an init of a distribution mounts, parents first.
var mounts = []struct {
	kind, at, data string
	flags          uintptr
}{
	{"proc", "/proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{"sysfs", "/sys", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{"devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666", unix.MS_NOSUID | unix.MS_NOEXEC},
	{"tmpfs", "/dev/shm", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
	{"mqueue", "/dev/mqueue", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{"tmpfs", "/run", "mode=755", unix.MS_NOSUID | unix.MS_NODEV},
	{"tmpfs", "/tmp", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
	{"cgroup2", "/sys/fs/cgroup", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
}

// setUp makes the machine what an init of a distribution makes of it.
func setUp(order wire.Order) error {
	for _, m := range mounts {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	// As systemd does.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share the mounts: %w", err)
	}
	for link, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if err := os.Symlink(target, "/dev/"+link); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	// udev gives these to everybody.
	for _, open := range []string{"/dev/net/tun", "/dev/fuse", "/dev/vsock"} {
		if err := os.Chmod(open, 0o666); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if order.Clock > time.Now().Unix() {
		if err := unix.Settimeofday(&unix.Timeval{Sec: order.Clock}); err != nil {
			return fmt.Errorf("set the clock: %w", err)
		}
	}
	for _, name := range []string{"/home/tester", "/home/tester/work"} {
		if err := os.Chown(name, userID, userID); err != nil {
			return err
		}
	}
	if err := unix.Sethostname([]byte("guest")); err != nil {
		return err
	}
	for name, value := range order.Settings {
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return errors.Join(up("lo", 0), up("dummy0", 0x0a00020f), delegate(), confine(order.Profile))
}

// confine loads a profile of AppArmor, unless it is empty. It is for programs
// that begin afterwards.
func confine(profile []byte) error {
	if len(profile) == 0 {
		return nil
	}
	const at = "/sys/kernel/security"
	if err := unix.Mount("securityfs", at, "securityfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount %s: %w", at, err)
	}
	if err := os.WriteFile(at+"/apparmor/.load", profile, 0); err != nil {
		return fmt.Errorf("load the profile: %w", err)
	}
	return nil
}

// up gives an interface an IPv4 address, unless it is 0, and starts it.
func up(name string, address uint32) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if address != 0 {
		at := []byte{byte(address >> 24), byte(address >> 16), byte(address >> 8), byte(address)}
		if err := request.SetInet4Addr(at); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(s, unix.SIOCSIFADDR, request); err != nil {
			return fmt.Errorf("give %s an address: %w", name, err)
		}
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, request); err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	request.SetUint16(request.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	return nil
}

// delegated is the control group that the ordinary user may use, as systemd
// gives one to each user's manager.
const delegated = "/sys/fs/cgroup/user"

// delegate turns the controllers of limits on and gives the ordinary user a
// group of its own, see "Delegation" in cgroups(7).
func delegate() error {
	const controllers = "+memory +pids"
	if err := os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte(controllers), 0); err != nil {
		return fmt.Errorf("turn controllers on: %w", err)
	}
	for _, dir := range []string{delegated, delegated + "/session", "/sys/fs/cgroup/root", "/sys/fs/cgroup/root/session"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if strings.HasPrefix(dir, delegated) {
			for _, name := range []string{"", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"} {
				if err := os.Chown(filepath.Join(dir, name), userID, userID); err != nil {
					return err
				}
			}
		}
		if !strings.HasSuffix(dir, "/session") {
			if err := os.WriteFile(dir+"/cgroup.subtree_control", []byte(controllers), 0); err != nil {
				return fmt.Errorf("turn controllers on: %w", err)
			}
		}
	}
	return nil
}

// tail returns the end of a text.
func tail(b *bytes.Buffer) string {
	const most = 16 << 10
	text := b.Bytes()
	return string(text[max(0, len(text)-most):])
}
