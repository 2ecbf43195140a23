// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ordinary is a user that no host has.
const ordinary = 12345

// TestRemove removes what a command made hard to remove, as an ordinary
// user.
func TestRemove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	caches, outside := filepath.Join(dir, "caches"), filepath.Join(dir, "outside")
	for _, d := range []string{"store/deep/deeper", "store/empty"} {
		if err := os.MkdirAll(filepath.Join(caches, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		os.Mkdir(outside, 0o500), os.Symlink(outside, caches+"/store/deep/link"),
		os.WriteFile(caches+"/store/deep/deeper/x", []byte("x"), 0o400),
		os.Chmod(caches+"/store/deep/deeper", 0), os.Chmod(caches+"/store/deep", 0), os.Chmod(caches+"/store", 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		for _, name := range []string{filepath.Dir(dir), dir, caches, "store", "store/empty", "store/deep", "store/deep/link", "store/deep/deeper", "store/deep/deeper/x"} {
			if !filepath.IsAbs(name) {
				name = filepath.Join(caches, name)
			}
			if err := os.Lchown(name, ordinary, ordinary); err != nil {
				t.Fatal(err)
			}
		}
		runtime.LockOSThread() // the thread ends with the test
		if err := unix.Setfsuid(ordinary); err != nil {
			t.Fatal(err)
		}
	}
	if os.RemoveAll(caches) == nil {
		t.Fatal("the bait is broken: nothing stands in the way")
	}
	if err := Remove(caches); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(caches); !os.IsNotExist(err) {
		t.Errorf("it is left: %v", err)
	}
	if st, err := os.Stat(outside); err != nil || st.Mode().Perm() != 0o500 {
		t.Errorf("what a link leads to was changed: %v, %v", st, err)
	}
	if err := Remove(caches); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}

// TestSeedPipe has a command put a pipe, on which an open for writing waits, in
// the place of the mark while a store is filled.
func TestSeedPipe(t *testing.T) {
	t.Parallel()
	_, sources := host(t)
	store := t.TempDir()
	mark := filepath.Join(store, sources[0].seeded())
	racing := func(string) bool {
		_ = unix.Mkfifo(mark, 0o600) // once
		return true
	}
	done := make(chan error, 1)
	go func() { done <- seed(t.Context(), store, sources[:1], racing, 1<<20) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits on the pipe")
		if r, err := os.OpenFile(mark, os.O_RDONLY|unix.O_NONBLOCK, 0); err == nil { // lets it go on
			defer r.Close()
			<-done
		}
	}
	if st, err := os.Lstat(mark); err != nil || st.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the bait is broken: %v, %v", st, err)
	}
}
