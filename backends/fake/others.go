// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// judgeOther is about everything but files.
func (m *Monitor) judgeOther(a Act, commit *Act) ([]violation, error) {
	one := func(g guarantee.ID, target string) []violation { return []violation{{guarantee: g, target: target}} }
	switch a.Op {
	case Connect, Send, FastOpen, Multipath:
		return m.judgeConnect(a, commit)
	case Listen:
		return m.judgeListen(a, commit)
	case Resolve:
		return one(m.netGuarantee(), a.Addr), nil
	case Socket:
		return socketViolations(a), nil
	case Interfaces:
		return one(guarantee.NetOffline, "the interfaces"), nil
	case Signal, SignalFD, Trace, Memory, Priority, LimitOf:
		if !m.own(a.PID) || m.Leaky("duty.no-signals") && a.Op == Signal || m.Leaky("duty.no-tracing") && a.Op == Trace ||
			m.Leaky("duty.signals-per-command") && !m.sameCommand(a.PID) {
			return one(guarantee.OutsideUntouchable, strconv.Itoa(a.PID)), nil
		}
	case Processes:
		return one(guarantee.OutsideHidden, "the list of processes"), nil
	case Call:
		return one(guaranteeOfCall(a.Name), a.Name), nil
	case Segment:
		return one(guarantee.NoResidue, "a segment"), nil
	case Share:
		return one(guarantee.IPCConfined, a.Name), nil
	case Namespace, Privilege, Mount:
		return one(guarantee.NoPrivs, a.Name), nil
	case Type:
		return one(guarantee.TTYNoInject, "the terminal"), nil
	case Descriptor:
		return one(guarantee.WriteConfined, fmt.Sprintf("descriptor %d", a.Num)), nil
	case Allot:
		if limit := m.Policy.Limits().Memory; limit > 0 && a.Num > limit {
			return one(guarantee.LimitMemory, "memory"), nil
		}
	case Fork:
		if limit := m.Policy.Limits().Processes; limit > 0 && int64(len(m.Entered()))+a.Num > int64(limit) {
			return one(guarantee.LimitProcesses, "processes"), nil
		}
	}
	return nil, nil
}

func (m *Monitor) netGuarantee() guarantee.ID {
	if m.Policy.Network().Mode == policy.Allowlist {
		return guarantee.NetAllowlist
	}
	return guarantee.NetOffline
}

// judgeConnect lets servers of the sandbox be reached, and what the policy
// lists.
func (m *Monitor) judgeConnect(a Act, commit *Act) ([]violation, error) {
	if strings.HasPrefix(a.Net, "unix") {
		if strings.HasPrefix(a.Addr, "@") { // an abstract name
			if m.serves(a.Addr) {
				return nil, nil
			}
			return []violation{{guarantee: guarantee.UnixConfined, target: a.Addr, raw: a.Addr}}, nil
		}
		p, err := m.find(a.Addr, a.Dir, true)
		if err != nil {
			return nil, err
		}
		commit.Addr = p.real
		if m.Leaky("unix.tmp") {
			commit.Addr = p.path
		}
		if m.serves(p.real) && !m.Leaky("duty.no-sockets") || slices.Contains(m.Policy.Network().Unix, p.path) && !m.Leaky("unix.grant-nothing") {
			return nil, nil
		}
		return []violation{{guarantee: guarantee.UnixConfined, target: p.path, raw: a.Addr, place: p}}, nil
	}
	if m.serves(a.Addr) {
		if m.Leaky("duty.no-loopback") || m.Leaky("duty.loopback-per-command") && m.serverOf(a.Addr) != m.Command {
			return []violation{{guarantee: guarantee.NetOffline, target: a.Addr, raw: a.Addr}}, nil
		}
		commit.Net, commit.Addr = "unix", a.Addr
		return nil, nil
	}
	n := m.Policy.Network()
	if n.Mode == policy.Online || m.granted(a, n) || n.Mode == policy.Allowlist && a.Name == "proxy" && m.onList(a, n) {
		return nil, nil
	}
	return []violation{{guarantee: m.netGuarantee(), target: a.Addr, raw: a.Addr}}, nil
}

