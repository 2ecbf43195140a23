// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"net"
	"strconv"
	"time"
)

// Relay passes each connection to a listener on to what dial reaches, in the
// background, until Close. It is for granted ports: nothing is decided, and
// nothing is read. Told is called before each connection; nil is for none.
func (p *Proxy) Relay(l net.Listener, dial func(context.Context) (net.Conn, error), told func(err error)) {
	p.accept(l, func(c net.Conn) {
		ctx, cancel := context.WithTimeout(p.ctx, p.limits.Dial)
		to, err := dial(ctx)
		cancel()
		if told != nil {
			told(err)
		}
		if err != nil {
			reset(c)
			return
		}
		defer to.Close()
		if !p.hold(to) {
			return
		}
		defer p.drop(to)
		t := p.pair(c, to)
		defer t.end()
		done := make(chan struct{})
		p.serving.Go(func() {
			defer close(done)
			t.copy(c, to)
		})
		t.copy(to, c)
		<-done
	})
}

// reset ends a connection as one that nobody listens for.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it is closed in any case
	}
}

// Relayed is the decision of a connection to a granted port of the host's
// loopback, which ended with err.
func Relayed(host string, port int, err error) Decision {
	d := Decision{Time: time.Now(), Protocol: Loopback, Host: host, Port: port, Address: host, Verdict: Allowed, Rule: strconv.Itoa(port)}
	if err != nil {
		d.Verdict, d.Reason = Failed, reasonOf(err)
	}
	return d
}
