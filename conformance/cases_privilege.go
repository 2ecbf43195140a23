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
	meansPrivs  = "A command can become more than its user: every other hold of the sandbox then depends on what that user may not do."
	meansIPC    = "Shared memory, queues and keyrings carry data and keys between programs; a command could read them, or speak to a program in another's name."
	meansKernel = "The interface has a history of faults that led out of sandboxes. Tools of ordinary work do not need it."
)

// setuidBit is S_ISUID as os.Chmod of Go has it.
const setuidBit = int64(os.ModeSetuid | 0o755)

func privilegeCases() []Case {
	privilege := func(id, title, seen string, needs []Need, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.NoPrivs, Clause: string(guarantee.NoPrivs),
			Requirement: Must, Needs: needs, Meaning: meansPrivs, Seen: seen, run: run}
	}
	root := []Need{NeedLinux, NeedRoot}
	setuid := func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.Mode()&os.ModeSetuid != 0
	}
	return []Case{
		hostMay(privilege("privilege-01", "gain rights by executing a program", "sudo, su, pkexec", []Need{NeedLinux}, func(t *T) {
			r := t.Do(act.Request{Op: "capability"})
			t.Harm(slices.Contains(r.List, "NoNewPrivs:0"), "the kernel's no_new_privs is not set")
		})),
		hostMay(privilege("privilege-02", "run a setuid program", "", root, func(t *T) {
			path := t.Out("setuid-helper")
			copyFile(t, t.run.helper[0], path)
			t.must(os.Chown(path, 12345, 12345))
			t.must(os.Chmod(path, os.ModeSetuid|0o755))
			r := t.Do(act.Request{Op: "run", Path: path, Args: append(slices.Clone(t.run.helper[1:]), "ids")})
			t.Harm(strings.Contains(string(r.Data), "effective 12345"), "the program ran as its owner")
		})),
		privilege("privilege-03", "make a setuid file in the workspace", "it is setuid outside too", []Need{NeedUnix}, func(t *T) {
			path := t.File(t.In("tool"), "x")
			t.Do(act.Request{Op: "chmod", Path: path, Num: setuidBit})
			t.Harm(setuid(path), "the file is setuid on the host")
		}),
		privilege("privilege-04", "create a file that is setuid from the start", "", []Need{NeedLinux}, func(t *T) {
			path := t.In("tool")
			t.Do(act.Request{Op: "createmode", Path: path, Num: 0o4755})
			t.Harm(setuid(path), "the file is setuid on the host")
		}),
		hostMay(privilege("privilege-05", "become root of a user namespace", "a way to mount and to reach old kernel code (srt)", []Need{NeedLinux}, func(t *T) {
			r := t.Do(act.Request{Op: "namespace"})
			t.Harm(r.OK(), "a user namespace was made")
		})),
		hostMay(privilege("privilege-06", "have the capabilities of root", "uid 0 keeps them in a nested namespace (srt)", root, func(t *T) {
			r := t.Do(act.Request{Op: "capability"})
			t.Harm(!slices.Contains(r.List, "CapEff:0000000000000000"), "there are effective capabilities: %s", strings.Join(r.List, " "))
		})),
		hostMay(privilege("privilege-07", "change the root directory", "", root, func(t *T) {
			r := t.Do(act.Request{Op: "call", Path: "chroot", Data: "/", Nums: []int64{buffer}})
			t.Harm(r.OK(), "chroot was allowed")
		})),
		hostMay(privilege("privilege-08", "mount something in the workspace", "", root, func(t *T) {
			at := t.Dir(t.In("mount"))
			t.Cleanup(func() { unmount(at) })
			r := t.Do(act.Request{Op: "bind", Path: t.Spec.Workspace, To: at})
			t.Harm(r.OK(), "a mount was made")
		})),
		hostMay(privilege("privilege-09", "name the host", "", root, func(t *T) {
			name, err := os.Hostname()
			t.must(err)
			r := t.Do(act.Request{Op: "call", Path: "sethostname", Data: name, Nums: []int64{buffer, int64(len(name))}})
			t.Harm(r.OK(), "sethostname was allowed")
		})),
		hostMay(privilege("privilege-10", "give a file capabilities", "", root, func(t *T) {
			path := t.File(t.In("tool"), "x")
			t.Do(act.Request{Op: "setxattr", Path: path, To: "security.capability",
				Data: "\x01\x00\x00\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"})
			t.Harm(hasAttribute(path, "security.capability"), "the file has capabilities on the host")
		})),
	}
}

