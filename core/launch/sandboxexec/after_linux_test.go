// SPDX-License-Identifier: Apache-2.0

package sandboxexec

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	there, envrc, modules := filepath.Join(dir, ".vscode"), filepath.Join(dir, ".envrc"), filepath.Join(dir, ".gitmodules")
	if err := os.Mkdir(there, 0o700); err != nil {
		t.Fatal(err)
	}
	s := newScene(t, "confine", plan.Watch{Quarantine: []string{there, envrc}, Report: []string{modules}})
	b := s.open(t)
	for _, name := range []string{envrc, modules} {
		if err := os.WriteFile(name, []byte("planted"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, p := shell(t, b, "true"); p != nil {
		if _, _, err := p.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(envrc); err == nil {
		t.Error("what appeared is still there")
	}
	for _, name := range []string{there, modules} {
		if _, err := os.Lstat(name); err != nil {
			t.Errorf("%s is gone", name)
		}
	}
	moved, err := filepath.Glob(filepath.Join(s.state, "quarantine", "*", "1-.envrc"))
	if err != nil || len(moved) != 1 {
		t.Errorf("the quarantine holds %v, %v", moved, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.found) != 2 || s.found[0].Code != diag.Quarantined || s.found[1].Code != diag.RepositoryMade {
		t.Errorf("findings %v", s.found)
	}
}

// TestCollect removes what a killed owner left, and leaves the living alone.
func TestCollect(t *testing.T) {
	t.Parallel()
	s := newScene(t, "confine")
	alive := s.open(t)
	dead := s.open(t)
	dir, tmp := dead.dir, dead.tmp
	if err := os.WriteFile(filepath.Join(tmp, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dead.lock.Close() // as its death would
	dead.dir, dead.tmp = "", ""
	var found []diag.Diagnostic
	if err := Collect(s.state, func(d diag.Diagnostic) { found = append(found, d) }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, tmp} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range []string{alive.dir, alive.tmp} {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("%s of a living box is gone", name)
		}
	}
	if len(found) != 1 || found[0].Code != diag.LeftoverRemoved {
		t.Errorf("findings %v", found)
	}
	dead.lock, _ = os.Open(os.DevNull)
}
