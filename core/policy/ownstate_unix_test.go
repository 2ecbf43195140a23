// SPDX-License-Identifier: Apache-2.0

//go:build unix

package policy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// another is a user that is not the caller.
const another = 61234

func TestCheckState(t *testing.T) {
	t.Parallel()
	must := func(t *testing.T, errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		make func(t *testing.T, dir string) // dir is absent before
		root bool                           // only root can make it
		want string                         // "": accepted
	}{
		"absent":       {make: func(*testing.T, string) {}},
		"private":      {make: func(t *testing.T, dir string) { must(t, os.Mkdir(dir, 0o700)) }},
		"readable":     {make: func(t *testing.T, dir string) { must(t, os.Mkdir(dir, 0o755)) }},
		"for all":      {make: func(t *testing.T, dir string) { must(t, os.Mkdir(dir, 0), os.Chmod(dir, 0o777)) }, want: "can be written by others"},
		"for a group":  {make: func(t *testing.T, dir string) { must(t, os.Mkdir(dir, 0), os.Chmod(dir, 0o770)) }, want: "can be written by others"},
		"sticky":       {make: func(t *testing.T, dir string) { must(t, os.Mkdir(dir, 0), os.Chmod(dir, 0o777|os.ModeSticky)) }, want: "can be written by others"},
		"file":         {make: func(t *testing.T, dir string) { must(t, os.WriteFile(dir, nil, 0o600)) }, want: "is no directory"},
		"own link":     {make: func(t *testing.T, dir string) { must(t, os.Mkdir(dir+"-real", 0o700), os.Symlink(dir+"-real", dir)) }},
		"link, absent": {make: func(t *testing.T, dir string) { must(t, os.Symlink(dir+"-real", dir)) }},
		"link to open": {make: func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir+"-real", 0), os.Chmod(dir+"-real", 0o777), os.Symlink(dir+"-real", dir))
		}, want: "can be written by others"},
		"another's": {root: true, make: func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir, 0o700), os.Chown(dir, another, another))
		}, want: "belongs to user 61234"},
		"another's link": {root: true, make: func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir+"-real", 0o700), os.Symlink(dir+"-real", dir), os.Lchown(dir, another, another))
		}, want: "belongs to user 61234"},
		"link in another's home": {root: true, make: func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir+"-real", 0o700), os.Symlink(dir+"-real", dir), os.Lchown(dir, another, another),
				os.Lchown(filepath.Dir(dir), another, another))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.root && os.Geteuid() != 0 {
				t.Skip("only root gives files away")
			}
			dir := filepath.Join(realTempDir(t), "caisson")
			c.make(t, dir)
			err := CheckState(dir)
			if c.want != "" {
				wantRefusal(t, err, diag.OwnFilesExposed, c.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckStateMakesItPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(realTempDir(t), "state", "caisson")
	if err := CheckState(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if err := CheckState("caisson"); err != nil {
		t.Error(err)
	}
}