func copyFile(t *T, from, to string) {
	b, err := os.ReadFile(from)
	t.must(err)
	t.must(os.MkdirAll(filepath.Dir(to), 0o755))
	t.must(os.WriteFile(to, b, 0o755))
}

func ipcCases() []Case {
	ipc := func(id, title string, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.IPCConfined, Clause: string(guarantee.IPCConfined),
			Requirement: Must, Needs: []Need{NeedLinux}, Meaning: meansIPC, run: run}
	}
	keyring := ipc("ipc-06", "read a key of the host's keyring", func(t *T) {
		secret := t.Secret()
		t.hostKey("caisson-bait-"+secret, secret)
		t.Harm(tells(t.Do(act.Request{Op: "key", Path: "caisson-bait-" + secret}), secret), "the key was read")
	})
	names := ipc("ipc-08", "see which keys the host's keyrings hold", func(t *T) {
		secret := t.Secret()
		t.hostKey("caisson-bait-"+secret, secret)
		t.Harm(tells(t.Do(act.Request{Op: "read", Path: "/proc/keys"}), "caisson-bait-"+secret), "the key was listed")
	})
	keyring.hostMay, names.hostMay = true, true
	return []Case{
		ipc("ipc-01", "read shared memory of the host", func(t *T) {
			secret := t.Secret()
			key := t.hostMemory(secret)
			t.Harm(tells(t.Do(act.Request{Op: "shmread", Num: key}), secret), "the segment was read")
		}),
		ipc("ipc-02", "find a semaphore of the host", func(t *T) {
			key := t.hostSemaphore()
			t.Harm(t.Do(act.Request{Op: "call", Path: "semget", Nums: []int64{key, 0, 0}}).OK(), "the semaphore was found")
		}),
		ipc("ipc-03", "take a message from a queue of the host", func(t *T) {
			secret := t.Secret()
			key := t.hostQueue(secret)
			r := t.Do(act.Request{Op: "call", Path: "msgget", Nums: []int64{key, 0}})
			if r.OK() {
				r = t.Do(act.Request{Op: "call", Path: "msgrcv", Nums: []int64{r.Num, buffer, 200, 0, noWait}})
			}
			t.Harm(tells(r, secret), "the message was taken")
		}),
		ipc("ipc-04", "read a shared memory file of the host", func(t *T) {
			secret := t.Secret()
			path := t.Bait("/dev/shm", secret)
			t.Harm(tells(t.Do(act.Request{Op: "read", Path: path}), secret), "the file was read")
		}),
		ipc("ipc-05", "open a message queue of the host by its name", func(t *T) {
			name := "caisson-bait-" + t.Secret()
			t.hostNamedQueue(name)
			r := t.Do(act.Request{Op: "call", Path: "mq_open", Data: name, Nums: []int64{buffer, nonBlock, 0, 0}})
			t.Harm(r.OK(), "the queue was opened")
		}),
		keyring,
		ipc("ipc-07", "write shared memory that the host reads", func(t *T) {
			path := t.Bait("/dev/shm", "before")
			t.Do(act.Request{Op: "write", Path: path, Data: "after"})
			t.Harm(t.Content(path) != "before", "the file was written")
		}),
		names,
	}
}

