// SPDX-License-Identifier: Apache-2.0

//go:build unix

package outfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// dir is a real directory of the test.
func dir(t *testing.T) string {
	t.Helper()
	d, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func anywhere(string, []string) error { return nil }

// TestOpen: a plain file is made for its owner alone, or found; what is no regular
// file of that name is refused, and what a link leads to is not touched.
func TestOpen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		lay  func(path, victim string) error
		want string // in the error; "" for none
	}{
		{"nothing", func(string, string) error { return nil }, ""},
		{"a file", func(path, _ string) error { return os.WriteFile(path, nil, 0o644) }, ""},
		{"a link", func(path, victim string) error { return os.Symlink(victim, path) }, "it is a symbolic link"},
		{"a link to nothing", func(path, _ string) error { return os.Symlink("nothing", path) }, "it is a symbolic link"},
		{"a fifo that nobody reads", func(path, _ string) error { return unix.Mkfifo(path, 0o600) }, "it is no regular file"},
		{"a directory", func(path, _ string) error { return os.Mkdir(path, 0o700) }, "directory"},
		{"a device", func(path, _ string) error { return os.Symlink("/dev/null", path) }, "it is a symbolic link"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := dir(t)
			path, victim := filepath.Join(d, "out"), filepath.Join(d, "victim")
			if err := errors.Join(os.WriteFile(victim, []byte("kept"), 0o600), c.lay(path, victim)); err != nil {
				t.Fatal(err)
			}
			f, err := Open(path, os.O_WRONLY, anywhere)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v", err)
				}
			} else if err != nil {
				t.Error(err)
			} else {
				if _, err := f.WriteString("text"); err != nil {
					t.Error(err)
				}
				f.Close()
				st, err := os.Stat(path)
				if err != nil || c.name == "nothing" && st.Mode().Perm() != 0o600 {
					t.Errorf("%v, %v", st, err)
				}
			}
			if text, err := os.ReadFile(victim); err != nil || string(text) != "kept" {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

// TestAppend: what is there is kept where it is to be.
func TestAppend(t *testing.T) {
	t.Parallel()
	path := filepath.Join(dir(t), "log")
	for _, line := range []string{"one\n", "two\n"} {
		f, err := Open(path, os.O_RDWR|os.O_APPEND, anywhere)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(line); err != nil {
			t.Error(err)
		}
		f.Close()
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "one\ntwo\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestChecked: the check gets the real path and the links on the way, and where it
// refuses nothing is made.
func TestChecked(t *testing.T) {
	t.Parallel()
	d := dir(t)
	real, link := filepath.Join(d, "real"), filepath.Join(d, "link")
	if err := errors.Join(os.Mkdir(real, 0o700), os.Symlink("real", link)); err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("refused")
	var path string
	var links []string
	_, err := Open(filepath.Join(link, "out"), os.O_WRONLY, func(p string, l []string) error {
		path, links = p, l
		return refusal
	})
	if !errors.Is(err, refusal) || path != filepath.Join(real, "out") || len(links) != 1 || links[0] != link {
		t.Errorf("%v, %s, %v", err, path, links)
	}
	if list, err := os.ReadDir(real); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestReplaced: a directory that becomes a link after it was looked at is not
// followed.
func TestReplaced(t *testing.T) {
	t.Parallel()
	d := dir(t)
	at, other := filepath.Join(d, "at"), filepath.Join(d, "other")
	if err := errors.Join(os.MkdirAll(filepath.Join(at, "in"), 0o700), os.MkdirAll(filepath.Join(other, "in"), 0o700)); err != nil {
		t.Fatal(err)
	}
	f, err := Open(filepath.Join(at, "in", "out"), os.O_WRONLY, func(string, []string) error {
		return errors.Join(os.Rename(at, at+".moved"), os.Symlink(other, at))
	})
	if err == nil { // the directory was opened before
		f.Close()
	}
	if list, err := os.ReadDir(filepath.Join(other, "in")); err != nil || len(list) != 0 {
		t.Errorf("the link was followed: %v, %v", list, err)
	}
	if _, err := openReal(filepath.Join(at, "in")); err == nil {
		t.Error("a link on the way was followed")
	}
}

// TestOutside: what lies in a writable directory is refused, by its place or by a
// link on the way, and what does not is not.
func TestOutside(t *testing.T) {
	t.Parallel()
	check := Outside(func(path string) string {
		if path == "/w" || strings.HasPrefix(path, "/w/") {
			return "/w"
		}
		return ""
	})
	for _, c := range []struct {
		real  string
		links []string
		want  string
	}{
		{"/out/f", nil, ""},
		{"/out/f", []string{"/a/link"}, ""},
		{"/ww/f", nil, ""},
		{"/w/f", nil, "it lies in"},
		{"/out/f", []string{"/a/link", "/w/link"}, "it leads through the link"},
	} {
		err := check(c.real, c.links)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s by %v: %v", c.real, c.links, err)
		}
	}
}
