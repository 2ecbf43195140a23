// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// packetActs send one packet each to the address args[0], with args[1] in it, by
// something that is neither TCP nor plain UDP to one host.
func packetActs() map[string]act {
	send := func(network string, before ...byte) act {
		return func(args []string) error {
			c, err := net.Dial(network, args[0])
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.Write(append(before[:len(before):len(before)], args[1]...))
			return err
		}
	}
	return map[string]act{
		"packet by an own protocol": send("ip4:253"),                          // for experiments, RFC 3692
		"packet by ICMP":            send("ip4:icmp", 8, 0, 0, 0, 0, 1, 0, 1), // RFC 792; a raw socket hears what has no right sum too
		"packet by ICMPv6":          send("ip6:ipv6-icmp", 128, 0, 0, 0, 0, 1, 0, 1),
		"packet by raw UDP":         send("ip4:udp", 0, 9, 0, 9, 0, 0, 0, 0),
		"packet by raw SCTP":        send("ip4:132", 0, 9, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0), // ports, tag, sum: RFC 9260
		"packet to a group":         send("udp4"),
		"packet to all":             broadcast,
		"packet by UDP-Lite":        lite,
		"message by SCTP":           message,
		"packet by the device":      frame,
	}
}

// broadcast needs an option that net.Dial sets by itself only for UDP.
func broadcast(args []string) error { return datagram(unix.SOCK_DGRAM, 0, args) }

// lite sends by UDP-Lite, RFC 3828.
func lite(args []string) error { return datagram(unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE, args) }

// message sends by SCTP, whose sockets of this kind connect by themselves; see
// sctp(7).
func message(args []string) error { return datagram(unix.SOCK_SEQPACKET, unix.IPPROTO_SCTP, args) }

func datagram(kind, protocol int, args []string) error {
	a, err := net.ResolveUDPAddr("udp4", args[0])
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, kind, protocol)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1); err != nil {
		return err
	}
	to := &unix.SockaddrInet4{Port: a.Port}
	copy(to.Addr[:], a.IP.To4())
	return unix.Sendto(fd, []byte(args[1]), 0, to)
}

// frame writes a packet of an unassigned protocol to the loopback device, past
// all of IP (packet(7)).
func frame(args []string) error {
	const kind = 0x88b5 // for experiments, IEEE 802
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	return unix.Sendto(fd, []byte(args[1]), 0, &unix.SockaddrLinklayer{Protocol: kind>>8 | kind&0xff<<8, Ifindex: lo.Index, Halen: 6})
}

// packetEar keeps what arrives at the host.
type packetEar struct {
	mu  sync.Mutex
	all []byte
}

func (e *packetEar) heard(mark string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return bytes.Contains(e.all, []byte(mark))
}

// waits waits for a packet that must come.
func (e *packetEar) waits(mark string) bool {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if e.heard(mark) {
			return true
		}
	}
	return false
}

func (e *packetEar) listen(t *testing.T, open func() (fd int, address string, err error)) string {
	t.Helper()
	fd, address, err := open()
	if err != nil {
		t.Skipf("SKIPPED: this host, or this user, has no such listener: %v", err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 2048)
		for {
			select {
			case <-stop:
				return
			default:
			}
			k, _, err := unix.Recvfrom(fd, b, 0)
			if err == nil && bytes.Contains(b[:k], []byte("EVIL")) {
				e.mu.Lock()
				e.all = append(e.all, b[:k]...)
				e.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done; unix.Close(fd) })
	return address
}

// rawIn opens a raw socket, which hears what comes by a protocol.
func rawIn(family, protocol int, address string) func() (int, string, error) {
	return func() (int, string, error) {
		fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
		return fd, address, err
	}
}

// boundIn opens a socket for datagrams, or for messages of SCTP, at a free port,
// which to is written with.
func boundIn(protocol int, at [4]byte, to string, group *unix.IPMreq) func() (int, string, error) {
	return func() (int, string, error) {
		kind := unix.SOCK_DGRAM
		if protocol == unix.IPPROTO_SCTP {
			kind = unix.SOCK_SEQPACKET
		}
		fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, protocol)
		if err != nil {
			return -1, "", err
		}
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: at})
		if err == nil && kind == unix.SOCK_SEQPACKET {
			err = unix.Listen(fd, 8)
		}
		if err == nil && group != nil {
			err = unix.SetsockoptIPMreq(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, group)
		}
		if err != nil {
			unix.Close(fd)
			return -1, "", err
		}
		name, err := unix.Getsockname(fd)
		if err != nil {
			return fd, "", err
		}
		return fd, fmt.Sprintf("%s:%d", to, name.(*unix.SockaddrInet4).Port), nil
	}
}

func deviceIn() (int, string, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(0xb588))
	return fd, "lo", err
}

// TestPackets reaches for the host by other protocols than those of TestNetwork.
// Most need a user who may make raw sockets.
func TestPackets(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	boxes := s.networks(t)
	group := &unix.IPMreq{Multiaddr: [4]byte{239, 255, 77, 77}}
	tests := map[string]func() (int, string, error){
		"packet by an own protocol": rawIn(unix.AF_INET, 253, "127.0.0.1"),
		"packet by ICMP":            rawIn(unix.AF_INET, unix.IPPROTO_ICMP, "127.0.0.1"),
		"packet by ICMPv6":          rawIn(unix.AF_INET6, unix.IPPROTO_ICMPV6, "::1"),
		"packet by raw UDP":         rawIn(unix.AF_INET, unix.IPPROTO_UDP, "127.0.0.1"),
		"packet to a group":         boundIn(0, [4]byte{}, "239.255.77.77", group),
		"packet to all":             boundIn(0, [4]byte{}, "255.255.255.255", nil),
		"packet by raw SCTP":        rawIn(unix.AF_INET, unix.IPPROTO_SCTP, "127.0.0.1"),
		"message by SCTP":           boundIn(unix.IPPROTO_SCTP, [4]byte{127, 0, 0, 1}, "127.0.0.1", nil),
		"packet by UDP-Lite":        boundIn(unix.IPPROTO_UDPLITE, [4]byte{127, 0, 0, 1}, "127.0.0.1", nil),
		"packet by the device":      deviceIn,
	}
	for id, open := range tests {
		t.Run(id, func(t *testing.T) {
			ear := &packetEar{}
			address := ear.listen(t, open)
			if said := s.plain(id, address, "EVIL-first"); said != "" {
				t.Skipf("SKIPPED: this host, or this user, has no way to send one: %s", said)
			}
			if !ear.waits("EVIL-first") {
				t.Fatal("the bait is broken: nothing arrived without a sandbox")
			}
			for mode, sb := range boxes {
				said := s.inside(sb, id, address, "EVIL-inside")
				last := "EVIL-last-" + mode // behind it comes none that was sent before
				if said := s.plain(id, address, last); said != "" || !ear.waits(last) {
					t.Fatalf("the host's own packet did not arrive: %s", said)
				}
				if ear.heard("EVIL-inside") {
					t.Errorf("%s: the host was reached (%s)", mode, said)
				}
			}
		})
	}
}
