// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// TestFailures are answers of the network that are no denials.
func TestFailures(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := closed.Addr().(*net.TCPAddr).Port
	closed.Close()
	w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "allowed.example", "127.0.0.1")}})
	if _, s := w.through(fmt.Sprintf("allowed.example:%d", port)); !strings.Contains(s, " 502 ") {
		t.Errorf("a closed port: %s", s)
	}
	if _, r := w.socks(socksName, []byte("allowed.example"), port); r != socksRefused {
		t.Errorf("a closed port: reply %d", r)
	}
	w.answers = func(string) []netip.Addr { return nil }
	if _, s := w.through("allowed.example:1"); !strings.Contains(s, " 502 ") {
		t.Errorf("a name without addresses: %s", s)
	}
	for _, d := range w.decisions() {
		if d.Verdict != Failed || d.Grant != nil || d.Reason == "" {
			t.Errorf("%+v", d)
		}
	}
}

// TestClose ends what goes on, and nothing is served afterwards.
func TestClose(t *testing.T) {
	t.Parallel()
	port, _ := greeter(t, "tcp4", "127.0.0.1:0")
	w := newWorld(t, Config{List: hostrule.List{Allow: rules(t, "127.0.0.1")}})
	c, _ := w.through(fmt.Sprintf("127.0.0.1:%d", port))
	if got := word(t, c); got != "hello" {
		t.Fatal(got)
	}
	w.proxy.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Error("a tunnel outlives the proxy")
	}
	if c, err := net.Dial("tcp", w.addr); err == nil {
		c.Close()
		t.Error("the proxy listens after Close")
	}
}
