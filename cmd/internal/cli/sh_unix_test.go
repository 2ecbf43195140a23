// SPDX-License-Identifier: Apache-2.0

//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// TestProjectRoot: what somebody else put above a project, or a sandbox left
// there, widens no workspace.
func TestProjectRoot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		make  func(git string) error
		whole bool
	}{
		{"a repository", func(git string) error { return repository(git, os.Geteuid(), os.Geteuid()) }, true},
		{"a .git file", func(git string) error { return os.WriteFile(git, []byte("gitdir: elsewhere\n"), 0o600) }, true},
		{"a link to a repository", func(git string) error {
			if err := repository(git+".real", os.Geteuid(), os.Geteuid()); err != nil {
				return err
			}
			return os.Symlink(git+".real", git)
		}, true},
		{"one of the user's whose directory it is", func(git string) error { return repository(git, 1001, 1001) }, true},
		{"nothing in it", func(git string) error { return os.Mkdir(git, 0o700) }, false},
		{"a link to nowhere", func(git string) error { return os.Symlink("nowhere", git) }, false},
		{"another user's link to one", func(git string) error {
			if err := repository(git+".real", os.Geteuid(), os.Geteuid()); err != nil {
				return err
			}
			if err := os.Symlink(git+".real", git); err != nil {
				return err
			}
			return os.Lchown(git, 1002, -1)
		}, false},
		{"another user's", func(git string) error { return repository(git, 1002, 1001) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			sub := filepath.Join(dir, "a", "sub")
			if err := os.MkdirAll(sub, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := c.make(filepath.Join(dir, "a", ".git")); os.IsPermission(err) {
				t.Skip("files of other users are made by root")
			} else if err != nil {
				t.Fatal(err)
			}
			if root := projectRoot(policy.OSHost(), sub); (root == filepath.Join(dir, "a")) != c.whole {
				t.Errorf("the root is %q", root)
			}
		})
	}
}

// repository makes a git directory of one user, around a directory of another.
func repository(git string, owner, around int) error {
	if err := os.Mkdir(git, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(git, "HEAD"), []byte("ref: refs/heads/main\n"), 0o600); err != nil {
		return err
	}
	if err := os.Chown(git, owner, -1); err != nil {
		return err
	}
	return os.Chown(filepath.Join(filepath.Dir(git), "sub"), around, -1)
}
