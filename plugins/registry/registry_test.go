// SPDX-License-Identifier: Apache-2.0

//go:build unix

package registry

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// shelf is a registry with one place, below a directory of the test.
func shelf(t *testing.T) (Registry, string) {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "above", "plugins")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return Registry{Places: []Place{{dir, "user"}}, StateDir: filepath.Join(top, "state")}, dir
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, r Registry, name string) Plugin {
	t.Helper()
	p, err := r.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func code(err error) diag.Code {
	if d, ok := errors.AsType[*diag.Diagnostic](err); ok {
		return d.Code
	}
	return ""
}

// TestTrust goes through the life of a plugin: found, trusted, changed, trusted
// again, given up.
func TestTrust(t *testing.T) {
	t.Parallel()
	r, dir := shelf(t)
	file := filepath.Join(dir, "caisson-backend-one")
	put(t, file, "one", 0o755)
	p := find(t, r, "one")
	if p.State != Untrusted || code(p.Usable()) != diag.PluginUntrusted || !strings.Contains(p.Usable().Error(), "caisson plugin trust one") {
		t.Errorf("before: %+v, %v", p, p.Usable())
	}
	if r.Any() {
		t.Error("some plugin is trusted")
	}
	helper := filepath.Join(dir, "helper")
	put(t, helper, "helper", 0o755)
	now := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	p, err := r.Trust(p, []string{helper}, now)
	if err != nil || p.State != Trusted || p.Usable() != nil || len(p.Trust.Programs[helper]) != 64 || !p.Trust.Time.Equal(now.Truncate(time.Second)) {
		t.Fatalf("trusted: %+v, %v", p, err)
	}
	if p = find(t, r, "one"); p.State != Trusted || !r.Any() {
		t.Errorf("read again: %+v", p)
	}
	put(t, file, "two", 0o755)
	p = find(t, r, "one")
	if p.State != Changed || code(p.Usable()) != diag.PluginUntrusted || !strings.Contains(p.Usable().Error(), "not what it was") {
		t.Errorf("changed: %+v, %v", p, p.Usable())
	}
	if p, err = r.Trust(p, nil, now); err != nil || p.State != Trusted || len(p.Trust.Programs) != 0 {
		t.Errorf("trusted again: %+v, %v", p, err)
	}
	if was, err := r.Untrust("one"); !was || err != nil {
		t.Errorf("untrust: %v, %v", was, err)
	}
	if was, err := r.Untrust("one"); was || err != nil {
		t.Errorf("untrust again: %v, %v", was, err)
	}
	if p = find(t, r, "one"); p.State != Untrusted {
		t.Errorf("given up: %+v", p)
	}
}

// TestTogether: of changes at the same time none is lost, least of all a trust
// that is taken back.
func TestTogether(t *testing.T) {
	t.Parallel()
	r, dir := shelf(t)
	const n = 16
	name := func(i int) string { return "p" + strconv.Itoa(i) }
	var all sync.WaitGroup
	for i := range n {
		put(t, filepath.Join(dir, "caisson-backend-"+name(i)), name(i), 0o755)
		if i%2 == 0 {
			if _, err := r.Trust(find(t, r, name(i)), nil, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range n {
		p := find(t, r, name(i))
		all.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = r.Untrust(name(i))
			} else {
				_, err = r.Trust(p, nil, time.Now())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range n {
		if want, got := map[bool]State{true: Untrusted, false: Trusted}[i%2 == 0], find(t, r, name(i)).State; got != want {
			t.Errorf("%s is %s, want %s", name(i), got, want)
		}
	}
}

// TestUnsafe: what others could change is not used, whatever the hash.
func TestUnsafe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		spoil      func(t *testing.T, dir, file string)
	}{
		{"nothing", "", func(*testing.T, string, string) {}},
		{"symbolic link", "symbolic link", func(t *testing.T, dir, file string) {
			must(t, os.Rename(file, file+".real"))
			must(t, os.Symlink(file+".real", file))
		}},
		{"file of all", "can be written by others", func(t *testing.T, dir, file string) { must(t, os.Chmod(file, 0o777)) }},
		{"file of a group", "can be written by others", func(t *testing.T, dir, file string) { must(t, os.Chmod(file, 0o775)) }},
		{"directory of all", "can be written by others", func(t *testing.T, dir, file string) { must(t, os.Chmod(dir, 0o777)) }},
		{"directory above of all", "can be written by others", func(t *testing.T, dir, file string) { must(t, os.Chmod(filepath.Dir(dir), 0o777)) }},
		{"no program", "may not be executed", func(t *testing.T, dir, file string) { must(t, os.Chmod(file, 0o644)) }},
		{"directory", "no regular file", func(t *testing.T, dir, file string) {
			must(t, os.Remove(file))
			must(t, os.Mkdir(file, 0o755))
		}},
		{"fifo", "no regular file", func(t *testing.T, dir, file string) {
			must(t, os.Remove(file))
			must(t, syscall.Mkfifo(file, 0o755))
		}},
		{"of somebody else", "belongs to user", func(t *testing.T, dir, file string) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			must(t, os.Chown(file, 12345, 12345))
		}},
		{"in a directory of somebody else", "belongs to user", func(t *testing.T, dir, file string) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a directory away")
			}
			must(t, os.Chown(dir, 12345, 12345))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, dir := shelf(t)
			file := filepath.Join(dir, "caisson-backend-x")
			put(t, file, "x", 0o755)
			if _, err := r.Trust(find(t, r, "x"), nil, time.Now()); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, dir, file)
			p := find(t, r, "x")
			if c.want == "" {
				if p.State != Trusted {
					t.Errorf("%+v", p)
				}
				return
			}
			if p.State != Unsafe || !strings.Contains(p.Reason, c.want) || code(p.Usable()) != diag.PluginUnsafe {
				t.Errorf("%+v, %v; want %q", p, p.Usable(), c.want)
			}
			if _, err := r.Trust(p, nil, time.Now()); code(err) != diag.PluginUnsafe {
				t.Errorf("it can be trusted: %v", err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPlaces: PATH and the current directory are no places, the first place
// wins, and other files are not plugins.
func TestPlaces(t *testing.T) {
	r, dir := shelf(t)
	elsewhere := t.TempDir()
	put(t, filepath.Join(elsewhere, "caisson-backend-path"), "x", 0o755)
	t.Setenv("PATH", elsewhere)
	t.Chdir(elsewhere)
	if _, err := r.Find("path"); code(err) != diag.PluginUnknown || !strings.Contains(err.Error(), dir) {
		t.Errorf("in PATH and the current directory: %v", err)
	}
	second := t.TempDir()
	r.Places = append(r.Places, Place{second, "system"}, Place{filepath.Join(second, "missing"), "system"})
	for _, name := range []string{"caisson-backend-b", "caisson-backend-", "caisson-backend-UPPER", "caisson-backend-a\x1b[2J", "other"} {
		put(t, filepath.Join(dir, name), "x", 0o755)
	}
	put(t, filepath.Join(second, "caisson-backend-b"), "second", 0o755)
	put(t, filepath.Join(second, "caisson-backend-a"), "x", 0o755)
	list, err := r.List()
	if err != nil || len(list) != 2 || list[0].Name != "a" || list[0].Place != "system" || list[1].Place != "user" {
		t.Errorf("%+v, %v", list, err)
	}
	if p, err := r.At("caisson-backend-path"); err != nil || p.State != Untrusted || p.Name != "path" || !strings.Contains(p.Usable().Error(), filepath.Join(elsewhere, "caisson-backend-path")) {
		t.Errorf("named by its path: %+v, %v", p, err)
	}
	if _, err := r.At("missing"); code(err) != diag.PluginUnknown {
		t.Errorf("a path without a file: %v", err)
	}
	for _, place := range Default().Places {
		if !filepath.IsAbs(place.Dir) || place.Dir == elsewhere {
			t.Errorf("place %+v", place)
		}
	}
}

// TestFiles: a trust file that cannot be believed trusts nothing.
func TestFiles(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", `{"format":2,"plugins":{}}`, `{"format":1,"plugins":{},"more":1}`, `{"format":1,"plugins":{}} x`, `{"format":1,"plugins":{"/p":{"sha256":1}}}`} {
		r, dir := shelf(t)
		put(t, filepath.Join(dir, "caisson-backend-x"), "x", 0o755)
		must(t, os.Mkdir(r.StateDir, 0o700))
		put(t, filepath.Join(r.StateDir, trustFile), text, 0o600)
		if _, err := r.List(); code(err) != diag.PluginUntrusted {
			t.Errorf("%q: %v", text, err)
		}
		if r.Any() {
			t.Errorf("%q trusts something", text)
		}
	}
	r, dir := shelf(t)
	put(t, filepath.Join(dir, "caisson-backend-x"), "x", 0o755)
	if _, err := r.Trust(find(t, r, "x"), nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	must(t, os.Chmod(filepath.Join(r.StateDir, trustFile), 0o666))
	if _, err := r.List(); code(err) != diag.PluginUntrusted || !strings.Contains(err.Error(), "can be written by others") {
		t.Errorf("a trust file that all can write: %v", err)
	}
}

// TestVerdicts: a verdict belongs to what was judged.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	r, dir := shelf(t)
	file := filepath.Join(dir, "caisson-backend-x")
	put(t, file, "x", 0o755)
	p := find(t, r, "x")
	v := Verdict{SHA256: p.SHA256, Version: "1", Passed: true, Cases: 120, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	must(t, r.Record("x", v))
	if p = find(t, r, "x"); p.Verdict == nil || *p.Verdict != v {
		t.Errorf("%+v", p.Verdict)
	}
	if all, err := r.Verdicts(); err != nil || all["x"] != v {
		t.Errorf("%+v, %v", all, err)
	}
	put(t, file, "y", 0o755)
	if p = find(t, r, "x"); p.Verdict != nil {
		t.Errorf("the verdict on another file: %+v", p.Verdict)
	}
}

func FuzzTrustFile(f *testing.F) {
	f.Add([]byte(`{"format":1,"plugins":{"/p":{"sha256":"00","time":"2026-01-02T03:04:05Z","programs":{"/q":"11"}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var list, again trustList
		if parse(text, &list) != nil {
			return
		}
		written, err := json.Marshal(list)
		if err != nil {
			return // a year that RFC 3339 cannot write
		}
		if err := parse(written, &again); err != nil || len(again.Plugins) != len(list.Plugins) {
			t.Errorf("%q is written as %q: %v", text, written, err)
		}
	})
}
