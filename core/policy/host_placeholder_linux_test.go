// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/journal"
)

// TestPlaceholderIsNoRepository looks at an empty .git before and after the
// journal says that a sandbox holds the name with it.
func TestPlaceholderIsNoRepository(t *testing.T) {
	state, git := t.TempDir(), filepath.Join(t.TempDir(), ".git")
	t.Setenv("XDG_STATE_HOME", state)
	if err := os.Mkdir(git, 0o755); err != nil {
		t.Fatal(err)
	}
	if info, err := OSHost().Lstat(git); err != nil || info.Kind != KindDir {
		t.Errorf("the user's: %+v, %v", info, err)
	}
	id, _, err := journal.Look(unix.AT_FDCWD, git)
	if err != nil {
		t.Fatal(err)
	}
	records := filepath.Join(state, "caisson", "journal")
	if err := os.MkdirAll(records, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(records, id.Name()), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if info, err := OSHost().Lstat(git); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a placeholder: %+v, %v", info, err)
	}
}
