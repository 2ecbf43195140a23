// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"net"
	"strings"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

func placeLeaks() []leak {
	l := func(name string, g guarantee.ID, what string, blind func(*Monitor, Act, violation) bool) leak {
		return leak{Leak{name, g, what}, blind}
	}
	tmp, device := guarantee.TmpPrivate, guarantee.DeviceDenied
	return []leak{
		l("tmp.shared", tmp, "shares the temporary directories with the host", nil),
		l("tmp.second", tmp, "forgets /var/tmp", nil),
		l("tmp.shown", tmp, "lays a writable layer over the host's temporary directory", nil),
		l("tmp.common", tmp, "gives all sandboxes of a user one temporary directory", nil),
		l("device.all", device, "takes devices for files", where(func(a Act, v violation) bool {
			return v.guarantee == guarantee.DeviceDenied && a.Op != MakeDevice
		})),
		l("device.alias", device, "puts a private /dev over the host's, which stays within reach", nil),
		l("device.make", device, "lets devices be made", during(MakeDevice)),
	}
}

func netLeaks() []leak {
	l := func(name, what string, f func(Act, violation) bool) leak {
		return leak{Leak{"net." + name, guarantee.NetOffline, what}, where(f)}
	}
	connects := func(a Act) bool { return a.Op == Connect || a.Op == Send }
	u := func(name, what string, f func(Act, violation) bool) leak {
		return leak{Leak{"unix." + name, guarantee.UnixConfined, what}, where(f)}
	}
	toUnix := func(v violation) bool { return v.guarantee == guarantee.UnixConfined }
	w := func(name, what string, f func(Act, violation) bool) leak {
		return leak{Leak{"allowlist." + name, guarantee.NetAllowlist, what}, where(f)}
	}
	never := func(Act, violation) bool { return false }
	return []leak{
		l("loopback", "takes the host's loopback for the sandbox's own", func(a Act, v violation) bool { return connects(a) && loopback(a.Addr) }),
		l("ipv6", "forgets IPv6", func(a Act, _ violation) bool { return connects(a) && family6(a.Addr) }),
		l("datagrams", "does not look at datagrams", func(a Act, _ violation) bool { return a.Op == Send && strings.HasPrefix(a.Net, "udp") }),
		l("addresses", "closes the loopback and no other address", func(a Act, _ violation) bool {
			host, _, _ := net.SplitHostPort(a.Addr)
			ip := net.ParseIP(host)
			return connects(a) && ip != nil && !ip.IsLoopback() && !ip.IsUnspecified() && !mapped(a.Addr)
		}),
		l("mapped", "compares the text of addresses: ::ffff:127.0.0.1 is a new one", func(a Act, _ violation) bool { return mapped(a.Addr) }),
		l("unspecified", "does not know that 0.0.0.0 is this host", func(a Act, _ violation) bool { return strings.HasPrefix(a.Addr, "0.0.0.0:") }),
		l("names", "lets names through that end like localhost", func(a Act, _ violation) bool { return strings.Contains(a.Addr, "localhost:") }),
		l("resolver", "lets name servers be asked", func(a Act, _ violation) bool { return a.Op == Resolve }),
		l("children", "keeps the command offline and not its children", func(a Act, _ violation) bool { return a.Child }),
		l("fast-open", "looks at connect and not at data that connects by itself", func(a Act, _ violation) bool { return a.Op == FastOpen }),
		l("protocols", "closes TCP and not its kin", func(a Act, _ violation) bool { return a.Op == Multipath }),
		l("published", "binds servers of the sandbox to the host's addresses", never),
		l("grant-all", "opens the whole loopback for one granted port", never),
		l("grant-nothing", "opens no granted port", never),
		l("publish-all", "publishes a port on every address", never),
		l("publish-nothing", "publishes no port", never),
		l("interfaces", "shows the host's addresses", func(a Act, _ violation) bool { return a.Op == Interfaces }),
		w("everything", "takes a list for no list", func(a Act, _ violation) bool { return connects(a) }),
		w("nothing", "reaches nothing, listed or not", never),
		w("direct", "decides on what asks the proxy and lets the rest through", func(a Act, _ violation) bool { return a.Op == Connect && a.Name != "proxy" }),
		w("datagrams", "decides on connections and not on datagrams", func(a Act, _ violation) bool { return a.Op == Send }),
		w("ports", "compares hosts and not their ports", never),
		w("deny", "lets what is allowed beat what is denied", never),
		w("star", "takes every host for every address, the host's own too", never),
		w("names", "resolves names before it looks at the list", func(a Act, _ violation) bool { return a.Op == Resolve }),
		u("grant-nothing", "opens no granted socket", never),
		u("files", "takes a socket for a file that may be read", func(a Act, v violation) bool { return toUnix(v) && a.Net == "unix" && v.raw[0] != '@' }),
		u("workspace", "takes sockets in the workspace for the sandbox's own", func(a Act, v violation) bool {
			return toUnix(v) && strings.Contains(v.target, "/ws/")
		}),
		u("tmp", "lets sockets in /tmp through, for displays", func(a Act, v violation) bool { return toUnix(v) && below(v.target, "/tmp") }),
		u("links", "does not follow links to sockets", func(a Act, v violation) bool { return toUnix(v) && lastLink(nil, a, v) }),
		u("proc-root", "does not know that /proc/self/root is the root", func(a Act, v violation) bool { return strings.HasPrefix(v.raw, "/proc/self/root") }),
		u("abstract", "sees no socket without a path", func(a Act, v violation) bool { return toUnix(v) && strings.HasPrefix(v.raw, "@") }),
		u("datagrams", "looks at connect and not at datagrams", func(a Act, _ violation) bool { return a.Net == "unixgram" }),
		u("packets", "looks at stream sockets and not at packet sockets", func(a Act, _ violation) bool { return a.Net == "unixpacket" }),
		u("children", "confines the command and not its children", func(a Act, _ violation) bool { return a.Child }),
	}
}

