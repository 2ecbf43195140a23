// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFiles does every act that changes a file or its metadata against a file
// that must not change, by several names.
func TestFiles(t *testing.T) {
	t.Parallel()
	targets := []struct {
		name string
		// place makes the bait of one case and returns the directory that must
		// not change and the name by which the act goes at the file in it.
		place func(t *testing.T, s *scene, id string) (dir, victim string)
	}{
		{"outside", func(t *testing.T, s *scene, id string) (string, string) {
			return bait(t, s.outside, id)
		}},
		{"through a symlink in the workspace", func(t *testing.T, s *scene, id string) (string, string) {
			dir, victim := bait(t, s.outside, id)
			link := filepath.Join(s.work, "link-"+filepath.Base(dir))
			if err := os.Symlink(filepath.Dir(victim), link); err != nil {
				t.Fatal(err)
			}
			return dir, filepath.Join(link, "victim")
		}},
		{"through /proc/self/root", func(t *testing.T, s *scene, id string) (string, string) {
			dir, victim := bait(t, s.outside, id)
			return dir, "/proc/self/root" + victim
		}},
		{"through ..", func(t *testing.T, s *scene, id string) (string, string) {
			dir, victim := bait(t, s.outside, id)
			return dir, s.work + "/./../outside/" + strings.TrimPrefix(victim, s.outside+"/")
		}},
		{"in .git/hooks", func(t *testing.T, s *scene, id string) (string, string) {
			return bait(t, s.work+"/.git/hooks", id)
		}},
	}
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			if out, err := exec.Command("git", "init", "-q", s.work).CombinedOutput(); err != nil {
				t.Skipf("git init: %v: %s", err, out)
			}
			ids := slices.Sorted(maps.Keys(fileActs()))
			if strings.Contains(target.name, "symlink") {
				// By this name it moves the link, which is the workspace's own.
				ids = slices.DeleteFunc(ids, func(id string) bool { return id == "rename its directory" })
			}
			type placed struct{ dir, victim string }
			inside := map[string]placed{}
			for _, id := range ids { // before the sandbox: a hook made later is no bait
				dir, victim := target.place(t, s, id)
				inside[id] = placed{dir, victim}
			}
			control := map[string]placed{}
			for _, id := range ids {
				dir, victim := target.place(t, s, id+" control")
				control[id] = placed{dir, victim}
			}
			broken := map[string]string{}
			for _, id := range ids {
				c := control[id]
				before := snapshot(t, c.dir)
				said := s.plain(id, c.victim)
				if _, err := os.Lstat(c.dir); err == nil && snapshot(t, c.dir) == before {
					broken[id] = said
				}
			}
			sb := s.open(t)
			for _, id := range ids {
				p := inside[id]
				if said, ok := broken[id]; ok {
					t.Errorf("%s: the bait is broken: no harm without a sandbox either: %s", id, said)
					continue
				}
				before := snapshot(t, p.dir)
				said := s.inside(sb, id, p.victim)
				if _, err := os.Lstat(p.dir); err != nil {
					t.Errorf("%s: the directory is gone: %v (%s)", id, err, said)
				} else if after := snapshot(t, p.dir); after != before {
					t.Errorf("%s did harm (%s)\nbefore:\n%safter:\n%s", id, said, before, after)
				}
			}
		})
	}
}

// bait makes a directory with a victim in it.
func bait(t *testing.T, parent, id string) (dir, victim string) {
	t.Helper()
	dir = filepath.Join(parent, strings.NewReplacer(" ", "-", "/", "-").Replace(id))
	if err := os.MkdirAll(filepath.Join(dir, "inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	victim = filepath.Join(dir, "inner", "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, victim
}

// TestAbsentNames tries to make what is absent and held.
func TestAbsentNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{".mcp.json", ".caisson.toml", ".claude", ".codex", ".cursor", ".git/modules", ".git/commondir"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			if out, err := exec.Command("git", "init", "-q", s.work).CombinedOutput(); err != nil {
				t.Skipf("git init: %v: %s", err, out)
			}
			ids := slices.Sorted(maps.Keys(createActs()))
			path := filepath.Join(s.work, name)
			for _, id := range ids {
				said := s.plain(id, path)
				if _, err := os.Lstat(path); err != nil {
					t.Errorf("%s: the bait is broken: nothing was made without a sandbox: %s", id, said)
				}
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			}
			for _, left := range []string{"own", "owndir"} {
				os.RemoveAll(filepath.Join(s.work, left))
			}
			for _, id := range ids {
				sb := s.open(t)
				said := s.inside(sb, id, path)
				if err := sb.Close(); err != nil {
					t.Fatal(err)
				}
				if st, err := os.Lstat(path); err == nil {
					t.Errorf("%s made %s: %v (%s)", id, name, st.Mode(), said)
					os.RemoveAll(path)
				}
				for _, left := range []string{"own", "owndir"} {
					os.RemoveAll(filepath.Join(s.work, left))
				}
			}
		})
	}
}
