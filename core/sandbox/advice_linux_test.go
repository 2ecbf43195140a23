// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// TestTracedRemoval: what can be granted by its own name alone cannot be removed
// or renamed under such a grant, and none is proposed for that.
func TestTracedRemoval(t *testing.T) {
	t.Parallel()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Skip(err)
	}
	f, err := os.CreateTemp(home, ".caisson-test-")
	if err != nil {
		t.Skip(err)
	}
	f.Close()
	t.Cleanup(func() { os.Remove(f.Name()) })
	path, err := filepath.EvalSymlinks(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(outside(t), "file")
	if err := os.WriteFile(below, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, grants := range [][]string{nil, {path, below}} {
		sb, dir := traced(t, func(p *policy.Policy) { p.Files.Write = append(p.Files.Write, grants...) }, nil)
		r := denials(t, sb, dir, `rm -f "$1"; mv "$1" "$1.moved"; rm -f "$2"; echo kept > "$1"`, path, below)
		if d := named(r, "remove", path); d == nil || d.Grant != nil || d.Count != 2 || !strings.Contains(d.Remedy, "not removed or renamed") {
			t.Errorf("granted %q: %+v", grants, r.Denials)
		}
		if d := named(r, "remove", below); d == nil || d.Grant == nil || d.Grant.Value != filepath.Dir(below) {
			t.Errorf("granted %q: %+v", grants, r.Denials)
		}
		if text, err := os.ReadFile(path); err != nil || (string(text) == "kept\n") != (grants != nil) || (named(r, "write", path) == nil) != (grants != nil) {
			t.Errorf("granted %q: the control: %q, %v, %+v", grants, text, err, r.Denials)
		}
	}
}

// TestDeniedWays: where a grant would open everything, or the name is not known,
// none is given, and the way to one is told.
func TestDeniedWays(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	var ports []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	}
	sb, dir := open(t, nil, &sandbox.Options{Environ: append(os.Environ(), "HTTPS_PROXY=http://127.0.0.1:"+ports[0], "https_proxy=", "no_proxy=", "NO_PROXY=")})
	r := denials(t, sb, dir, `python3 -c '
import socket, sys
for port in sys.argv[1:]:
    try: socket.create_connection(("127.0.0.1", int(port)))
    except OSError: pass
try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.53", 53))
except OSError: pass
' "$1" "$2"`, ports...)
	for _, c := range []struct {
		operation, target, remedy string
		grant                     bool
	}{
		{"connect", "net:127.0.0.1:" + ports[0], "the proxy of the host, which leads everywhere; --net allowlist", false},
		{"connect", "net:127.0.0.1:" + ports[1], "--allow-loopback " + ports[1], true},
		{"lookup", "net:192.0.2.53:53", "run it with --net allowlist to see which hosts", false},
	} {
		if d := named(r, c.operation, c.target); d == nil || (d.Grant != nil) != c.grant || !strings.Contains(d.Remedy, c.remedy) {
			t.Errorf("%s: %+v", c.target, r.Denials)
		}
	}
}

// TestExplainGrant: what may not be written, and could be, has the grant that
// allows it; what is in the workspace has none.
func TestExplainGrant(t *testing.T) {
	t.Parallel()
	out := outside(t)
	sb, dir := open(t, nil, nil)
	e, err := sb.Explain(filepath.Join(out, "new"))
	if err != nil || !*e.Read || *e.Write || e.Grant == nil || e.Grant.Flags() != "--write "+out {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err = sb.Explain(filepath.Join(dir, "new")); err != nil || !*e.Write || e.Grant != nil {
		t.Errorf("%+v, %v", e, err)
	}
}
