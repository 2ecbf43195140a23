// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// pair is two connections between which bytes go. Both end when neither has
// brought a byte for the idle time.
type pair struct {
	a, b net.Conn
	idle time.Duration
	last atomic.Int64 // when a byte came, in nanoseconds of the monotonic clock
	born time.Time
	once sync.Once
}

func (p *Proxy) pair(a, b net.Conn) *pair {
	return &pair{a: a, b: b, idle: p.limits.Idle, born: time.Now()}
}

// end closes both.
func (t *pair) end() {
	t.once.Do(func() {
		_ = t.a.Close() // whoever reads notices
		_ = t.b.Close()
	})
}

func (t *pair) touch() { t.last.Store(int64(time.Since(t.born))) }

// quiet reports whether the idle time has passed.
func (t *pair) quiet() bool { return time.Since(t.born)-time.Duration(t.last.Load()) >= t.idle }

// tunnel passes bytes between a command and a host until both are done. The
// first bytes of the command are looked at: see greeting.
func (p *Proxy) tunnel(c net.Conn, in *bufio.Reader, to net.Conn, r request) {
	t := p.pair(c, to)
	defer t.end()
	done, heard := make(chan struct{}), newAnswer(to)
	p.serving.Go(func() {
		defer close(done)
		defer heard.end()
		t.copy(c, heard)
	})
	if p.begin(t, in, heard, r) {
		t.copy(to, c)
	} else {
		t.end()
	}
	<-done
}

// begin passes on the first bytes of a command, with all that was read already.
// It reports whether to go on.
func (p *Proxy) begin(t *pair, in *bufio.Reader, to *answer, r request) bool {
	_ = t.a.SetDeadline(time.Time{})
	_ = t.a.SetReadDeadline(time.Now().Add(p.limits.Idle)) // fails where reading does
	if _, err := in.Peek(1); err != nil {
		return errors.Is(err, io.EOF) // the host may have more to say
	}
	_ = t.a.SetReadDeadline(time.Now().Add(p.limits.Request))
	read, g, err := readGreeting(in)
	if err != nil || !p.mayGreet(g.name, r) {
		return false
	}
	if _, err := to.Write(read); err != nil {
		return false
	}
	if read != nil {
		rest := t.reader(in, t.a)
		if !p.followGreeting(rest, to, g, r) || !flush(to, rest) {
			return false
		}
	}
	return flush(to, in)
}

// flush passes on what was read already and not looked at.
func flush(to io.Writer, in *bufio.Reader) bool {
	rest, _ := in.Peek(in.Buffered())
	_, err := to.Write(rest)
	return err == nil
}

// chunk is how much is passed on at once. Copies of this size are faster on a
// loopback than splice(2) is, see docs/benchmarks.md, and hold no pipes.
const chunk = 32 << 10

// copy passes bytes on in one direction, and the end of them.
func (t *pair) copy(to, from net.Conn) {
	plain := struct{ io.Writer }{to} // its own ways to copy would go round the idle time
	if _, err := io.CopyBuffer(plain, &touching{t, from, from}, make([]byte, chunk)); err != nil {
		t.end()
		return
	}
	if w, ok := to.(interface{ CloseWrite() error }); !ok || w.CloseWrite() != nil {
		t.end()
	}
}

// reader is src, which reads from a connection of the pair, with the idle time.
func (t *pair) reader(src io.Reader, from net.Conn) *bufio.Reader {
	return bufio.NewReader(&touching{t, src, from})
}

type touching struct {
	pair *pair
	src  io.Reader
	from net.Conn
}

func (r *touching) Read(b []byte) (int, error) {
	for {
		_ = r.from.SetReadDeadline(time.Now().Add(r.pair.idle)) // fails where reading does
		n, err := r.src.Read(b)
		if n > 0 {
			r.pair.touch()
		}
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && !r.pair.quiet() {
			continue
		}
		return n, err
	}
}
