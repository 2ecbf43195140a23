// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// TestSecondGreeting: where a server has a client of TLS greet a second time, the
// second name is decided upon as the first one. What follows a greeting otherwise
// is passed on.
func TestSecondGreeting(t *testing.T) {
	t.Parallel()
	allowed, evil := clientHello(t, "allowed.example"), clientHello(t, "evil.example")
	change, canceled, early := []byte{20, 3, 3, 0, 1, 1}, []byte{21, 3, 3, 0, 2, 1, 90}, []byte{23, 3, 3, 0, 3, 1, 2, 3}
	long := append([]byte{22, 3, 3, 0x40, 0, 1, 1, 0, 0}, make([]byte, 0x4000-4)...)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, c := range []struct {
		name          string
		first, second []byte
		retry, ok     bool
	}{
		{"the same name", allowed, join(change, allowed), true, true},
		{"another listed name", allowed, join(change, clientHello(t, "also.example")), true, true},
		{"the same name behind early data", offersEarly(allowed), join(early, change, allowed), true, true},
		{"a name not listed", allowed, join(change, evil), true, false},
		{"a name not listed, at once", allowed, evil, true, false},
		{"in two records", allowed, split(evil), true, false},
		{"behind an alert", allowed, join(canceled, evil), true, false},
		{"behind early data", offersEarly(allowed), join(early, early, change, evil), true, false},
		{"behind a good second one", allowed, join(change, allowed, evil), true, false},
		{"in a long message", allowed, long, true, false},
		{"a record of nothing", allowed, join([]byte{22, 3, 3, 0, 0}, evil), true, false},
		{"a handshake that is over", allowed, join(change, evil), false, true},
		{"data", allowed, join(change, early, evil), true, true}, // which no server passes over
		{"half a record", allowed, []byte{22, 3}, true, false},
		{"no TLS", allowed, []byte("x"), true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			port, heard := retrying(t, len(c.first), c.retry)
			w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", "also.example", fmt.Sprintf("127.0.0.1:%d", port))}})
			conn, status := w.through(fmt.Sprintf("allowed.example:%d", port))
			if !strings.Contains(status, " 200 ") {
				t.Fatal(status)
			}
			if _, err := conn.Write(join(c.first, c.second)); err != nil {
				t.Fatal(err)
			}
			_ = conn.(*buffered).CloseWrite()
			said := <-heard
			if c.ok && !bytes.Equal(said, c.second) {
				t.Errorf("the server heard %d bytes of %d", len(said), len(c.second))
			}
			if !c.ok && (bytes.Contains(said, []byte("evil")) || len(said) >= len(c.second)) {
				t.Errorf("the server heard %q", said)
			}
		})
	}
}

// retrying is a server that reads a greeting of so many bytes, answers as servers
// of TLS do and tells what it hears then.
func retrying(t *testing.T, size int, retry bool) (port int, heard <-chan []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	random := sha256.Sum256([]byte("HelloRetryRequest"))
	if !retry {
		random = [32]byte{}
	}
	told := make(chan []byte, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.ReadFull(c, make([]byte, size))
		_, _ = c.Write(append([]byte{22, 3, 3, 0, 38, 2, 0, 0, 34, 3, 3}, random[:]...))
		rest, _ := io.ReadAll(c) // a reset is an end too
		told <- rest
	}()
	return l.Addr().(*net.TCPAddr).Port, told
}

// offersEarly adds the extension for early data to a greeting in one record.
func offersEarly(record []byte) []byte {
	out := append(bytes.Clone(record), 0, tlsEarlyData, 0, 0)
	at := 5 + 4 + 2 + 32
	at += 1 + int(out[at])                           // session
	at += 2 + int(binary.BigEndian.Uint16(out[at:])) // ciphers
	at += 1 + int(out[at])                           // compressions
	for _, field := range []int{3, 5 + 2, at} {      // lengths of the record, the message, the extensions
		binary.BigEndian.PutUint16(out[field:], binary.BigEndian.Uint16(out[field:])+4)
	}
	return out
}