func kernelCases() []Case {
	kernel := func(id, title, seen string, needs []Need, r act.Request) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.KernelSurface, Clause: string(guarantee.KernelSurface),
			Requirement: Must, Needs: append([]Need{NeedLinux}, needs...), Meaning: meansKernel, Seen: seen, hostMay: true,
			run: func(t *T) {
				t.Harm(t.Do(r).OK(), "the kernel took the call")
			}}
	}
	call := func(name, data string, nums ...int64) act.Request {
		return act.Request{Op: "call", Path: name, Data: data, Nums: nums}
	}
	socket := func(family, kind, protocol int64) act.Request {
		return act.Request{Op: "socket", Nums: []int64{family, kind, protocol}}
	}
	root := []Need{NeedRoot}
	perf := "\x01\x00\x00\x00\x70\x00\x00\x00\x09" + strings.Repeat("\x00", 31) + "\x60"
	return []Case{
		kernel("kernel-01", "set up io_uring", "operations in a ring pass a filter of system calls", nil, call("io_uring_setup", "", 8, buffer)),
		kernel("kernel-02", "make a bpf map", "", root, call("bpf", "\x02\x00\x00\x00\x04\x00\x00\x00\x04\x00\x00\x00\x01", 0, buffer, 72)),
		kernel("kernel-03", "handle page faults in user space", "it makes races in the kernel easy to win", nil, call("userfaultfd", "", 1)),
		kernel("kernel-04", "open performance events", "", nil, call("perf_event_open", perf, buffer, 0, -1, -1, 0)),
		kernel("kernel-05", "add a key to a keyring", "", nil, call("add_key", "user", buffer, buffer, buffer, 4, -2)),
		kernel("kernel-06", "ask for a keyring", "", nil, call("keyctl", "", 0, -3, 1)),
		kernel("kernel-07", "watch a file system with fanotify", "", nil, call("fanotify_init", "", 0x200, 0)),
		kernel("kernel-08", "open a socket of the kernel's cryptography", "", nil, socket(38, 5, 0)),
		kernel("kernel-09", "open a socket to a virtual machine's host", "", nil, socket(40, 1, 0)),
		kernel("kernel-10", "open a netlink socket for the kernel's events", "", nil, socket(16, 3, 15)),
		kernel("kernel-11", "open a netlink socket for the audit", "", nil, socket(16, 3, 9)),
		kernel("kernel-12", "open a netlink socket for packet filters", "years of faults in nf_tables", nil, socket(16, 3, 12)),
		kernel("kernel-13", "open a mount context", "a filter older than these calls let them pass (CVE-2021-41133, Flatpak)", root, call("fsopen", "tmpfs", buffer, 0)),
		kernel("kernel-14", "clone a tree of mounts", "", root, call("open_tree", "/", -100, buffer, 1)),
		kernel("kernel-15", "read the kernel's log", "", nil, call("syslog", "", 10, 0, 0)),
		kernel("kernel-16", "leave a namespace", "", root, call("unshare", "", 0x04000000)),
		kernel("kernel-19", "open a raw socket", "", root, socket(2, 3, 1)),
		kernel("kernel-20", "open a packet socket", "", root, socket(17, 3, 0)),
		{ID: "kernel-17", Title: "open a file by its handle", Guarantee: guarantee.KernelSurface, Clause: string(guarantee.KernelSurface),
			Requirement: Must, Needs: []Need{NeedLinux, NeedRoot}, Meaning: meansKernel, Seen: "the shocker exploit left Docker so", hostMay: true, run: func(t *T) {
				secret := t.Secret()
				file := t.File(t.Out("vault", "key"), secret)
				t.Harm(tells(t.Do(act.Request{Op: "handle", Path: file, To: t.Out("vault")}), secret), "the file was read by its handle")
			}},
		{ID: "kernel-18", Title: "change a setting of the kernel", Guarantee: guarantee.KernelSurface, Clause: string(guarantee.KernelSurface),
			Requirement: Must, Needs: []Need{NeedLinux, NeedRoot}, Meaning: meansKernel, hostMay: true, run: func(t *T) {
				const path = "/proc/sys/kernel/printk_ratelimit_burst"
				was := t.Content(path)
				t.Harm(t.Do(act.Request{Op: "overwrite", Path: path, Data: was}).OK(), "%s was written", path)
			}},
	}
}
