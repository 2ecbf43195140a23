// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
)

// Where the random bytes of a server of TLS stand in what it says first: behind
// the head of a record, that of a message and the version.
const (
	tlsServerHello = 2
	randomAt       = 5 + 4 + 2
	answerSize     = randomAt + sha256.Size
)

// answer is a host whose first bytes are kept: they say whether it wants a client
// of TLS to greet a second time.
type answer struct {
	net.Conn
	first []byte // of who reads, until known
	known chan struct{}
	once  sync.Once
}

func newAnswer(to net.Conn) *answer { return &answer{Conn: to, known: make(chan struct{})} }

func (a *answer) Read(b []byte) (int, error) {
	n, err := a.Conn.Read(b)
	if more := answerSize - len(a.first); more > 0 {
		a.first = append(a.first, b[:min(n, more)]...)
		if len(a.first) == answerSize {
			a.end()
		}
	}
	return n, err
}

// end says that no more will be read.
func (a *answer) end() { a.once.Do(func() { close(a.known) }) }

// retries waits for the answer and reports whether it asks for a second greeting:
// then its random bytes are a hash that says so (RFC 8446, 4.1.3, and ADR 69).
func (a *answer) retries() bool {
	<-a.known
	random := sha256.Sum256([]byte("HelloRetryRequest"))
	return len(a.first) == answerSize && a.first[0] == tlsHandshake && a.first[5] == tlsServerHello && bytes.Equal(a.first[randomAt:], random[:])
}

// passed reports whether the answer is there and asks for no second greeting.
func (a *answer) passed() bool {
	select {
	case <-a.known:
		return !a.retries()
	default:
		return false
	}
}

// followGreeting passes on what a client of TLS says until it can name no server
// any more. A second greeting stands behind records that mean nothing by themselves
// or, where the first one spoke of it, behind data that a server which asks for a
// second one passes over (RFC 8446, 4.2.10). Some servers go by the second name. It
// reports whether to go on.
func (p *Proxy) followGreeting(in *bufio.Reader, to *answer, g greeting, r request) bool {
	for !to.passed() {
		kind, err := in.Peek(1)
		if err != nil {
			return errors.Is(err, io.EOF) // the host may have more to say
		}
		switch kind := kind[0]; {
		case kind == tlsHandshake:
			if !to.retries() {
				return true
			}
			read, again, err := readGreeting(in)
			if err != nil || !p.mayGreet(again.name, r) {
				return false
			}
			if _, err := to.Write(read); err != nil {
				return false
			}
		case kind == tlsChange, kind == tlsAlert, kind == tlsData && g.early:
			if !passRecord(to.Conn, in) {
				return false
			}
		default:
			return true
		}
	}
	return true
}

// passRecord passes on one record of TLS.
func passRecord(to io.Writer, in *bufio.Reader) bool {
	h, err := in.Peek(5)
	if err != nil {
		return false
	}
	_, err = io.CopyN(to, in, 5+int64(binary.BigEndian.Uint16(h[3:])))
	return err == nil
}
