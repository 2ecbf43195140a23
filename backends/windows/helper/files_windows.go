// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// Disk is the file system of this machine.
type Disk struct{}

// Identify names the file at path.
func (Disk) Identify(path string) (string, error) {
	h, err := open(path, windows.READ_CONTROL)
	if err != nil {
		return "", err
	}
	defer windows.CloseHandle(h)
	return winapi.FileID(h)
}

// open opens a file or directory without following a link at its end, and
// wants no link or junction on the way: the name that the system gives for what
// is open must be the one that was asked for.
func open(path string, rights uint32) (windows.Handle, error) {
	return openSharing(path, rights, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE)
}

// pin opens a directory so that neither it nor one above it can be renamed or
// replaced while it is open. What is opened for its attributes alone takes no
// part in sharing, so it is opened for reading.
func pin(dir string) (windows.Handle, error) {
	return openSharing(dir, windows.FILE_LIST_DIRECTORY, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE)
}

func openSharing(path string, rights, share uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(`\\?\` + path)
	if err != nil {
		return 0, err
	}
	h, err := windows.CreateFile(name, rights|windows.FILE_READ_ATTRIBUTES|windows.SYNCHRONIZE, share, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_BACKUP_SEMANTICS|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	switch {
	case errors.Is(err, windows.ERROR_FILE_NOT_FOUND), errors.Is(err, windows.ERROR_PATH_NOT_FOUND):
		return 0, ErrAbsent
	case err != nil:
		return 0, fmt.Errorf("open %s: %w", path, err)
	}
	real, err := finalPath(h)
	if err != nil {
		return 0, errors.Join(err, windows.CloseHandle(h))
	}
	if !strings.EqualFold(real, path) {
		return 0, errors.Join(fmt.Errorf("%s is %s: %w", path, real, ErrChanged), windows.CloseHandle(h))
	}
	return h, nil
}

// finalPath gives the name of an open file, with the letter of its drive.
func finalPath(h windows.Handle) (string, error) {
	buffer := make([]uint16, windows.MAX_LONG_PATH)
	n, err := windows.GetFinalPathNameByHandle(h, &buffer[0], uint32(len(buffer)), 0)
	if err != nil || int(n) > len(buffer) {
		return "", fmt.Errorf("name an open file: %w", err)
	}
	return strings.TrimPrefix(windows.UTF16ToString(buffer[:n]), `\\?\`), nil
}

// list opens a path, wants it to be the file of an id, and hands its access
// list to edit, which returns the one that is set, or nil for no change.
func list(path, id, ace string, rights uint32, edit func(raw []byte, a access.ACE) ([]byte, error)) error {
	a, err := access.ParseACE(ace)
	if err != nil {
		return err
	}
	h, err := open(path, windows.READ_CONTROL|rights)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	if have, err := winapi.FileID(h); err != nil || id != "" && have != id {
		return errors.Join(err, fmt.Errorf("%s: %w", path, ErrChanged))
	}
	s, err := winapi.FileSecurity(h)
	if err != nil {
		return err
	}
	if s.List == nil {
		return fmt.Errorf("%s has no access list: everybody may do everything with it", path)
	}
	changed, err := edit(s.List, a)
	if err != nil || changed == nil || string(changed) == string(s.List) {
		return err
	}
	s.List = changed
	return winapi.SetFileList(h, s)
}

// HasACE looks for an explicit entry.
func (Disk) HasACE(path, id, ace string) (has bool, err error) {
	err = list(path, id, ace, 0, func(raw []byte, a access.ACE) ([]byte, error) {
		var err error
		has, err = access.HasRaw(raw, a)
		return nil, err
	})
	return has, err
}

// AddACE adds an explicit entry at its canonical place.
func (Disk) AddACE(path, id, ace string) error {
	return list(path, id, ace, windows.WRITE_DAC, access.InsertRaw)
}

// RemoveACE removes an explicit entry.
func (Disk) RemoveACE(path, id, ace string) error {
	return list(path, id, ace, windows.WRITE_DAC, access.RemoveRaw)
}

// Make makes a directory or a file where nothing is. The directory that it lies
// in is kept in its place meanwhile: a command of another sandbox could put a
// junction there.
func (Disk) Make(path, kind, content string) (string, error) {
	long := `\\?\` + path
	if kind == "dir" {
		if err := os.MkdirAll(filepath.Dir(long), 0o700); err != nil {
			return "", err
		}
	}
	parent, err := pin(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	defer windows.CloseHandle(parent)
	if kind == "dir" {
		err = os.Mkdir(long, 0o700)
	} else {
		err = writeNew(long, content)
	}
	if errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("make %s: %w", path, ErrChanged)
	}
	if err != nil {
		return "", err
	}
	return Disk{}.Identify(path)
}

func writeNew(path, content string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.WriteString(content)
	return err
}

// Remove removes a placeholder that is as it was made. The file that is looked
// at is the one that goes: the handle deletes it.
func (Disk) Remove(path, id, kind, content string) error {
	h, err := open(path, windows.DELETE|windows.FILE_READ_DATA)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(h), path)
	defer f.Close()
	if have, err := winapi.FileID(h); err != nil || id != "" && have != id {
		return errors.Join(err, fmt.Errorf("%s: %w", path, ErrChanged))
	}
	if kind == "file" {
		text, err := io.ReadAll(io.LimitReader(f, int64(len(content))+1))
		if err != nil {
			return err
		}
		if string(text) != content {
			return fmt.Errorf("%s: %w", path, ErrChanged)
		}
	}
	remove := byte(1) // FILE_DISPOSITION_INFO
	err = windows.SetFileInformationByHandle(h, windows.FileDispositionInfo, &remove, 1)
	if errors.Is(err, windows.ERROR_DIR_NOT_EMPTY) {
		return fmt.Errorf("%s: %w", path, ErrChanged)
	}
	return err
}

// RemoveTree removes a directory with all that is in it, without following
// links out of it.
func (d Disk) RemoveTree(path, id string) error {
	have, err := d.Identify(path)
	if err != nil {
		return err
	}
	if have != id {
		return fmt.Errorf("%s: %w", path, ErrChanged)
	}
	return os.RemoveAll(`\\?\` + path)
}
