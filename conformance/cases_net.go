// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
)

const (
	meansNet  = "A command can send what it reads to anybody, fetch what it is told to run, or use a service of the host's that trusts its neighbours (databases, debuggers, metadata)."
	meansUnix = "A socket of the host's hands the command the rights of whoever listens: an agent with keys, a container engine, a display, a session bus that starts programs."
)

func offlineCases() []Case {
	offline := func(id, title, seen string, needs []Need, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.NetOffline, Clause: string(guarantee.NetOffline),
			Requirement: Must, Needs: needs, Meaning: meansNet, Seen: seen, run: run}
	}
	dial := func(network, addr string) func(*T) {
		return func(t *T) {
			s := t.listen(network, addr)
			r := t.Do(act.Request{Op: "dial", Net: network, Addr: s.addr, Data: "hello"})
			t.Harm(s.reached() || tells(r, s.answer), "a connection reached the host at %s", s.addr)
		}
	}
	packet := func(network, addr string) func(*T) {
		return func(t *T) {
			s := t.listenPackets(network, addr)
			t.Do(act.Request{Op: "send", Net: network, Addr: s.addr, Data: "hello"})
			t.Harm(s.reached(), "a packet reached the host at %s", s.addr)
		}
	}
	serve := func(network, addr string) func(*T) {
		return func(t *T) {
			secret := t.Secret()
			r := t.Do(act.Request{Op: "listen", Net: network, Addr: addr, Data: secret})
			if !r.OK() {
				if t.Bare() {
					t.Skip("the host cannot listen on %s: %s", addr, r.Said())
				}
				t.Harm(false, "")
				return
			}
			t.Harm(hears(string(r.Data)) == secret, "a server inside was reached from the host at %s", r.Data)
		}
	}
	unix := []Need{NeedUnix}
	return []Case{
		offline("net-01", "connect to a server on the host's loopback", "", nil, dial("tcp4", "127.0.0.1:0")),
		offline("net-02", "connect to a server on the host's IPv6 loopback", "IPv6 was forgotten (yoloai)", nil, dial("tcp6", "[::1]:0")),
		offline("net-03", "send a packet to the host's loopback", "", nil, packet("udp4", "127.0.0.1:0")),
		offline("net-04", "send a packet to the host's IPv6 loopback", "", nil, packet("udp6", "[::1]:0")),
		offline("net-05", "connect to another address of the host", "", nil, func(t *T) { dial("tcp4", t.outerAddress()+":0")(t) }),
		offline("net-06", "send a packet to another address of the host", "", nil, func(t *T) { packet("udp4", t.outerAddress()+":0")(t) }),
		offline("net-07", "connect to a mapped IPv4 address", "the filter compared text (nono #1676)", unix, func(t *T) {
			s := t.listen("tcp4", "127.0.0.1:0")
			t.Do(act.Request{Op: "dial", Net: "tcp", Addr: "[::ffff:127.0.0.1]:" + s.port()})
			t.Harm(s.reached(), "a connection reached the host")
		}),
		offline("net-08", "connect to the address that means this host", "", unix, func(t *T) {
			s := t.listen("tcp4", "127.0.0.1:0")
			t.Do(act.Request{Op: "dial", Net: "tcp4", Addr: "0.0.0.0:" + s.port()})
			t.Harm(s.reached(), "a connection reached the host")
		}),
		offline("net-09", "connect by the name localhost", "an exemption for *.localhost (cplt #92)", nil, func(t *T) {
			s := t.listen("tcp4", "127.0.0.1:0")
			r := t.Do(act.Request{Op: "dial", Net: "tcp4", Addr: "localhost:" + s.port()})
			if t.Bare() && !s.reached() {
				t.Skip("localhost is no name here: %s", r.Said())
			}
			t.Harm(s.reached(), "a connection reached the host")
		}),
		offline("net-10", "ask a name server", "names carry data out (srt #88)", nil, func(t *T) {
			s := t.listenPackets("udp4", "127.0.0.1:0")
			t.Do(act.Request{Op: "lookup", Path: "secret.example.org", Addr: s.addr})
			t.Harm(s.reached(), "a question reached the name server")
		}),
		offline("net-11", "a child connects", "a child that another program started had the network (codex #46662)", nil, func(t *T) {
			s := t.listen("tcp4", "127.0.0.1:0")
			t.Do(act.Request{Op: "child", Then: []act.Request{{Op: "dial", Net: "tcp4", Addr: s.addr}}})
			t.Harm(s.reached(), "a connection reached the host")
		}),
		offline("net-12", "a child in a session of its own connects", "", unix, func(t *T) {
			s := t.listen("tcp4", "127.0.0.1:0")
			t.Do(act.Request{Op: "child", Args: []string{"session"}, Then: []act.Request{{Op: "dial", Net: "tcp4", Addr: s.addr}}})
			t.Harm(s.reached(), "a connection reached the host")
		}),
		offline("net-13", "connect and send in one call", "Landlock did not see MSG_FASTOPEN", []Need{NeedLinux}, func(t *T) {
			s := t.listen("tcp4", "127.0.0.1:0")
			t.Do(act.Request{Op: "fastopen", Addr: s.addr, Data: "hello"})
			t.Harm(s.reached(), "a connection reached the host")
		}),
		offline("net-14", "be reached from the host's loopback", "a published port was bound to every address (fence #154)", nil, serve("tcp4", "127.0.0.1:0")),
		offline("net-15", "be reached from the host's IPv6 loopback", "", nil, serve("tcp6", "[::1]:0")),
		offline("net-16", "be reached at another address of the host", "", nil, func(t *T) { serve("tcp4", t.outerAddress()+":0")(t) }),
		should(offline("net-17", "see the addresses of the host", "", unix, func(t *T) {
			outer := t.outerAddress()
			r := t.Do(act.Request{Op: "interfaces"})
			t.Harm(slices.ContainsFunc(r.List, func(a string) bool { return strings.HasPrefix(a, outer+"/") }), "the host's address %s is there", outer)
		})),
		offline("net-20", "connect by another protocol of the loopback", "Go listens by MPTCP since 1.24, and Landlock did not see it", []Need{NeedLinux}, func(t *T) {
			s := t.listen("tcp4", "127.0.0.1:0")
			// 262 is IPPROTO_MPTCP, see socket(2); the helper dials with it first.
			t.Do(act.Request{Op: "multipath", Addr: s.addr})
			t.Harm(s.reached(), "a connection reached the host")
		}),
		offline("net-21", "reach a granted port of the host's loopback, and nothing else", "localhost was all or nothing (claude-code #28018)", []Need{NeedOracle}, func(t *T) {
			granted, other := t.listen("tcp4", "127.0.0.1:0"), t.listen("tcp4", "127.0.0.1:0")
			t.Spec.Policy = func(p policy.Policy) policy.Policy {
				p.Network.Loopback = []int{portNumber(granted.port())}
				return p
			}
			t.Do(act.Request{Op: "dial", Net: "tcp4", Addr: granted.addr, Data: "hello"})
			t.Do(act.Request{Op: "dial", Net: "tcp4", Addr: other.addr, Data: "hello"})
			t.Harm(other.reached() || !granted.reached(), "granted port reached: %v; another port reached: %v", granted.reached(), other.reached())
		}),
		offline("net-22", "be reached at a published port, from the host's loopback alone", "a published port was bound to every address (fence #154)", []Need{NeedOracle}, func(t *T) {
			outer, port, secret := t.outerAddress(), t.freePort(), t.Secret()
			t.Spec.Policy = func(p policy.Policy) policy.Policy { p.Network.Publish = []int{portNumber(port)}; return p }
			r := t.Do(act.Request{Op: "listen", Net: "tcp4", Addr: "0.0.0.0:" + port, Data: secret})
			near, far := hears("127.0.0.1:"+port) == secret, hears(outer+":"+port) == secret
			t.Harm(far || !near, "listening: %s; reached from the loopback: %v; from another address: %v", r.Said(), near, far)
		}),
	}
}

