// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// maxProgram bounds the size of a program that is hashed, in bytes.
const maxProgram = 512 << 20

// Program is an open program file with the hash of its content. Execute the
// file, not the path: what the path leads to may change.
type Program struct {
	File   *os.File
	Path   string // real
	SHA256 string // in hexadecimal
}

// Close closes the file.
func (p *Program) Close() error { return p.File.Close() }

// Open opens and hashes a program. It refuses what is no regular executable
// file, is a symbolic link, or could be changed or replaced by anybody but the
// caller and administrators: the file and every directory above it are looked
// at. Errors have the code plugin-unsafe.
func Open(path string) (*Program, error) {
	unsafe := func(err error) error {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return diag.New(diag.PluginUnsafe, err.Error(), "")
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return nil, unsafe(err)
	}
	real := filepath.Join(dir, filepath.Base(path))
	if info, err := os.Lstat(real); err != nil {
		return nil, unsafe(err)
	} else if info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 {
		return nil, unsafe(errors.New("it is a symbolic link; name the file itself"))
	}
	f, err := openProgram(real)
	if err != nil {
		return nil, unsafe(err)
	}
	sum, err := hashProgram(f)
	if err == nil {
		// After the file is open: what is looked at here is not older than it.
		err = policy.Vouch(real)
	}
	if err == nil {
		err = sameFile(f, real)
	}
	if err != nil {
		f.Close()
		return nil, unsafe(err)
	}
	return &Program{File: f, Path: real, SHA256: sum}, nil
}

func hashProgram(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	switch {
	case !info.Mode().IsRegular():
		return "", errors.New("it is no regular file")
	case info.Size() > maxProgram:
		return "", fmt.Errorf("it is larger than %d MiB", maxProgram>>20)
	case !executable(info):
		return "", errors.New("it may not be executed")
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxProgram+1)); err != nil {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sameFile checks that the path still leads to the open file.
func sameFile(f *os.File, path string) error {
	open, err := f.Stat()
	if err != nil {
		return err
	}
	now, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(open, now) {
		return errors.New("it was replaced while it was looked at")
	}
	return nil
}
