// SPDX-License-Identifier: Apache-2.0

//go:build unix

package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// CheckState refuses a directory of caisson's state that another user of the
// host could have put there or can write: who does decides what commands find in
// their caches and what the next run removes. The directory is made if it is
// absent, so that nobody makes it later. That it cannot be made or reached, or is
// no absolute path, is no error here: what needs it then says so.
//
// The directories above it are not looked at: in containers they often belong
// to others. On Windows nothing is checked: access lists keep others out.
func CheckState(dir string) error {
	if !filepath.IsAbs(dir) {
		return nil
	}
	found := checkState(dir)
	if errors.Is(found, fs.ErrNotExist) && os.MkdirAll(dir, 0o700) == nil {
		found = checkState(dir)
	}
	if found == nil || errors.Is(found, fs.ErrNotExist) || errors.Is(found, fs.ErrPermission) {
		return nil
	}
	return diag.New(diag.OwnFilesExposed, "caisson's state would be where another user could have planted it: "+found.Error(),
		"look at it and remove it; or set XDG_STATE_HOME to a directory of your own that nobody else can write")
}

func checkState(dir string) error {
	real, err := follow(dir, ownLink)
	if err != nil {
		return err
	}
	info, err := os.Lstat(real)
	if err != nil {
		return err
	}
	name := diag.Quote(real)
	switch uid, ok := uidOf(info); {
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", name)
	case !ok || int(uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d", name, uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s can be written by others", name)
	}
	return nil
}

// ownLink accepts a symbolic link on the way to the state of root, of the caller,
// and of the owner of the directory it is in, who can replace what is there
// anyway; the latter as the kernel does where fs.protected_symlinks is set, see
// proc_sys_fs(5).
func ownLink(at string, info fs.FileInfo) error {
	uid, ok := uidOf(info)
	if info.Mode()&fs.ModeSymlink == 0 || ok && (uid == 0 || int(uid) == os.Geteuid()) {
		return nil
	}
	parent, err := os.Lstat(filepath.Dir(at))
	if err != nil {
		return err
	}
	if above, known := uidOf(parent); ok && known && uid == above {
		return nil
	}
	return fmt.Errorf("the symbolic link %s belongs to user %d", diag.Quote(at), uid)
}

func uidOf(info fs.FileInfo) (uid uint32, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}