func allowlistCases() []Case {
	list := func(p policy.Policy, hosts ...string) policy.Policy {
		p.Network.Mode, p.Network.Allow = policy.Allowlist, hosts
		return p
	}
	allow := func(id, title, seen string, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.NetAllowlist, Clause: string(guarantee.NetAllowlist),
			Requirement: Must, Needs: []Need{NeedOracle}, Meaning: meansNet, Seen: seen, run: run}
	}
	return []Case{
		allow("allow-01", "reach what is on the list, and nothing else", "an empty list meant no list (CVE-2025-66479, srt)", func(t *T) {
			listed, other := t.listen("tcp4", "127.0.0.1:0"), t.listen("tcp4", "127.0.0.1:0")
			t.Spec.Policy = func(p policy.Policy) policy.Policy { return list(p, listed.addr) }
			t.Do(act.Request{Op: "reach", Addr: listed.addr})
			t.Do(act.Request{Op: "reach", Addr: other.addr})
			t.Harm(other.reached() || !listed.reached(), "listed server reached: %v; another server reached: %v", listed.reached(), other.reached())
		}),
		allow("allow-02", "ask a name server for what is not on the list", "names were resolved before the check (nono #1675)", func(t *T) {
			s := t.listenPackets("udp4", "127.0.0.1:0")
			t.Spec.Policy = func(p policy.Policy) policy.Policy { return list(p, "allowed.example.org:443") }
			t.Do(act.Request{Op: "lookup", Path: "secret.example.org", Addr: s.addr})
			t.Harm(s.reached(), "a question reached the name server")
		}),
		allow("allow-03", "reach a listed server past the proxy, and another", "NO_PROXY was honoured (nono #580)", func(t *T) {
			listed, other := t.listen("tcp4", "127.0.0.1:0"), t.listen("tcp4", "127.0.0.1:0")
			t.Spec.Policy = func(p policy.Policy) policy.Policy { return list(p, listed.addr) }
			t.Do(act.Request{Op: "dial", Net: "tcp4", Addr: listed.addr})
			t.Do(act.Request{Op: "dial", Net: "tcp4", Addr: other.addr})
			t.Harm(listed.reached() || other.reached(), "a connection past the proxy reached the host")
		}),
		allow("allow-04", "reach another port of a listed host", "a rule for a port was one for every port (nono #1709)", func(t *T) {
			listed, other := t.listen("tcp4", "127.0.0.1:0"), t.listen("tcp4", "127.0.0.1:0")
			t.Spec.Policy = func(p policy.Policy) policy.Policy { return list(p, listed.addr) }
			t.Do(act.Request{Op: "reach", Addr: other.addr})
			t.Harm(other.reached(), "another port of a listed host was reached")
		}),
		allow("allow-05", "reach a host that is listed and denied", "deny did not beat allow (nono #1709)", func(t *T) {
			s := t.listen("tcp4", "127.0.0.1:0")
			t.Spec.Policy = func(p policy.Policy) policy.Policy {
				p.Network.Deny = []string{"127.0.0.1"}
				return list(p, s.addr)
			}
			t.Do(act.Request{Op: "reach", Addr: s.addr})
			t.Harm(s.reached(), "a denied host was reached")
		}),
		allow("allow-06", "reach the host's loopback where every host is listed", "a list of everything had the databases of the host in it", func(t *T) {
			s := t.listen("tcp4", "127.0.0.1:0")
			t.Spec.Policy = func(p policy.Policy) policy.Policy { return list(p, "*") }
			t.Do(act.Request{Op: "reach", Addr: s.addr})
			t.Do(act.Request{Op: "reach", Addr: "[::ffff:127.0.0.1]:" + s.port()})
			t.Do(act.Request{Op: "reach", Addr: "localhost:" + s.port()})
			t.Harm(s.reached(), "the host's loopback was reached")
		}),
		allow("allow-07", "send a packet to a listed address", "only connections were looked at", func(t *T) {
			s := t.listenPackets("udp4", "127.0.0.1:0")
			t.Spec.Policy = func(p policy.Policy) policy.Policy { return list(p, s.addr) }
			t.Do(act.Request{Op: "send", Net: "udp4", Addr: s.addr, Data: "hello"})
			t.Harm(s.reached(), "a packet reached the host")
		}),
	}
}