// granted reports whether an address is a granted port of the host's loopback.
func (m *Monitor) granted(a Act, n policy.Network) bool {
	_, port, _ := net.SplitHostPort(a.Addr)
	number, _ := strconv.Atoi(port)
	if len(n.Loopback) == 0 || a.Op != Connect || !loopback(a.Addr) || m.Leaky("net.grant-nothing") {
		return false
	}
	return slices.Contains(n.Loopback, number) || m.Leaky("net.grant-all")
}

// onList reports whether the list allows an address, which it names as the act
// does.
func (m *Monitor) onList(a Act, n policy.Network) bool {
	host, _, _ := net.SplitHostPort(a.Addr)
	names := func(list []string) bool {
		return slices.ContainsFunc(list, func(rule string) bool {
			ruled, _, _ := net.SplitHostPort(rule)
			return rule == a.Addr || rule == host || m.Leaky("allowlist.ports") && ruled == host || rule == "*" && m.Leaky("allowlist.star")
		})
	}
	if m.Leaky("allowlist.nothing") || names(n.Deny) && !m.Leaky("allowlist.deny") {
		return false
	}
	return names(n.Allow)
}

// judgeListen keeps servers where only the sandbox can reach them: each is a
// unix socket in its directory, whatever its address was to be.
func (m *Monitor) judgeListen(a Act, commit *Act) ([]violation, error) {
	if strings.HasPrefix(a.Net, "unix") {
		p, err := m.find(a.Addr, a.Dir, false)
		if err != nil {
			return nil, err
		}
		commit.Addr = p.real
		return m.judgePath(a, wants{a.Addr, toPlace, false}, p), nil
	}
	if m.Leaky("net.published") {
		return nil, nil
	}
	if _, port, _ := net.SplitHostPort(a.Addr); !m.Leaky("net.publish-nothing") {
		if number, _ := strconv.Atoi(port); slices.Contains(m.Policy.Network().Publish, number) {
			if !m.Leaky("net.publish-all") {
				commit.Addr = "127.0.0.1:" + port
			}
			return nil, nil
		}
	}
	names, _ := os.ReadDir(m.register("servers"))
	commit.Net, commit.Addr = "unix", filepath.Join(m.Dir, "s"+strconv.Itoa(os.Getpid())+"."+strconv.Itoa(len(names)))
	return nil, nil
}

// Serve notes the address of a server of the sandbox, as the act that Decide
// returned has it.
func (m *Monitor) Serve(addr string) error {
	return os.WriteFile(m.server(addr), []byte(m.Command), 0o600)
}

func (m *Monitor) server(addr string) string {
	h := fnv.New64a()
	h.Write([]byte(addr))
	return filepath.Join(m.register("servers"), strconv.FormatUint(h.Sum64(), 36))
}

func (m *Monitor) serves(addr string) bool { _, err := os.Stat(m.server(addr)); return err == nil }

func (m *Monitor) serverOf(addr string) string { b, _ := os.ReadFile(m.server(addr)); return string(b) }

func (m *Monitor) sameCommand(pid int) bool {
	return slices.ContainsFunc(m.Entered(), func(p Process) bool { return p.PID == pid && p.Command == m.Command })
}

// socketViolations is about families beyond the internet and unix ones.
func socketViolations(a Act) []violation {
	if a.Name == "" {
		return nil
	}
	return []violation{{guarantee: guarantee.KernelSurface, target: a.Name + " socket"}}
}

// guaranteeOfCall says what a system call would break.
func guaranteeOfCall(name string) guarantee.ID {
	switch name {
	case "chroot", "sethostname":
		return guarantee.NoPrivs
	case "semget", "msgget", "msgrcv", "mq_open":
		return guarantee.IPCConfined
	}
	return guarantee.KernelSurface
}

// mapped reports whether an address is an IPv4 address in the form of IPv6.
func mapped(addr string) bool { return strings.Contains(strings.ToLower(addr), "::ffff:") }

// loopback reports whether an address is one of the loopback in plain form.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && !mapped(addr) && ip != nil && ip.IsLoopback()
}

// family6 reports whether an address is an IPv6 one.
func family6(addr string) bool { return strings.HasPrefix(addr, "[") && !mapped(addr) }
