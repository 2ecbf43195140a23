// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// Config says what a proxy lets out. The zero value lets nothing out.
type Config struct {
	List hostrule.List
	// Origin says where a rule was written, for decisions; nil says nothing.
	Origin func(hostrule.Rule) string
	// Final says that nothing may be added to the list, so that no grant helps.
	Final bool
	// Decided is called with each decision, from any goroutine. It must not
	// block; nil drops them.
	Decided func(Decision)
	// Upstream is the proxy that the host itself goes through; nil is none.
	Upstream *Upstream
	// Resolve looks up the addresses of a name; nil asks the system's resolver.
	Resolve func(ctx context.Context, name string) ([]netip.Addr, error)
	Limits  Limits
	// User and Password are what a client has to give where others than the
	// commands of the sandbox can reach a listener; an empty Password is none to
	// give. Who does not have them learns that alone, and is no event: nobody
	// else fills the records of a sandbox.
	User, Password string
}

// Limits bound what commands can make a proxy spend. Zero fields mean the
// defaults, which are in parentheses.
type Limits struct {
	Connections int           // served at once (512); more wait in the kernel
	Head        int           // bytes of the head of a request (32 KiB)
	Request     time.Duration // until a request is read (20 s)
	Dial        time.Duration // to resolve and to connect (30 s)
	Idle        time.Duration // without a byte in either direction (1 h)
}

func (l Limits) orDefault() Limits {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	if l.Connections <= 0 {
		l.Connections = 512
	}
	if l.Head <= 0 {
		l.Head = 32 << 10
	}
	set(&l.Request, 20*time.Second)
	set(&l.Dial, 30*time.Second)
	set(&l.Idle, time.Hour)
	return l
}

// Proxy serves listeners of one sandbox. Its methods may be called from any
// goroutine.
type Proxy struct {
	config Config
	limits Limits
	slots  chan struct{}
	ctx    context.Context // ends with Close
	end    context.CancelFunc

	mu      sync.Mutex // guards what follows
	closed  bool
	open    map[closer]bool // listeners and connections
	serving sync.WaitGroup
}

type closer interface{ Close() error }

// New returns a proxy that serves nothing yet.
func New(c Config) *Proxy {
	p := &Proxy{config: c, limits: c.Limits.orDefault(), open: map[closer]bool{}}
	p.slots = make(chan struct{}, p.limits.Connections)
	p.ctx, p.end = context.WithCancel(context.Background())
	return p
}

// Serve answers on a listener in the background, until Close. Each connection
// speaks HTTP or SOCKS5, as its first byte says.
func (p *Proxy) Serve(l net.Listener) { p.accept(l, p.answer) }

// accept hands each connection of a listener to serve, as many at once as the
// limits say.
func (p *Proxy) accept(l net.Listener, serve func(net.Conn)) {
	if !p.hold(l) {
		l.Close()
		return
	}
	p.serving.Go(func() {
		defer p.drop(l)
		for {
			select {
			case p.slots <- struct{}{}:
			case <-p.ctx.Done():
				return
			}
			c, err := l.Accept()
			if err != nil {
				<-p.slots
				if errors.Is(err, net.ErrClosed) || !p.pause() {
					return
				}
				continue
			}
			p.serving.Go(func() {
				defer func() { <-p.slots }()
				if p.hold(c) {
					defer p.drop(c)
					serve(c)
				} else {
					c.Close()
				}
			})
		}
	})
}

// acceptPause is the wait after an accept that failed, as for want of
// descriptors.
const acceptPause = 50 * time.Millisecond

// pause waits a little, and reports whether to go on.
func (p *Proxy) pause() bool {
	select {
	case <-p.ctx.Done():
		return false
	case <-time.After(acceptPause):
		return true
	}
}

// hold notes what Close closes; it reports whether there is still time.
func (p *Proxy) hold(c closer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.open[c] = true
	}
	return !p.closed
}

func (p *Proxy) drop(c closer) {
	p.mu.Lock()
	delete(p.open, c)
	p.mu.Unlock()
	_ = c.Close() // again after Close: an error says so
}

// Close ends all connections and listeners and waits until none is served.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.end()
	for c := range p.open {
		_ = c.Close() // whoever serves it notices
	}
	p.mu.Unlock()
	p.serving.Wait()
}

// answer serves one connection of a command.
func (p *Proxy) answer(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(p.limits.Request)) // fails where reading does
	in := bufio.NewReader(c)
	first, err := in.Peek(1)
	if err != nil {
		return
	}
	switch {
	case first[0] == socksVersion:
		p.answerSOCKS(c, in)
	case first[0] == socks4Version:
		p.refuseSOCKS4(c)
	case !token(string(first)): // TLS, for one: no line of HTTP will follow
		p.malformedHTTP(c, &malformed{400, "the first byte is none of HTTP or SOCKS5"})
	default:
		p.answerHTTP(c, in)
	}
}

// waits gives a client whose request is read the time that dialling may take.
func (p *Proxy) waits(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(p.limits.Dial + p.limits.Request)) // fails where writing does
}

// decided passes a decision on.
func (p *Proxy) decided(d Decision) {
	if p.config.Decided != nil {
		d.Time = time.Now()
		p.config.Decided(d)
	}
}