func processLeaks() []leak {
	l := func(name, what string, blind func(*Monitor, Act, violation) bool) leak {
		return leak{Leak{"process." + name, guarantee.OutsideUntouchable, what}, blind}
	}
	list := guarantee.OutsideHidden
	return []leak{
		l("signals", "does not look at signals", where(func(a Act, _ violation) bool { return a.Op == Signal && a.PID > 0 })),
		l("groups", "does not look at signals to groups", where(func(a Act, _ violation) bool { return a.Op == Signal && a.PID < 0 })),
		l("descriptors", "does not know process descriptors", during(SignalFD)),
		l("trace", "lets the user's processes be traced", during(Trace)),
		l("memory", "lets the user's processes be read", during(Memory)),
		l("proc", "shows the host's /proc", where(func(a Act, v violation) bool { return strings.HasPrefix(v.raw, "/proc/") && v.place.process == 0 })),
		l("root", "lets the root of another process be gone through", another),
		l("priority", "does not look at priorities", during(Priority)),
		l("limits", "does not look at limits and processors", during(LimitOf)),
		l("children", "confines the command and not its children", children),
		l("sandboxes", "takes processes of other sandboxes for its own", func(m *Monitor, a Act, _ violation) bool { return m.sibling(a.PID) }),
		{Leak{"list.processes", list, "lists every process of the host"}, during(Processes)},
		{Leak{"list.cmdline", list, "shows the command line of a process whose number is known"}, where(func(_ Act, v violation) bool {
			return v.guarantee == guarantee.OutsideHidden && strings.HasSuffix(v.target, "/cmdline")
		})},
	}
}

// kernelLeaks are about interfaces of the kernel and what they give.
func kernelLeaks() []leak {
	call := func(name, what string, names ...string) leak {
		return leak{Leak{"kernel." + name, guarantee.KernelSurface, what}, where(func(a Act, v violation) bool {
			for _, n := range names {
				if a.Name == n {
					return v.guarantee == guarantee.KernelSurface
				}
			}
			return false
		})}
	}
	priv := func(name, what string, f func(Act, violation) bool) leak {
		return leak{Leak{"privilege." + name, guarantee.NoPrivs, what}, where(f)}
	}
	ipc := func(name, what string, names ...string) leak {
		return leak{Leak{"ipc." + name, guarantee.IPCConfined, what}, where(func(a Act, v violation) bool {
			for _, n := range names {
				if a.Name == n {
					return v.guarantee == guarantee.IPCConfined
				}
			}
			return false
		})}
	}
	privs := func(v violation) bool { return v.guarantee == guarantee.NoPrivs }
	return []leak{
		priv("executing", "forgets no_new_privs", func(a Act, v violation) bool {
			return a.Op == Privilege && a.Name == "executing" || a.Op == Execute && privs(v)
		}),
		priv("capabilities", "lets root keep its capabilities", func(a Act, v violation) bool {
			return a.Op == Privilege && a.Name == "capabilities" || a.Op == Mount || a.Op == Call && privs(v)
		}),
		priv("modes", "lets files be made set-user-id", func(a Act, v violation) bool { return privs(v) && a.Op == Mode }),
		priv("new-modes", "looks at chmod and not at the mode of a new file", func(a Act, v violation) bool { return privs(v) && a.Op == Create }),
		priv("attributes", "lets files be given capabilities", func(a Act, v violation) bool { return privs(v) && a.Op == Attribute }),
		priv("namespaces", "lets user namespaces be made", func(a Act, _ violation) bool { return a.Op == Namespace }),
		ipc("sysv", "shares System V objects with the host", "segment", "semget", "msgget", "msgrcv"),
		ipc("queues", "shares POSIX queues with the host", "mq_open"),
		ipc("keys", "shares keyrings with the host", "key"),
		{Leak{"ipc.key-names", guarantee.IPCConfined, "shows /proc/keys"}, where(func(_ Act, v violation) bool { return v.target == "/proc/keys" })},
		{Leak{"ipc.shm", guarantee.IPCConfined, "shares /dev/shm with the host"}, nil},
		{Leak{"tty.type", guarantee.TTYNoInject, "does not know TIOCSTI"}, where(func(a Act, _ violation) bool { return a.Op == Type && a.Num == 0 })},
		{Leak{"tty.upper", guarantee.TTYNoInject, "compares 64 bits of a number of 32"}, where(func(a Act, _ violation) bool { return a.Op == Type && a.Num != 0 })},
		{Leak{"tty.others", guarantee.TTYNoInject, "lets other terminals be written"}, where(func(_ Act, v violation) bool { return below(v.target, "/dev/pts") })},
		call("io-uring", "leaves io_uring open: its operations pass every filter of calls", "io_uring_setup"),
		call("bpf", "leaves bpf to root", "bpf"),
		call("page-faults", "leaves userfaultfd open", "userfaultfd"),
		call("perf", "leaves performance events open", "perf_event_open"),
		call("keyrings", "leaves keyrings open", "add_key", "keyctl"),
		call("fanotify", "leaves fanotify open", "fanotify_init"),
		call("crypto", "leaves the kernel's cryptography open", "alg"),
		call("raw", "lets root open raw and packet sockets", "raw", "packet"),
		call("vsock", "leaves sockets to a machine's host open", "vsock"),
		call("netlink", "leaves all of netlink open", "netlink"),
		call("mounts", "has a filter that is older than the new calls for mounts", "fsopen", "open_tree"),
		call("log", "leaves the kernel's log open", "syslog"),
		call("unshare", "lets namespaces be left", "unshare"),
		{Leak{"kernel.handles", guarantee.KernelSurface, "lets files be opened by handles"}, during(Handle)},
		{Leak{"kernel.settings", guarantee.KernelSurface, "leaves /proc/sys writable"}, where(func(_ Act, v violation) bool { return below(v.target, "/proc/sys") })},
	}
}

