// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// request is what a command asked for.
type request struct {
	protocol Protocol
	host     hostrule.Host
	port     int
}

// target is the host and the port in one.
func (r request) target() string { return net.JoinHostPort(r.host.String(), strconv.Itoa(r.port)) }

// refusal is why there is no connection. It is told to the command and is the
// decision that is passed on.
type refusal struct {
	decision Decision
	cause    error // of the network
}

// says is the sentence for the command.
func (r *refusal) says() string {
	d := r.decision
	s := "caisson: " + d.Host
	if d.Port != 0 {
		s = "caisson: " + net.JoinHostPort(strings.Trim(d.Host, "[]"), strconv.Itoa(d.Port))
	}
	s += ": " + d.Reason
	if d.Grant != nil {
		s += "; it would be allowed by " + d.Grant.Flags()
	}
	return s
}

// connection is a way to a host, and where it leads through.
type connection struct {
	net.Conn
	via *route // nil for the host itself
}

// connect decides on a request and dials. Each request ends in one decision.
func (p *Proxy) connect(r request, plain bool) (*connection, *refusal) {
	d := Decision{Protocol: r.protocol, Host: r.host.String(), Port: r.port}
	if addr, literal := r.host.Addr(); literal {
		d.Address = addr.String()
	}
	answer := p.config.List.Host(r.host, r.port)
	d.by(p, answer)
	if !answer.OK() {
		return nil, p.deny(d, r, answer)
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.limits.Dial)
	defer cancel()
	via := p.config.Upstream.route(r.target(), plain)
	if via != nil && !r.host.Local() { // its own loopback is what it would take that for
		c, err := via.dial(ctx, r.target(), plain)
		if err != nil {
			return nil, p.fail(d, err)
		}
		d.Verdict = Allowed
		p.decided(d)
		return &connection{c, via}, nil
	}
	addrs, refused := p.addresses(ctx, d, r)
	if refused != nil {
		return nil, refused
	}
	c, err := dialFirst(ctx, addrs, r.port)
	if err != nil {
		d.Address = addrs[0].String()
		return nil, p.fail(d, err)
	}
	d.Verdict = Allowed
	d.Address = remote(c)
	p.decided(d)
	return &connection{Conn: c}, nil
}

func remote(c net.Conn) string {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().String()
	}
	return ""
}

// by notes the rule that decided.
func (d *Decision) by(p *Proxy, a hostrule.Answer) {
	d.Rule, d.Origin = "", ""
	if a.Rule != nil {
		d.Rule = a.Rule.String()
		if p.config.Origin != nil {
			d.Origin = p.config.Origin(*a.Rule)
		}
	}
}

// deny makes and passes on a denial.
func (p *Proxy) deny(d Decision, r request, a hostrule.Answer) *refusal {
	d.Verdict, d.Reason = Denied, a.Reason
	d.by(p, a)
	addr, err := netip.ParseAddr(d.Address)
	value := r.target()
	if a.Listed {
		value = net.JoinHostPort(d.Address, strconv.Itoa(r.port))
	}
	switch {
	case a.Rule != nil:
	case p.config.Final:
		d.Reason += ", and the system policy makes the list final"
	case r.host.Metadata(), hostrule.FromAddr(addr).Metadata():
		d.Reason += "; " + hostrule.NoGrant
	case err == nil && addr.IsUnspecified():
		d.Reason += "; ask for 127.0.0.1"
	case err == nil && addr.IsLoopback(), r.host.Local():
		g := diag.NewGrant(diag.GrantLoopback, strconv.Itoa(r.port))
		d.Grant = &g
	default:
		g := diag.NewGrant(diag.GrantHost, value)
		d.Grant = &g
	}
	p.decided(d)
	return &refusal{decision: d}
}

// fail makes and passes on what the network refused.
func (p *Proxy) fail(d Decision, err error) *refusal {
	d.Verdict, d.Reason = Failed, reasonOf(err)
	p.decided(d)
	return &refusal{decision: d, cause: err}
}

