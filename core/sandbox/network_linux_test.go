// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/caisson-sandbox/caisson/core/audit"
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

// asks is a program that asks the proxy for tunnels to its arguments, and with
// the first one "on" for hosts that differ until it is killed.
const asks = `
import itertools, socket, sys, time
def ask(host):
    with socket.create_connection(("127.0.0.1", 61080)) as s:
        s.sendall(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
        while s.recv(4096): pass
if sys.argv[1] == "on":
    for i in itertools.count():
        ask(f"h{i}.example")
for host in sys.argv[1:]:
    ask(host)
`

// TestDenialsOfOneCommand: a command is told what was denied while it ran, and
// not what was to those before it.
func TestDenialsOfOneCommand(t *testing.T) {
	t.Parallel()
	sb, dir := open(t, func(p *policy.Policy) { p.Network.Mode = policy.Allowlist }, nil)
	for _, c := range []struct{ script, want string }{
		{`python3 -c "$1" a.example`, "net:a.example:443 1 "},
		{"true", ""},
		{`python3 -c "$1" a.example b.example`, "net:a.example:443 1 net:b.example:443 1 "},
	} {
		got := ""
		for _, d := range denials(t, sb, dir, c.script, asks).Denials {
			got += fmt.Sprintf("%s %d ", d.Target, d.Count)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.script, got, c.want)
		}
	}
}

// TestAuditAfterTheLastCommand: what a command leaves behind may ask the proxy
// after its end, and the audit file says so when the sandbox is closed.
func TestAuditAfterTheLastCommand(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "audit")
	made := make(chan egress.Decision)
	gone := make(chan struct{})
	sb, dir := open(t, func(p *policy.Policy) {
		p.Network.Mode, p.Audit = policy.Allowlist, []string{file}
	}, &sandbox.Options{Egress: func(d egress.Decision) {
		select {
		case made <- d:
		case <-gone:
		}
	}})
	denials(t, sb, dir, `python3 -c "$1" on >/dev/null 2>&1 &`, asks)
	late := ""
	for range 2 { // the first may have been made before the end
		late = (<-made).Host
	}
	close(gone)
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Verify(bytes.NewReader(text), ""); err != nil {
		t.Error(err)
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte{'\n'})
	if last := lines[len(lines)-1]; !bytes.Contains(last, []byte(`"event":"close"`)) || !bytes.Contains(last, []byte(late)) {
		t.Errorf("%s is not in the last of %d records: %s", late, len(lines), last)
	}
}
