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
	tlsHandshake   = 22
	tlsClientHello = 1
	tlsServerName  = 0 // the extension, and the kind of name in it
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

// readGreeting reads the first message of TLS, if that is what comes, and
// returns what it read with the name of the server that it gives.
func readGreeting(in *bufio.Reader) (read []byte, name string, err error) {
	if first, err := in.Peek(1); err != nil || first[0] != tlsHandshake {
		return nil, "", err
	}
	var hello []byte
	for want := 4; len(hello) < want; {
		var record [5]byte
		if _, err := io.ReadFull(in, record[:]); err != nil {
			return nil, "", err
		}
		size := int(binary.BigEndian.Uint16(record[3:]))
		if record[0] != tlsHandshake || record[1] != 3 || size == 0 || size > maxRecord {
			return nil, "", errGreeting
		}
		part := make([]byte, size)
		if _, err := io.ReadFull(in, part); err != nil {
			return nil, "", err
		}
		read = append(append(read, record[:]...), part...)
		if hello = append(hello, part...); len(hello) < 4 {
			continue
		}
		want = 4 + int(binary.BigEndian.Uint32(hello)&0xffffff)
		if hello[0] != tlsClientHello || want > maxHello {
			return nil, "", errGreeting
		}
		if len(hello) >= want {
			hello = hello[:want]
		}
	}
	name, ok := serverName(hello[4:])
	if !ok {
		return nil, "", errGreeting
	}
	return read, name, nil
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

// serverName returns the name of a ClientHello, empty where it gives none. Two
// of them, or of the extension, are no hello.
func serverName(hello []byte) (name string, ok bool) {
	f := &fieldsOf{hello, true}
	f.take(2 + 32) // version and random
	f.next(1)      // session
	f.next(2)      // ciphers
	f.next(1)      // compressions
	if f.ok && len(f.rest) == 0 {
		return "", true
	}
	list := &fieldsOf{f.next(2), f.ok}
	if !f.ok || len(f.rest) > 0 {
		return "", false
	}
	seen := false
	for len(list.rest) > 0 {
		kind, body := list.take(2), list.next(2)
		if !list.ok {
			return "", false
		}
		if binary.BigEndian.Uint16(kind) != tlsServerName {
			continue
		}
		names := &fieldsOf{body, true}
		inner := &fieldsOf{names.next(2), true}
		of, text := inner.take(1), inner.next(2)
		if seen || !names.ok || !inner.ok || len(names.rest)+len(inner.rest) > 0 || of[0] != tlsServerName || len(text) == 0 {
			return "", false
		}
		seen, name = true, string(text)
	}
	return name, list.ok
}
