// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

// ReadFile reads the text of a policy file of at most 1 MiB. A path of "-" is
// stdin. Only a regular file is read, or a pipe on stdin: a device or FIFO
// might block, or give another text to the next reader.
func ReadFile(path string, stdin io.Reader) ([]byte, error) {
	if path == "-" {
		return readStdin(stdin)
	}
	// Asked before opening, which on some devices already does something; and
	// after, because the path may lead elsewhere by then.
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if err := readable(path, info.Mode(), false); err != nil {
		return nil, err
	}
	f, err := openFile(path, true)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	return readOpen(path, f)
}

// readOpen reads a file that is open, if it is a regular one.
func readOpen(path string, f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, unreadable(path, err)
	}
	if err := readable(path, info.Mode(), false); err != nil {
		return nil, err
	}
	return readBounded(path, f)
}

func readStdin(stdin io.Reader) ([]byte, error) {
	const name = "standard input"
	if stdin == nil {
		return nil, invalid(name, "is not available", "")
	}
	if f, ok := stdin.(*os.File); ok {
		info, err := f.Stat()
		if err != nil {
			return nil, unreadable(name, err)
		}
		if err := readable(name, info.Mode(), true); err != nil {
			return nil, err
		}
	}
	return readBounded(name, stdin)
}

func readBounded(name string, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, strict.MaxSize+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	if len(data) > strict.MaxSize {
		return nil, invalid(name, "is larger than 1 MiB", "")
	}
	return data, nil
}

func readable(name string, mode fs.FileMode, pipes bool) error {
	what := ""
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		what = "is a directory"
	case mode&fs.ModeNamedPipe != 0:
		if pipes {
			return nil
		}
		what = "is a FIFO"
	case mode&fs.ModeDevice != 0:
		what = "is a device or terminal"
	case mode&fs.ModeSymlink != 0:
		what = "is a symbolic link"
	case mode&fs.ModeSocket != 0:
		what = "is a socket"
	default:
		what = "is no regular file"
	}
	remedy := "name a regular file, or - for a pipe on standard input"
	if pipes {
		remedy = "use a pipe or a regular file as standard input"
	}
	return invalid(name, what, remedy)
}

// unreadable says why a policy file cannot be read, in words of its own where
// the reason is an ordinary one.
func unreadable(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return invalid(name, "does not exist", "")
	case errors.Is(err, fs.ErrPermission):
		return invalid(name, "cannot be read: permission denied", "")
	}
	var perr *fs.PathError
	if errors.As(err, &perr) {
		err = perr.Err
	}
	return invalid(name, fmt.Sprintf("cannot be read: %v", err), "")
}

func invalid(name, what, remedy string) *diag.Diagnostic {
	if name != "standard input" {
		name = diag.Quote(name)
	}
	return diag.New(diag.PolicyInvalid, name+" "+what, remedy)
}
