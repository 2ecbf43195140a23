// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const dnsPort = 53

// maxLooks bounds how often the table of all sockets is read for one command.
const maxLooks = 1000

// tellUnix tells of a connect to a socket of a path that came to nothing.
func (b *broker) tellUnix(n *notification, name string, errno unix.Errno) {
	if b.told == nil || errno != unix.EACCES && errno != unix.ENOENT {
		return
	}
	if path, found, ok := whereInside(int(n.pid), unix.AT_FDCWD, name, true); ok {
		b.told(Attempt{Source: "broker", Act: ActConnect, Path: path, Found: found})
	}
}

// tellInternet tells of a connect to an address that came to nothing in a
// network of the sandbox's own. Of datagrams only those to name servers count:
// resolvers connect others to learn which address they would have.
func (b *broker) tellInternet(socket int, addr []byte, errno unix.Errno) {
	if b.told == nil || b.network {
		return
	}
	to, ok := internetAddress(addr)
	if !ok {
		return
	}
	a := Attempt{Source: "broker", Act: ActConnect, Address: to.String()}
	switch kind, _ := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_TYPE); {
	case kind == unix.SOCK_STREAM:
	case kind == unix.SOCK_DGRAM && to.Port() == dnsPort:
		a.Act = ActLookup
	default:
		return
	}
	switch {
	case to.Addr().IsLoopback() || to.Addr().IsUnspecified():
		if a.Act == ActLookup || errno != unix.ECONNREFUSED && !(errno == unix.EINPROGRESS && failsSoon(socket)) {
			return
		}
		if b.looks.Add(1) > maxLooks {
			return
		}
		if a.Listening = listensOutside(to.Port()); !a.Listening {
			return // nothing is there without a sandbox either
		}
	case errno != unix.ENETUNREACH && errno != unix.EHOSTUNREACH && errno != unix.EADDRNOTAVAIL:
		return
	}
	b.told(a)
}

// failsSoon reports whether a connect in progress has failed. On a loopback that
// is known at once; to poll does not take the error from the command.
func failsSoon(socket int) bool {
	fds := []unix.PollFd{{Fd: int32(socket), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 1)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLERR != 0
}

// internetAddress reads a struct sockaddr_in or sockaddr_in6.
func internetAddress(addr []byte) (netip.AddrPort, bool) {
	if len(addr) < 8 {
		return netip.AddrPort{}, false
	}
	port := binary.BigEndian.Uint16(addr[2:])
	switch family := binary.NativeEndian.Uint16(addr); {
	case family == unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(addr[4:8])), port), true
	case family == unix.AF_INET6 && len(addr) >= 24:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(addr[8:24])).Unmap(), port), true
	}
	return netip.AddrPort{}, false
}

// listensOutside reports whether a TCP socket of the caller's network listens on
// a port, see proc_pid_net(5).
func listensOutside(port uint16) bool {
	const listen = "0A"
	want := fmt.Sprintf(":%04X", port)
	for _, name := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile("/proc/self/net/" + name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 3 && f[3] == listen && strings.HasSuffix(f[1], want) {
				return true
			}
		}
	}
	return false
}
