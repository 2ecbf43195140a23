// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// systemFile is where the administrator's policy is. The system is asked for
// the directory, since a variable could be moved.
func systemFile() string {
	dir, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, windows.KF_FLAG_DONT_VERIFY)
	if err != nil {
		dir = `C:\ProgramData`
	}
	return filepath.Join(dir, "caisson", "policy.toml")
}

// openFile opens a file for reading; a symbolic link in the last place is
// followed only if asked.
func openFile(path string, follow bool) (*os.File, error) {
	if !follow {
		info, err := os.Lstat(path)
		if err != nil {
			return nil, err
		}
		if info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 {
			return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("a link")}
		}
	}
	return os.Open(path)
}

// trustedWriters are the accounts that may be able to change the system's
// policy.
func trustedWriters() ([]*windows.SID, error) {
	var sids []*windows.SID
	for _, kind := range []windows.WELL_KNOWN_SID_TYPE{windows.WinBuiltinAdministratorsSid, windows.WinLocalSystemSid} {
		sid, err := windows.CreateWellKnownSid(kind)
		if err != nil {
			return nil, err
		}
		sids = append(sids, sid)
	}
	// TrustedInstaller, which owns much of the system.
	sid, err := windows.StringToSid("S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464")
	if err != nil {
		return nil, err
	}
	return append(sids, sid), nil
}

// vouch checks that only administrators can change a file or replace it in its
// directory.
func vouch(path string) error {
	sids, err := trustedWriters()
	if err != nil {
		return err
	}
	if err := onlyChangedBy(path, fileChange, sids); err != nil {
		return err
	}
	return onlyChangedBy(filepath.Dir(path), dirChange, sids)
}

// Vouch checks that nobody but administrators and the caller can change or
// replace what an absolute path leads to. The error says who can, and where.
func Vouch(path string) error {
	sids, err := trustedWriters()
	if err != nil {
		return err
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	sids = append(sids, user.User.Sid)
	if err := onlyChangedBy(path, fileChange, sids); err != nil {
		return err
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if err := onlyChangedBy(dir, dirChange, sids); err != nil || dir == filepath.Dir(dir) {
			return err
		}
	}
}

// checkPrivate accepts every file: the directory of the user's state admits
// nobody else by its access list.
func checkPrivate(*os.File) error { return nil }

// CheckState accepts every directory, as checkPrivate does every file.
func CheckState(string) error { return nil }
