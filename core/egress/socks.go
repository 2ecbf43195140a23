// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// Numbers of SOCKS5, RFC 1928.
const (
	socksVersion     = 5
	socksNoAuth      = 0
	socksNoMethod    = 0xff
	socksConnect     = 1
	socksIPv4        = 1
	socksName        = 3
	socksIPv6        = 4
	socksOK          = 0
	socksFailed      = 1
	socksDenied      = 2
	socksUnreachable = 4
	socksRefused     = 5
	socksNoCommand   = 7
	socksNoAddress   = 8
)

// Numbers of SOCKS4, which OpenSSH documents as socks4.protocol.
const (
	socks4Version  = 4
	socks4Rejected = 91
)

// refuseSOCKS4 answers what asks by SOCKS4 or 4a, which have no addresses of
// IPv6 and no password, without a look at what it asks for.
func (p *Proxy) refuseSOCKS4(c net.Conn) {
	if p.config.Password == "" { // else it may be anybody's
		p.decided(Decision{Protocol: SOCKS, Verdict: Denied, Reason: "SOCKS4 is not spoken here; SOCKS5 is, with names (socks5h)"})
	}
	_, _ = c.Write([]byte{0, socks4Rejected, 0, 0, 0, 0, 0, 0}) // the client may have gone
	linger(c)
}

// answerSOCKS serves one connection of SOCKS5; of the commands only CONNECT.
func (p *Proxy) answerSOCKS(c net.Conn, in *bufio.Reader) {
	if !p.greetSOCKS(c, in) {
		return
	}
	r, host, reply, err := readSOCKS(in)
	if err != nil {
		if reply != 0 {
			p.decided(Decision{Protocol: SOCKS, Host: host, Port: r.port, Verdict: Denied, Reason: err.Error()})
			saySOCKS(c, reply)
		}
		return
	}
	p.waits(c)
	to, refused := p.connect(r, false)
	if refused != nil {
		saySOCKS(c, socksReply(refused))
		return
	}
	defer to.Close()
	if !p.hold(to) {
		return
	}
	defer p.drop(to)
	if saySOCKS(c, socksOK) != nil {
		return
	}
	p.tunnel(c, in, to.Conn, r)
}

// greetSOCKS reads which methods a client has and chooses the one without a name
// and password, or, where the proxy asks for them, the one with.
func (p *Proxy) greetSOCKS(c net.Conn, in *bufio.Reader) bool {
	var begin [2]byte
	if _, err := io.ReadFull(in, begin[:]); err != nil {
		return false
	}
	methods := make([]byte, begin[1])
	if _, err := io.ReadFull(in, methods); err != nil {
		return false
	}
	method := byte(socksNoAuth)
	if p.config.Password != "" {
		method = socksLogin
	}
	if !slices.Contains(methods, method) {
		_, _ = c.Write([]byte{socksVersion, socksNoMethod}) // it ends in any case
		return false
	}
	if _, err := c.Write([]byte{socksVersion, method}); err != nil {
		return false
	}
	return method == socksNoAuth || p.admitSOCKS(c, in)
}

// readSOCKS reads a request. Where that fails, host is what there is to say of
// it and reply the number to answer with, 0 where the client is gone.
func readSOCKS(in *bufio.Reader) (r request, host string, reply byte, err error) {
	r.protocol = SOCKS
	var b [4]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return r, "", 0, err
	}
	if b[0] != socksVersion || b[2] != 0 {
		return r, "", socksFailed, errors.New("the request is none of SOCKS5")
	}
	var name []byte
	switch b[3] {
	case socksIPv4, socksIPv6:
		name = make([]byte, 4)
		if b[3] == socksIPv6 {
			name = make([]byte, 16)
		}
	case socksName:
		length, err := in.ReadByte()
		if err != nil {
			return r, "", 0, err
		}
		name = make([]byte, length)
	default:
		return r, "", socksNoAddress, errors.New("the request has an unknown kind of address")
	}
	var port [2]byte
	if _, err := io.ReadFull(in, name); err != nil {
		return r, "", 0, err
	}
	if _, err := io.ReadFull(in, port[:]); err != nil {
		return r, "", 0, err
	}
	text := string(name)
	if b[3] != socksName {
		addr, _ := netip.AddrFromSlice(name)
		text = addr.String()
	}
	r.port = int(binary.BigEndian.Uint16(port[:]))
	if b[1] != socksConnect {
		return r, quoted(text), socksNoCommand, errors.New("SOCKS5 is for CONNECT here, no other command")
	}
	if r.port == 0 {
		return r, quoted(text), socksDenied, errors.New("the port is not among 1 to 65535")
	}
	if r.host, err = hostrule.ParseHost(text); err != nil {
		return r, quoted(text), socksDenied, err
	}
	return r, "", 0, nil
}

func socksReply(r *refusal) byte {
	switch {
	case r.decision.Verdict == Denied:
		return socksDenied
	case errors.Is(r.cause, syscall.ECONNREFUSED):
		return socksRefused
	}
	return socksUnreachable
}

// saySOCKS answers a request; of the address, which is not told, there is 0.
func saySOCKS(c net.Conn, reply byte) error {
	_, err := c.Write([]byte{socksVersion, reply, 0, socksIPv4, 0, 0, 0, 0, 0, 0})
	return err
}
