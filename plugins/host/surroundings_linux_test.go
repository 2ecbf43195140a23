// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-sandbox/caisson/plugins/protocol"
)

// TestSurroundings: a plugin gets no descriptor that the host inherited, no
// variable of the host's, no terminal, and a directory for its socket that only
// the caller can enter, wherever TMPDIR leads. It runs alone: the descriptor is
// inherited by every child until a plugin is started.
func TestSurroundings(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(secret, syscall.O_RDWR, 0) // inherited by children
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	t.Setenv("SECRET_OF_THE_HOST", "x")
	t.Setenv("TMPDIR", t.TempDir())
	out, err := exec.Command("sh", "-c", "ls -l /proc/self/fd; env").CombinedOutput() // the control
	if err != nil || !strings.Contains(string(out), secret) || !strings.Contains(string(out), "SECRET_OF_THE_HOST") {
		t.Fatalf("an ordinary child has neither: %v, %s", err, out)
	}
	p, err := start(t, "good-looks", Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(p.plugin.Path + ".says")
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"HOME", "LANG", "PATH", "TEMP", "TMP", "TMPDIR"}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		switch {
		case f[0] == "terminal":
			t.Error("it has a terminal")
		case f[0] == "directory" && f[1] != "/":
			t.Errorf("it is in %s", f[1])
		case f[0] == "descriptor" && strings.Contains(line, secret):
			t.Error("it has a descriptor that the host inherited")
		case f[0] == "variable" && !slices.Contains(known, f[1]) && !strings.HasPrefix(f[1], "PLUGIN_") && f[1] != protocol.CookieKey:
			t.Errorf("it has the variable %s", f[1])
		}
	}
	info, err := os.Stat(p.socket.path)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory of its socket: %v, %v", info.Mode(), err)
	}
	if strings.HasPrefix(p.socket.path, os.Getenv("TMPDIR")) {
		t.Errorf("its socket is at %s", p.socket.path)
	}
}
