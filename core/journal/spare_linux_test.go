// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// retired makes a record and ends it as a guardian does, and returns its inode.
func retired(t *testing.T, d *Dir, path string) uint64 {
	t.Helper()
	fd, err := d.Begin(Record{Path: path, Kind: KindDir})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	if err := unix.Renameat(d.FD(), Pending, d.FD(), SpareName(0)); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// TestSpare: a spare becomes a record that says what the new one says, that
// nobody can read or lock who could not before, and nothing is listed of it
// meanwhile. What is not as records are made does not become one.
func TestSpare(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil  func(spare string) error
		reused bool
	}{
		"as it was": {func(string) error { return nil }, true},
		"readable":  {func(s string) error { return os.Chmod(s, 0o600) }, false},
		"linked":    {func(s string) error { return os.Link(s, filepath.Dir(filepath.Dir(s))+"/too") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := t.TempDir()
			d, err := Open(state)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if err := d.Lock(); err != nil {
				t.Fatal(err)
			}
			defer d.Unlock()
			ino := retired(t, d, "/"+strings.Repeat("long", 100))
			if err := c.spoil(filepath.Join(state, "journal", SpareName(0))); err != nil {
				t.Fatal(err)
			}
			if names, err := d.List(); err != nil || len(names) != 0 {
				t.Fatalf("listed: %q, %v", names, err)
			}
			want := Record{Path: "/short", Kind: KindDir}
			fd, err := d.Begin(want)
			if err != nil {
				t.Fatal(err)
			}
			var st unix.Stat_t
			if err := unix.Fstat(fd, &st); err != nil {
				t.Fatal(err)
			}
			if c.reused && st.Ino != ino || st.Nlink != 1 {
				t.Errorf("inode %d, the spare's was %d; %d links", st.Ino, ino, st.Nlink)
			}
			if st.Mode != unix.S_IFREG|lockMode {
				t.Errorf("its mode is %#o", st.Mode)
			}
			if _, _, dead, err := d.Dead(Pending); err != nil || dead {
				t.Errorf("a record that is held: dead %v, %v", dead, err)
			}
			unix.Close(fd)
			if got, _, dead, err := d.Dead(Pending); err != nil || !dead || got != want {
				t.Errorf("%+v, dead %v, %v", got, dead, err)
			}
		})
	}
}

// TestSpareHeld: a spare whose lock somebody has is not taken.
func TestSpareHeld(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	d, err := Open(state)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ino := retired(t, d, "/one")
	held, err := unix.Open(filepath.Join(state, "journal", SpareName(0)), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(held)
	if err := unix.Flock(held, unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := d.List(); err != nil {
		t.Fatal(err)
	}
	fd, err := d.Begin(Record{Path: "/two", Kind: KindDir})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino == ino {
		t.Errorf("inode %d, the spare's was %d, %v", st.Ino, ino, err)
	}
}