func unixCases() []Case {
	socket := func(id, title, seen string, needs []Need, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.UnixConfined, Clause: string(guarantee.UnixConfined),
			Requirement: Must, Needs: append([]Need{NeedUnix}, needs...), Meaning: meansUnix, Seen: seen, run: run}
	}
	// path is a name for a socket: short, since the system allows 100 bytes.
	stream := func(place func(*T) string, as func(t *T, path string) string) func(*T) {
		return func(t *T) {
			path := place(t)
			s := t.listen("unix", path)
			r := t.Do(act.Request{Op: "dial", Net: "unix", Addr: as(t, path), Data: "hello"})
			t.Harm(s.reached() || tells(r, s.answer), "a connection reached the host's socket %s", path)
		}
	}
	same := func(_ *T, path string) string { return path }
	workspace := func(t *T) string { return t.In("s") }
	beside := func(t *T) string { return t.Out("s") }
	return []Case{
		socket("unix-01", "connect to a host's socket in the workspace", "Landlock sees no socket before its ninth version", nil, stream(workspace, same)),
		socket("unix-02", "connect to a host's socket beside the workspace", "container engines, agents (Kilo #11650, srt #234)", nil, stream(beside, same)),
		socket("unix-03", "connect to a host's socket in the home directory", "", nil, stream(func(t *T) string {
			path := t.home() + "/.cb-" + t.Secret()[:8]
			t.Cleanup(func() { removeAll(path) })
			return path
		}, same)),
		socket("unix-04", "connect to a host's socket in /tmp", "tmux, editors", nil, stream(func(t *T) string {
			path := "/tmp/cb-" + t.Secret()[:8]
			t.Cleanup(func() { removeAll(path) })
			return path
		}, same)),
		socket("unix-05", "connect through a symbolic link", "", nil, stream(beside, func(t *T, path string) string {
			t.Do(act.Request{Op: "symlink", Path: path, To: t.In("l")})
			return t.In("l")
		})),
		socket("unix-06", "connect through /proc/self/root", "", []Need{NeedLinux}, stream(func(t *T) string {
			path := t.home() + "/.cb-" + t.Secret()[:8]
			t.Cleanup(func() { removeAll(path) })
			return path
		}, func(_ *T, path string) string { return "/proc/self/root" + path })),
		socket("unix-07", "connect to an abstract socket", "displays listen on one", []Need{NeedLinux}, func(t *T) {
			stream(func(t *T) string { return "@caisson-bait-" + t.Secret() }, same)(t)
		}),
		socket("unix-08", "send a datagram to a host's socket", "only connect was looked at (nono #1096)", nil, func(t *T) {
			path := t.In("d")
			s := t.listenPackets("unixgram", path)
			t.Do(act.Request{Op: "packet", Path: path, Data: "hello"})
			t.Harm(s.reached(), "a datagram reached the host's socket")
		}),
		socket("unix-09", "connect to a packet socket of the host's", "", []Need{NeedLinux}, func(t *T) {
			path := t.In("q")
			s := t.listen("unixpacket", path)
			t.Do(act.Request{Op: "dial", Net: "unixpacket", Addr: path, Data: "hello"})
			t.Harm(s.reached(), "a connection reached the host's socket")
		}),
		socket("unix-10", "connect to a socket that was moved into the workspace", "", nil, stream(beside, func(t *T, path string) string {
			t.Do(act.Request{Op: "rename", Path: path, To: t.In("m")})
			t.Do(act.Request{Op: "link", Path: path, To: t.In("h")})
			if t.Exists(t.In("m")) {
				return t.In("m")
			}
			return path
		})),
		socket("unix-11", "a child connects to a host's socket", "", nil, func(t *T) {
			s := t.listen("unix", beside(t))
			t.Do(act.Request{Op: "child", Then: []act.Request{{Op: "dial", Net: "unix", Addr: beside(t)}}})
			t.Harm(s.reached(), "a connection reached the host's socket")
		}),
		socket("unix-12", "connect to a granted socket of the host's, and to no other", "one agent was all sockets", []Need{NeedOracle}, func(t *T) {
			granted, other := t.listen("unix", t.Out("g")), t.listen("unix", beside(t))
			t.Spec.Policy = func(p policy.Policy) policy.Policy { p.Network.Unix = []string{t.Out("g")}; return p }
			t.Do(act.Request{Op: "dial", Net: "unix", Addr: t.Out("g"), Data: "hello"})
			t.Do(act.Request{Op: "dial", Net: "unix", Addr: beside(t), Data: "hello"})
			t.Harm(other.reached() || !granted.reached(), "granted socket reached: %v; another one reached: %v", granted.reached(), other.reached())
		}),
	}
}
