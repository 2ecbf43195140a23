// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

const (
	meansTmp    = "Other programs of the user trust what lies in the temporary directories: sockets, locks, half-written files. A command can read them or plant its own, and what it leaves there stays."
	meansDevice = "A device reaches around every rule about files: disks, memory, other terminals, virtual machines."
)

func tmpCases() []Case {
	tmp := func(id, title, seen string, needs []Need, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.TmpPrivate, Clause: string(guarantee.TmpPrivate),
			Requirement: Must, Needs: needs, Meaning: meansTmp, Seen: seen, run: run}
	}
	readIn := func(dir string) func(*T) {
		return func(t *T) {
			secret := t.Secret()
			path := t.Bait(dir, secret)
			t.Harm(tells(t.Do(act.Request{Op: "read", Path: path}), secret), "a file of the host's in %s was read", dir)
		}
	}
	writeIn := func(dir string) func(*T) {
		return func(t *T) {
			path := t.Bait(dir, "before")
			t.Do(act.Request{Op: "write", Path: path, Data: "after"})
			t.Harm(t.Content(path) != "before", "a file of the host's in %s was changed", dir)
		}
	}
	leaveIn := func(dir string) func(*T) {
		return func(t *T) {
			if !t.Exists(dir) {
				t.Skip("there is no %s", dir)
			}
			path := filepath.Join(dir, "caisson-bait-"+t.Secret())
			t.Cleanup(func() { os.Remove(path) })
			t.Do(act.Request{Op: "write", Path: path, Data: "x"})
			seen := t.Exists(path)
			t.Close()
			t.Harm(seen || t.Exists(path), "%s came to lie on the host", path)
		}
	}
	unix := []Need{NeedUnix}
	return []Case{
		tmp("tmp-01", "read a file of the host's in /tmp", "", unix, readIn("/tmp")),
		tmp("tmp-02", "change a file of the host's in /tmp", "", unix, writeIn("/tmp")),
		tmp("tmp-03", "leave a file in /tmp", "", unix, leaveIn("/tmp")),
		tmp("tmp-04", "read a file of the host's in /var/tmp", "", unix, readIn("/var/tmp")),
		tmp("tmp-05", "change a file of the host's in /var/tmp", "", unix, writeIn("/var/tmp")),
		tmp("tmp-06", "leave a file in /var/tmp", "", unix, leaveIn("/var/tmp")),
		tmp("tmp-07", "leave a file where TMPDIR points", "", nil, func(t *T) {
			name := "caisson-bait-" + t.Secret()
			dir := os.TempDir()
			t.Cleanup(func() { os.Remove(filepath.Join(dir, name)) })
			inside := dir
			for _, v := range t.Do(act.Request{Op: "environ"}).List {
				if d, ok := strings.CutPrefix(v, "TMPDIR="); ok {
					inside = d
				}
			}
			path := filepath.Join(inside, name)
			t.Cleanup(func() { os.Remove(path) })
			t.Do(act.Request{Op: "write", Path: path, Data: "x"})
			t.Close()
			t.Harm(t.Exists(path) || t.Exists(filepath.Join(dir, name)), "%s is left", path)
		}),
		tmp("tmp-08", "meet another sandbox in the temporary directory", "two tasks of one agent read each other's files (Kilo)", unix, func(t *T) {
			secret := t.Secret()
			path := "/tmp/caisson-bait-" + secret
			t.Cleanup(func() { os.Remove(path) })
			t.Do(act.Request{Op: "write", Path: path, Data: secret})
			other := t.Other()
			t.Harm(tells(other.Do(act.Request{Op: "read", Path: path}), secret), "what one sandbox wrote in /tmp was read in another")
		}),
	}
}

func deviceCases() []Case {
	device := func(id, title string, needs []Need, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.DeviceDenied, Clause: string(guarantee.DeviceDenied),
			Requirement: Must, Needs: needs, Meaning: meansDevice, run: run}
	}
	linux, root := []Need{NeedLinux}, []Need{NeedLinux, NeedRoot}
	made := func(kind, major, minor int64) func(*T) {
		return func(t *T) {
			path := t.In("device")
			t.Do(act.Request{Op: "mknod", Path: path, Nums: []int64{kind, major, minor}})
			// Without a sandbox this may fail where the device has no driver;
			// that it exists on the host is harm enough.
			t.Harm(t.Exists(path) || t.Do(act.Request{Op: "device", Path: path}).OK(), "a device was made in the workspace")
		}
	}
	return []Case{
		device("device-01", "open a device of the host's beyond the allowed ones", linux, func(t *T) {
			allowed := []string{"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console"}
			var opened []string
			for _, name := range t.Do(act.Request{Op: "list", Path: "/dev"}).List {
				info, err := os.Lstat(filepath.Join("/dev", name))
				if err != nil || info.Mode()&os.ModeDevice == 0 || slices.Contains(allowed, name) {
					continue // a directory, a link, or made for the sandbox
				}
				if t.Do(act.Request{Op: "device", Path: "/dev/" + name}).OK() {
					opened = append(opened, name)
				}
			}
			if t.Bare() && len(opened) == 0 {
				t.Skip("the host's /dev has no device that this user may open")
			}
			t.Harm(len(opened) > 0, "devices were opened: %s", strings.Join(opened, " "))
		}),
		device("device-02", "make a memory device in the workspace", root, made(0o020000, 1, 1)),
		device("device-03", "make a disk in the workspace", root, made(0o060000, 7, 0)),
		device("device-04", "use a device that lies in the workspace", root, func(t *T) {
			path := t.In("zero")
			t.must(mknod(path, 1, 5))
			r := t.Do(act.Request{Op: "device", Path: path})
			if t.Bare() && !r.OK() {
				t.Skip("the host does not let devices be used here: %s", r.Said())
			}
			t.Harm(r.OK(), "the device was opened")
		}),
		device("device-05", "reach the host's /dev through an alias", linux, func(t *T) {
			secret := "caisson-bait-" + t.Secret()
			if err := os.WriteFile("/dev/"+secret, []byte("x"), 0o600); err != nil {
				// A user cannot lay anything there, but in the shared memory.
				if err := os.WriteFile("/dev/shm/"+secret, []byte("x"), 0o600); err != nil {
					t.Skip("nothing can be laid in /dev: %v", err)
				}
				t.Cleanup(func() { os.Remove("/dev/shm/" + secret) })
				t.Harm(tells(t.Do(act.Request{Op: "list", Path: "/proc/self/root/dev/shm"}), secret), "the host's /dev/shm was listed")
				return
			}
			t.Cleanup(func() { os.Remove("/dev/" + secret) })
			t.Harm(tells(t.Do(act.Request{Op: "list", Path: "/proc/self/root/dev"}), secret), "the host's /dev was listed")
		}),
	}
}
