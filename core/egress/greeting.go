// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// Numbers of TLS, RFC 8446.
const (
	tlsChange      = 20 // kinds of records
	tlsAlert       = 21
	tlsHandshake   = 22
	tlsData        = 23
	tlsClientHello = 1
	tlsServerName  = 0 // the extension, and the kind of name in it
	tlsEarlyData   = 42
	maxRecord      = 1<<14 + 256
	maxHello       = 64 << 10
)

var errGreeting = errors.New("the first bytes are those of TLS and say nothing that is")

// mayGreet decides on the name that a command gives in TLS. A server that
// answers for many names would else answer for those that are not listed. Where
// an address was asked for, the rule for the address has decided, and a name is
// only refused if a rule denies it.
func (p *Proxy) mayGreet(name string, r request) bool {
	if name == "" {
		return true
	}
	d := Decision{Protocol: r.protocol, Host: quoted(name), Port: r.port}
	h, err := hostrule.ParseHost(name)
	if err != nil {
		d.Verdict, d.Reason = Denied, "the name in TLS is none: "+err.Error()
		p.decided(d)
		return false
	}
	if h == r.host {
		return true
	}
	d.Host = h.String()
	decide := p.config.List.Host
	if _, literal := r.host.Addr(); literal {
		decide = p.config.List.Denies
	}
	answer := decide(h, r.port)
	if !answer.OK() {
		answer.Reason = "the name in TLS is another than the one that was asked for, and " + answer.Reason
		p.deny(d, request{r.protocol, h, r.port}, answer)
	}
	return answer.OK()
}

// greeting is what the first message of a client of TLS says.
type greeting struct {
	name  string // of the server; empty where it gives none
	early bool   // data may follow before the server has answered
}

// readGreeting reads the first message of TLS, if that is what comes, and
// returns what it read with what it says.
func readGreeting(in *bufio.Reader) (read []byte, g greeting, err error) {
	first, err := in.Peek(1)
	switch {
	case err != nil:
		return nil, g, err
	case first[0] == tlsAlert || first[0] == tlsChange:
		return nil, g, notBefore(in)
	case first[0] != tlsHandshake:
		return nil, g, nil
	}
	var hello []byte
	for want := 4; len(hello) < want; {
		var record [5]byte
		if _, err := io.ReadFull(in, record[:]); err != nil {
			return nil, g, err
		}
		size := int(binary.BigEndian.Uint16(record[3:]))
		if record[0] != tlsHandshake || record[1] != 3 || size == 0 || size > maxRecord {
			return nil, g, errGreeting
		}
		part := make([]byte, size)
		if _, err := io.ReadFull(in, part); err != nil {
			return nil, g, err
		}
		read = append(append(read, record[:]...), part...)
		if hello = append(hello, part...); len(hello) < 4 {
			continue
		}
		want = 4 + int(binary.BigEndian.Uint32(hello)&0xffffff)
		if hello[0] != tlsClientHello || want > maxHello {
			return nil, g, errGreeting
		}
		if len(hello) > want { // nothing may stand behind it
			return nil, g, errGreeting
		}
	}
	g, ok := parseGreeting(hello[4:])
	if !ok {
		return nil, g, errGreeting
	}
	return read, g, nil
}

// notBefore refuses a record of TLS that would stand before the first message:
// servers pass over such alerts, and would then read a name that was not looked
// at.
func notBefore(in *bufio.Reader) error {
	h, err := in.Peek(5)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if len(h) == 5 && h[1] == 3 && h[3] == 0 && (h[4] == 1 || h[4] == 2) {
		return errGreeting
	}
	return nil
}

// fieldsOf cuts length-prefixed fields off a message of TLS.
type fieldsOf struct {
	rest []byte
	ok   bool
}

// next returns the field behind a length of n bytes.
func (f *fieldsOf) next(n int) []byte {
	size := 0
	for _, b := range f.take(n) {
		size = size<<8 | int(b)
	}
	return f.take(size)
}

func (f *fieldsOf) take(n int) []byte {
	if f.ok = f.ok && n <= len(f.rest); !f.ok {
		return nil
	}
	out := f.rest[:n]
	f.rest = f.rest[n:]
	return out
}

// parseGreeting reads a ClientHello. Two names, or two of the extension, are none.
func parseGreeting(hello []byte) (g greeting, ok bool) {
	f := &fieldsOf{hello, true}
	f.take(2 + 32) // version and random
	f.next(1)      // session
	f.next(2)      // ciphers
	f.next(1)      // compressions
	if f.ok && len(f.rest) == 0 {
		return g, true
	}
	list := &fieldsOf{f.next(2), f.ok}
	if !f.ok || len(f.rest) > 0 {
		return g, false
	}
	seen := false
	for len(list.rest) > 0 {
		kind, body := list.take(2), list.next(2)
		if !list.ok {
			return g, false
		}
		switch binary.BigEndian.Uint16(kind) {
		case tlsEarlyData:
			g.early = true
			continue
		case tlsServerName:
		default:
			continue
		}
		names := &fieldsOf{body, true}
		inner := &fieldsOf{names.next(2), true}
		of, text := inner.take(1), inner.next(2)
		if seen || !names.ok || !inner.ok || len(names.rest)+len(inner.rest) > 0 || of[0] != tlsServerName || len(text) == 0 {
			return g, false
		}
		seen, g.name = true, string(text)
	}
	return g, list.ok
}