// launchLeaks are about what a launcher does before, beside and after a command.
func launchLeaks() []leak {
	l := func(name string, g guarantee.ID, what string) leak { return leak{Leak{name, g, what}, nil} }
	tree, env, fd, residue := guarantee.TreeKilled, guarantee.EnvScrubbed, guarantee.FDNoLeak, guarantee.NoResidue
	return []leak{
		l("tree.nothing", tree, "ends with the command and leaves what it started"),
		l("tree.sessions", tree, "kills a session: who made a new one survives"),
		l("tree.parents", tree, "finds processes by their parents: orphans survive"),
		l("tree.polite", tree, "asks processes to end and does not make them"),
		l("tree.owner", tree, "ignores the death of who opened the sandbox"),
		l("tree.owner-detached", tree, "ends the command alone when who opened the sandbox dies"),
		l("env.all", env, "passes the environment as it is"),
		l("env.names", env, "knows secrets by name alone"),
		l("env.values", env, "knows secrets by the shape of their value alone"),
		l("env.sockets", env, "does not know the sockets of agents"),
		l("env.loaders", env, "does not know which variables load code"),
		l("env.memory", env, "scrubs the environment after the start: /proc/self/environ keeps it"),
		l("fd.all", fd, "passes every descriptor of its caller"),
		l("fd.high", fd, "closes descriptors up to 63"),
		l("fd.directories", fd, "closes files and not directories"),
		l("residue.beside", residue, "leaves a lock file beside the workspace"),
		l("residue.placeholders", residue, "leaves what held the place of an absent name"),
		l("residue.times", residue, "does not set the times of a directory back"),
		l("residue.orphans", residue, "leaves placeholders of a sandbox whose owner was killed"),
		{Leak{"residue.segments", residue, "leaves shared memory"}, during(Segment)},
		l("residue.shm", residue, "leaves files in /dev/shm"),
		{Leak{"residue.mounts", residue, "leaves mounts"}, during(Mount)},
		l("residue.terminal", residue, "does not set the terminal back"),
		{Leak{"limit.memory", guarantee.LimitMemory, "ignores the limit of memory"}, during(Allot)},
		{Leak{"limit.memory-children", guarantee.LimitMemory, "limits the memory of the first process alone"}, where(func(a Act, _ violation) bool { return a.Op == Allot && a.Child })},
		{Leak{"limit.processes", guarantee.LimitProcesses, "ignores the limit of processes"}, during(Fork)},
		l("limit.time", guarantee.LimitTime, "ignores the limit of time"),
		l("limit.time-command", guarantee.LimitTime, "ends the command when time is over, and nothing else"),
		l("denials.silent", guarantee.DenialsReported, "denies and does not say so"),
		l("denials.files-only", guarantee.DenialsReported, "says nothing of refused connects"),
		l("denials.writes-only", guarantee.DenialsReported, "says nothing of refused reads"),
		l("denials.creates-only", guarantee.DenialsReported, "says nothing of refused changes"),
		l("denials.noise", guarantee.DenialsReported, "reports what it allows as well"),
		l("denials.raw", guarantee.DenialsReported, "reports names as they are"),
		l("denials.unbounded", guarantee.DenialsReported, "reports without end"),
	}
}
