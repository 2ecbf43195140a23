// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/caisson-sandbox/caisson/core/egress"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// TestLoopbackThroughProxy: a program that asks the proxy for a granted port of
// the loopback gets it, by the addresses and by the name, and another port is
// not granted thereby.
func TestLoopbackThroughProxy(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello") // whoever reads it notices
			c.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	made := make(chan egress.Decision, 8)
	sb, dir := open(t, func(p *policy.Policy) {
		p.Network.Mode, p.Network.Loopback = policy.Allowlist, []int{port}
	}, &sandbox.Options{Egress: func(d egress.Decision) { made <- d }})
	cmd := sb.Command(t.Context(), "python3", "-c", `
import socket, sys
for target in sys.argv[1:]:
    s = socket.create_connection(("127.0.0.1", 61080))
    s.sendall(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())
    said = b"".join(iter(lambda: s.recv(4096), b""))
    print(said.split()[1].decode(), b"hello" in said)
`, fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("localhost:%d", port), fmt.Sprintf("127.0.0.1:%d", port-1), "localhost:1", "0.0.0.0:1")
	cmd.Dir = dir
	text, err := cmd.Output()
	out := string(text)
	if want := "200 True\n200 True\n403 False\n403 False\n403 False\n"; out != want {
		t.Errorf("%q, %v; want %q", out, err, want)
	}
	close(made)
	grants := []string{}
	for d := range made {
		if d.Grant != nil {
			grants = append(grants, d.Grant.Flags())
		}
	}
	if want := []string{fmt.Sprintf("--allow-loopback %d", port-1), "--allow-loopback 1"}; !slices.Equal(grants, want) {
		t.Errorf("the grants are %q, want %q", grants, want)
	}
}
