// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestTmpDirsAtOnce: who makes a directory never loses it to who looks for those
// of killed callers, which every maker does.
func TestTmpDirsAtOnce(t *testing.T) {
	t.Parallel()
	base := filepath.Join(t.TempDir(), "tmp")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				d, err := makeTmp(base)
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(d.path, "file"), nil, 0o600); err != nil {
					t.Error(err)
				}
				d.remove()
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(base); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestTmpDirNeverLocked: a caller that was killed before it locked its directory
// leaves one that goes after a while.
func TestTmpDirNeverLocked(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	for name, age := range map[string]time.Duration{"old": 2 * newTime, "young": 0} {
		dir, at := filepath.Join(base, newPrefix+name), time.Now().Add(-age)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, at, at); err != nil {
			t.Fatal(err)
		}
	}
	collectTmp(base, nil)
	left, err := os.ReadDir(base)
	if err != nil || len(left) != 1 || left[0].Name() != newPrefix+"young" {
		t.Errorf("left: %v, %v", left, err)
	}
}
