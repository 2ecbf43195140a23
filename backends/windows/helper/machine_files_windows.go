// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// machineList is the access list of what every install shares.
const machineList = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"

// MakeDir makes a directory with an access list of its own, or gives one that
// is there that list. Everybody may make directories in ProgramData, so one that
// somebody else made is refused: its owner could give it another list, and what
// is in it or who has it open is not known.
func (Machine) MakeDir(path, sddl string) error {
	if err := os.Mkdir(`\\?\`+path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := (Machine{}).MakeDir(filepath.Dir(path), machineList); err != nil {
			return err
		}
		if err := os.Mkdir(`\\?\`+path, 0o700); err != nil {
			return err
		}
	}
	h, err := open(path, windows.READ_CONTROL|windows.WRITE_DAC)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	s, err := winapi.FileSecurity(h)
	if err != nil {
		return err
	}
	self, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	// Some policies make an administrator, not Administrators, the owner.
	if err := MadeBy(path, s.Owner, self.User.Sid.String()); err != nil {
		return err
	}
	return winapi.SetProcessList(h, sddl) // of any object that a handle names
}

// Hash gives the SHA-256 of a program.
func (Machine) Hash(path string) (string, error) {
	f, err := os.Open(`\\?\` + path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrAbsent
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// CopyProgram copies a program that has a hash. It is read once: what is
// hashed is what is written.
func (Machine) CopyProgram(from, to, hash string) error {
	text, err := os.ReadFile(`\\?\` + from)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != hash {
		return fmt.Errorf("%s is not the program that was agreed to", from)
	}
	fresh := `\\?\` + to + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(fresh, string(text)); err != nil {
		return err
	}
	return os.Rename(fresh, `\\?\`+to)
}

// Remove removes a file or an empty directory.
func (Machine) Remove(path string) error {
	err := os.Remove(`\\?\` + path)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrAbsent
	}
	return err
}

// named puts the SID of the install's group into an entry.
func (m Machine) named(ace string) (string, error) {
	if !strings.Contains(ace, "{group}") {
		return ace, nil
	}
	sid, err := sidOf("caisson-" + m.Install)
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(ace, "{group}", sid.String()), nil
}

// AddACE adds an entry to an access list.
func (m Machine) AddACE(path, ace string) (bool, error) {
	has, err := m.HasACE(path, ace)
	if err != nil || has {
		return false, err
	}
	if ace, err = m.named(ace); err != nil {
		return false, err
	}
	return true, Disk{}.AddACE(path, "", ace)
}

// HasACE looks for an entry.
func (m Machine) HasACE(path, ace string) (bool, error) {
	ace, err := m.named(ace)
	if err != nil {
		return false, err
	}
	return Disk{}.HasACE(path, "", ace)
}

// RemoveACE removes an entry.
func (m Machine) RemoveACE(path, ace string) error {
	ace, err := m.named(ace)
	if err != nil {
		return err
	}
	return Disk{}.RemoveACE(path, "", ace)
}

func logPath(install string) (string, error) {
	dir, err := installed.Dir()
	return filepath.Join(dir, "setup-"+install+".log"), err
}

// Log reads the log of setup.
func (Machine) Log(install string) ([]LogEntry, error) {
	path, err := logPath(install)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrAbsent
	}
	if err != nil {
		return nil, err
	}
	var list []LogEntry
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole { // being written when the machine stopped
			return list, nil
		}
		var e LogEntry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list, text = append(list, e), rest
	}
}

// AppendLog writes one entry so that it outlives a crash. What a crash left of
// another one is cut off first.
func (m Machine) AppendLog(install string, e LogEntry) (err error) {
	path, err := logPath(install)
	if err != nil {
		return err
	}
	if err := m.MakeDir(filepath.Dir(path), machineList); err != nil {
		return err
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	end := int64(bytes.LastIndexByte(text, '\n') + 1)
	if err := f.Truncate(end); err != nil {
		return err
	}
	if _, err := f.WriteAt(append(line, '\n'), end); err != nil {
		return err
	}
	return f.Sync()
}

// DeleteLog removes the log of setup, and caisson's directory if it is empty.
func (m Machine) DeleteLog(install string) error {
	path, err := logPath(install)
	if err != nil {
		return err
	}
	if err := m.Remove(path); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(path)) // of other installs, or empty
	return nil
}

// EndProcesses ends every process of an account, until none is left.
func (Machine) EndProcesses(sid string) error {
	return endAccount(sid, func(windows.ProcessEntry32) bool { return false })
}
