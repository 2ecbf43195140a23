// SPDX-License-Identifier: Apache-2.0

//go:build unix

package policy

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

func TestReadFileOfSpecialFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ReadFile(fifo, nil) // nobody writes: a reader that waits would never return
	wantRefusal(t, err, diag.PolicyInvalid, "fifo is a FIFO; name a regular file")
	_, err = ReadFile("/dev/zero", nil)
	wantRefusal(t, err, diag.PolicyInvalid, "/dev/zero is a device or terminal")
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = ReadFile(filepath.Join(dir, "s"), nil)
	wantRefusal(t, err, diag.PolicyInvalid, "s is a socket")
	zero, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer zero.Close()
	_, err = ReadFile("-", zero)
	wantRefusal(t, err, diag.PolicyInvalid, "standard input is a device or terminal")
}

func TestReadFileUnreadable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root reads every file")
	}
	path := writeFile(t, t.TempDir(), "p", "version = 1")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := ReadFile(path, nil)
	wantRefusal(t, err, diag.PolicyInvalid, "p cannot be read: permission denied")
}

func TestVouch(t *testing.T) {
	t.Parallel()
	me := uint32(os.Geteuid())
	base := realTempDir(t)
	path := writeFile(t, base, "etc/caisson/policy.toml", "version = 1")
	link := filepath.Join(base, "link")
	if err := os.Symlink("etc/../etc/caisson/policy.toml", link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, link} {
		if err := vouchFor(p, me); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if err := vouchFor(p, me+1); me != 0 && err == nil {
			t.Errorf("%s is vouched for though it belongs to somebody else", p)
		}
	}
	chmod := func(p string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		path      string
		bad, good os.FileMode
	}{
		"file, others":     {path, 0o646, 0o644},
		"file, group":      {path, 0o664, 0o644},
		"directory, group": {filepath.Dir(path), 0o775, 0o755},
		"above, others":    {filepath.Join(base, "etc"), 0o757, 0o755},
	} {
		chmod(c.path, c.bad)
		for _, p := range []string{path, link} {
			if err := vouchFor(p, me); err == nil {
				t.Errorf("%s: %s is vouched for", name, p)
			}
		}
		chmod(c.path, c.good)
	}
	loop := filepath.Join(base, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if err := vouchFor(loop, me); err == nil {
		t.Error("a loop of links is vouched for")
	}
	// The directory of a link on the way counts, not only that of the target.
	open := filepath.Join(base, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(open, "hop")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("open/hop", filepath.Join(base, "first")); err != nil {
		t.Fatal(err)
	}
	chmod(open, 0o777)
	if err := vouchFor(filepath.Join(base, "first"), me); err == nil {
		t.Error("a link through a directory that others write is vouched for")
	}
}
