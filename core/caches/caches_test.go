// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func everything(string) bool { return true }

// host lays caches of npm and pip.
func host(t *testing.T) (home string, sources []Source) {
	t.Helper()
	home = t.TempDir()
	write(t, home+"/.npm/_cacache/index-v5/aa/bb", "index")
	write(t, home+"/.npm/_cacache/content-v2/sha512/cc", "content")
	write(t, home+"/.npm/_logs/log", "no cache")
	write(t, home+"/.cache/pip/wheels/w", "wheel")
	return home, HostSources(func(string) string { return "" }, home)
}

func TestHostSources(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	env := map[string]string{"npm_config_cache": filepath.Join(home, "n"), "XDG_CACHE_HOME": filepath.Join(home, "x"), "PIP_CACHE_DIR": "relative"}
	got := HostSources(func(name string) string { return env[name] }, home)
	want := [][2]string{{filepath.Join(home, "n", "_cacache"), "npm/_cacache"}, {filepath.Join(home, "x", "pip"), "pip"}}
	for i, s := range got {
		if len(got) != len(want) || [2]string{s.From, s.To} != want[i] {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	write(t, home+"/ws/requirements.txt", "")
	if got := Wanted(got, []string{home, filepath.Join(home, "ws")}); len(got) != 1 || got[0].To != "pip" {
		t.Errorf("for a workspace of Python: %v", got)
	}
	if got := Wanted(got, []string{home}); len(got) != 0 {
		t.Errorf("for an empty workspace: %v", got)
	}
	if got := HostSources(func(string) string { return "" }, ""); got != nil {
		t.Errorf("without a home: %v", got)
	}
}

func TestSeed(t *testing.T) {
	t.Parallel()
	home, sources := host(t)
	store := t.TempDir()
	write(t, store+"/pip/wheels/w", "of a command")
	if err := seed(t.Context(), store, sources, everything, 1<<20); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"npm/_cacache/index-v5/aa/bb": "index", "npm/_cacache/content-v2/sha512/cc": "content", "pip/wheels/w": "of a command",
	} {
		if got, err := os.ReadFile(filepath.Join(store, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Stat(store + "/npm/_logs"); err == nil {
		t.Error("what is no cache was copied")
	}
	// It is done once.
	write(t, home+"/.cache/pip/new", "new")
	if err := seed(t.Context(), store, sources, everything, 1<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(store + "/pip/new"); err == nil {
		t.Error("a full store was filled again")
	}
}

func TestSeedOrder(t *testing.T) {
	t.Parallel()
	_, sources := host(t)
	files, err := sources[0].list(t.Context(), everything, 1<<20)
	if err != nil || len(files) != 2 || !strings.Contains(files[1].to, "index-v5") {
		t.Errorf("indexes are not last: %v, %v", files, err)
	}
}

// TestSeedBound copies all or, where it is too much, nothing, once.
func TestSeedBound(t *testing.T) {
	t.Parallel()
	_, sources := host(t)
	const all = int64(len("index") + len("content"))
	for bound, want := range map[int64]bool{all: true, all - 1: false} {
		store := t.TempDir()
		if err := seed(t.Context(), store, sources, everything, bound); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(store + "/npm/_cacache/index-v5/aa/bb")
		_, marked := os.Stat(filepath.Join(store, sources[0].seeded()))
		if (err == nil) != want || marked != nil {
			t.Errorf("with a bound of %d: %v, %v", bound, err, marked)
		}
	}
}

// TestSeedStopped leaves a store that is filled the next time.
func TestSeedStopped(t *testing.T) {
	t.Parallel()
	_, sources := host(t)
	store := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := seed(ctx, store, sources, everything, 1<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	write(t, store+"/pip/wheels/w.caisson", "half of") // of one that was killed
	if err := seed(t.Context(), store, sources, everything, 1<<20); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(store + "/pip/wheels/w"); err != nil || string(got) != "wheel" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := os.Stat(store + "/pip/wheels/w.caisson"); err == nil {
		t.Error("a half is left")
	}
}

// TestSeedHidden copies nothing that may not be seen inside, nor through links
// of the host.
func TestSeedHidden(t *testing.T) {
	t.Parallel()
	home, sources := host(t)
	secret := filepath.Join(home, "secret")
	write(t, secret, "secret")
	if err := os.Symlink(secret, home+"/.cache/pip/link"); err != nil {
		t.Skip(err)
	}
	store := t.TempDir()
	hidden := filepath.Join(home, ".npm")
	readable := func(name string) bool {
		return name != hidden && !strings.HasPrefix(name, hidden+string(filepath.Separator))
	}
	if err := seed(t.Context(), store, sources, readable, 1<<20); err != nil {
		t.Fatal(err)
	}
	var names []string
	_ = filepath.WalkDir(store, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, filepath.Base(name))
		}
		return err
	})
	if want := []string{".seeded-npm-_cacache", ".seeded-pip", "w"}; !slices.Equal(names, want) {
		t.Errorf("the store holds %q, want %q", names, want)
	}
}

// TestSeedThroughLinks has a command lay links in the store that lead out of
// it. Nothing is made where they lead.
func TestSeedThroughLinks(t *testing.T) {
	t.Parallel()
	_, sources := host(t)
	outside := t.TempDir()
	for _, link := range []string{"pip", "npm/_cacache/content-v2", "pip/wheels", sources[0].seeded()} {
		store := t.TempDir()
		at := filepath.Join(store, link)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		target := outside
		if link == sources[0].seeded() {
			target = filepath.Join(outside, "made")
		}
		if err := os.Symlink(target, at); err != nil {
			t.Skip(err)
		}
		_ = seed(t.Context(), store, sources, everything, 1<<20) // it may give up
		if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
			t.Errorf("through %s came %v, %v", link, left, err)
		}
	}
}

func TestTrim(t *testing.T) {
	t.Parallel()
	all := t.TempDir()
	ages := map[string]time.Duration{"month": 31 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "days": 2 * 24 * time.Hour, "hour": time.Hour}
	for name, age := range ages {
		write(t, filepath.Join(all, name, "file"), strings.Repeat("x", 1000))
		used := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(all, name), used, used); err != nil {
			t.Fatal(err)
		}
	}
	write(t, stamp(all), "")
	for _, step := range []struct {
		bound int64
		left  []string
	}{
		{1 << 20, []string{"days", "hour", "trimmed", "week"}},
		{2000, []string{"days", "hour", "trimmed"}},
		{0, []string{"hour", "trimmed"}}, // it is in use
	} {
		if _, err := Trim(t.Context(), all, step.bound); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(all)
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, e := range entries {
			left = append(left, e.Name())
		}
		if !slices.Equal(left, step.left) {
			t.Errorf("with a bound of %d: %q, want %q", step.bound, left, step.left)
		}
	}
	if removed, err := Trim(t.Context(), filepath.Join(all, "none"), 0); removed != nil || err != nil {
		t.Errorf("without stores: %v, %v", removed, err)
	}
}

// TestKeep fills a store, notes its use and looks at the others.
func TestKeep(t *testing.T) {
	t.Parallel()
	_, sources := host(t)
	all := t.TempDir()
	store, old := filepath.Join(all, "store"), filepath.Join(all, "old")
	write(t, filepath.Join(old, "file"), "x")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * maxIdle)
	for _, dir := range []string{store, old} {
		if err := os.Chtimes(dir, long, long); err != nil {
			t.Fatal(err)
		}
	}
	k := Keep(store, sources, everything)
	k.done.Wait()
	k.Stop()
	if _, err := os.Stat(store + "/pip/wheels/w"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a store that nobody used for long is left")
	}
	(*Keeper)(nil).Stop()
}