// reasonOf puts an error of the network in words, without what a server said.
func reasonOf(err error) string {
	var name *net.DNSError
	var refused *routeError
	switch {
	case errors.As(err, &refused):
		return refused.Error()
	case errors.As(err, &name) && name.IsNotFound:
		return "the name has no address"
	case errors.As(err, &name):
		return "the name cannot be resolved"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection is refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "the host is out of reach"
	}
	return "the connection fails"
}

// addresses returns the addresses of a listed host that may be dialled.
func (p *Proxy) addresses(ctx context.Context, d Decision, r request) ([]netip.Addr, *refusal) {
	addr, literal := r.host.Addr()
	found := []netip.Addr{addr}
	if !literal {
		resolve := p.config.Resolve
		if resolve == nil {
			resolve = lookup
		}
		var err error
		if found, err = resolve(ctx, r.host.String()); err == nil && len(found) == 0 {
			err = &net.DNSError{IsNotFound: true}
		}
		if err != nil {
			return nil, p.fail(d, err)
		}
	}
	var good []netip.Addr
	var no hostrule.Answer
	for _, a := range found {
		a = a.Unmap()
		answer := p.config.List.Addr(a, r.port)
		if answer.OK() && own(a) {
			answer = p.config.List.Own(a, r.port)
		}
		if answer.OK() {
			good = append(good, a)
		} else if no.OK() {
			no, d.Address = answer, a.WithZone("").String()
		}
	}
	if len(good) == 0 {
		return nil, p.deny(d, r, no)
	}
	return good, nil
}

// lookup asks the system. The dot at the end keeps it from adding domains of
// its own to the name, which would be another name than the one checked. The
// host's own file lists names of one label without that dot, and is asked first.
func lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	if !strings.Contains(name, ".") {
		if found, err := fileOnly().LookupNetIP(ctx, "ip", name); err == nil {
			return found, nil
		}
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name+".")
}

// fileOnly looks names up in the host's file of names, and asks no server.
func fileOnly() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.ErrUnsupported
	}}
}

// own reports whether an address is one of the host's own: then packets to it
// come from it. Nothing is sent to find that out.
func own(addr netip.Addr) bool {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 9)))
	if err != nil {
		return false // there is no way to it, which dialling will say
	}
	defer c.Close()
	local, ok := c.LocalAddr().(*net.UDPAddr)
	return ok && local.AddrPort().Addr().Unmap() == addr
}

// nextDelay is when the next address is tried beside the one before, as RFC
// 8305 has it: an address family that leads nowhere costs no more than that.
const nextDelay = 250 * time.Millisecond

// dialFirst dials addresses in order and returns the first that answers.
func dialFirst(ctx context.Context, addrs []netip.Addr, port int) (net.Conn, error) {
	if len(addrs) > maxAddresses {
		addrs = addrs[:maxAddresses]
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		conn net.Conn
		err  error
	}
	results := make(chan outcome, len(addrs))
	dial := func(addr netip.Addr) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(addr, uint16(port)).String())
		results <- outcome{c, err}
	}
	var first error
	started, ended := 0, 0
	for ended < len(addrs) {
		var more <-chan time.Time
		if started < len(addrs) {
			if started == ended {
				go dial(addrs[started])
				started++
			}
			if started < len(addrs) {
				more = time.After(nextDelay)
			}
		}
		select {
		case <-more:
			go dial(addrs[started])
			started++
		case r := <-results:
			ended++
			if r.err == nil {
				go closeRest(func() net.Conn { return (<-results).conn }, started-ended)
				return r.conn, nil
			}
			if first == nil {
				first = r.err
			}
		}
	}
	return nil, fmt.Errorf("dial: %w", first)
}

// maxAddresses bounds how many addresses of one name are tried.
const maxAddresses = 16

// closeRest closes connections that came too late.
func closeRest(next func() net.Conn, n int) {
	for range n {
		if c := next(); c != nil {
			c.Close()
		}
	}
}
