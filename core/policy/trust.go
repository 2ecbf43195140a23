// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

// trustFormat is the version of the trust file's form.
const trustFormat = 1

// trustList is the content of a trust file: the hash that each trusted project
// file had when the user trusted it.
type trustList struct {
	Format int               `json:"format"`
	Files  map[string]string `json:"files"` // absolute path to hex SHA-256
}

// Trusted is a project file that the user trusts.
type Trusted struct {
	File    string `json:"file"`
	SHA256  string `json:"sha256"`
	Current bool   `json:"current"` // the file still has that content
}

// Trust records in a trust file that a project file may loosen the policy, as
// long as its content stays what it is now. The file must be a valid project
// policy. Concurrent changes of one trust file keep it whole, but one of them
// may be lost.
func Trust(trustFile, file string) error {
	file, err := projectPath(file)
	if err != nil {
		return err
	}
	data, _, err := readProject(file)
	if err != nil {
		return err
	}
	list, err := readTrust(trustFile)
	if err != nil {
		return err
	}
	list.Files[file] = hashOf(data)
	return list.write(trustFile)
}

// Untrust takes the trust in a file back. It reports whether there was any.
// The file need not exist any more.
func Untrust(trustFile, file string) (bool, error) {
	file, err := projectPath(file)
	if err != nil {
		return false, err
	}
	list, err := readTrust(trustFile)
	if err != nil {
		return false, err
	}
	if _, ok := list.Files[file]; !ok {
		return false, nil
	}
	delete(list.Files, file)
	return true, list.write(trustFile)
}

// TrustedFiles lists the trusted project files, sorted.
func TrustedFiles(trustFile string) ([]Trusted, error) {
	list, err := readTrust(trustFile)
	if err != nil {
		return nil, err
	}
	var out []Trusted
	for _, file := range slices.Sorted(maps.Keys(list.Files)) {
		data, _, err := readProject(file)
		out = append(out, Trusted{file, list.Files[file], err == nil && list.holds(file, data)})
	}
	return out, nil
}

// projectPath makes the path of a project file absolute, with its directory
// real, which is the form that Load finds files in.
func projectPath(file string) (string, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(file)); err == nil {
		file = filepath.Join(dir, filepath.Base(file))
	}
	return file, nil
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (l trustList) holds(file string, data []byte) bool {
	hash, ok := l.Files[file]
	return ok && hash == hashOf(data)
}

// readTrust reads a trust file; one that does not exist trusts nothing.
func readTrust(path string) (trustList, error) {
	list := trustList{Format: trustFormat, Files: map[string]string{}}
	if path == "" {
		return list, nil
	}
	f, err := openFile(path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	if err != nil {
		return list, unreadable(path, err)
	}
	defer f.Close()
	if err := checkPrivate(f); err != nil {
		return list, diag.New(diag.PolicyInvalid, "the trust file cannot be believed: "+err.Error(), "remove it and trust the project files again")
	}
	data, err := readOpen(path, f)
	if err != nil {
		return list, err
	}
	top, err := strict.JSON(path, data, diag.PolicyInvalid)
	if err != nil {
		return list, err
	}
	if err := strict.Decode(top, &list); err != nil {
		return list, err
	}
	if list.Format != trustFormat {
		return list, diag.New(diag.PolicyInvalid, fmt.Sprintf("%s has format %d; this caisson reads format %d", diag.Quote(path), list.Format, trustFormat), "")
	}
	if list.Files == nil {
		list.Files = map[string]string{}
	}
	return list, nil
}

// write replaces a trust file as a whole, so that a reader sees the old list or
// the new one.
func (l trustList) write(path string) error {
	data, err := strict.Canonical(l)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".trust-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
