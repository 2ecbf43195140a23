// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/outfile"
)

// Log is an audit file that is open for appending. Its methods may be called from
// several goroutines at once.
type Log struct {
	path string
	mu   sync.Mutex
	file *os.File
	lock *os.File
}

// Open opens an audit file, and makes it where it is missing. The file is the
// caller's own, regular, with one name, closed to others, and outside of what
// commands write; root returns the writable directory around a real path, or "".
// Locks lie in state, a directory that commands do not see: they could hold up
// caisson by a lock on the file itself.
func Open(path, state string, root func(string) string) (*Log, error) {
	file, err := outfile.Open(path, os.O_RDWR|os.O_APPEND, outfile.Outside(root))
	if err != nil {
		return nil, err
	}
	l := &Log{path: path, file: file}
	if err = private(file); err == nil {
		l.lock, err = openLock(state, file)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err == nil {
		err = l.locked(func() error { _, _, err := l.tail(); return err })
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// openLock opens the file that stands for the lock of an audit file.
func openLock(state string, file *os.File) (*os.File, error) {
	id, err := identity(file)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(state, "audit")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(id))
	return os.OpenFile(filepath.Join(dir, hex.EncodeToString(sum[:8])+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
}

// Path is the path that the file was opened by.
func (l *Log) Path() string { return l.path }

// Close closes the file.
func (l *Log) Close() error {
	err := l.file.Close()
	if l.lock != nil {
		l.lock.Close()
	}
	return err
}

func (l *Log) locked(f func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := lock(l.lock); err != nil {
		return fmt.Errorf("its lock: %w", err)
	}
	defer unlock(l.lock)
	return f()
}

// Append adds a record. When it returns the record is on the disk; if it fails,
// nothing was added.
func (l *Log) Append(r Record) error {
	return l.locked(func() error {
		if err := l.same(); err != nil {
			return err
		}
		line, ends, err := l.tail()
		if err != nil {
			return err
		}
		last, broken := decode(line)
		torn := len(line) > 0 && broken != nil
		r.Schema, r.Seq, r.Prev, r.AfterTorn = Schema, 1, "", torn
		if len(line) > 0 {
			r.Prev = hashOf(line)
			r.Seq = last.Seq + 1
		}
		if torn {
			// Half a record has no number: the one before it does.
			report, err := Verify(io.NewSectionReader(l.file, 0, 1<<62), "")
			if err != nil {
				return err
			}
			r.Seq = report.Last + 1
		}
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		text = diag.EscapeJSON(text)
		if len(text) > MaxLine {
			return fmt.Errorf("a record of %d bytes", len(text))
		}
		if !ends {
			text = append([]byte{'\n'}, text...)
		}
		return l.write(append(text, '\n'))
	})
}

// write adds bytes in one piece, or none.
func (l *Log) write(text []byte) error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	if _, err = l.file.Write(text); err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		return errors.Join(err, l.file.Truncate(info.Size()))
	}
	return nil
}

// same refuses to go on in a file that has no name any more, or another one:
// nobody would look for the records there.
func (l *Log) same() error {
	ours, err := l.file.Stat()
	if err != nil {
		return err
	}
	theirs, err := os.Stat(l.path)
	if err != nil || !os.SameFile(ours, theirs) {
		return errors.New("it was replaced by another file")
	}
	return nil
}

// tail returns the last line without its end; ends is false where it has none.
// What is neither a record nor, at the very end, half of one is refused.
func (l *Log) tail() (line []byte, ends bool, err error) {
	info, err := l.file.Stat()
	if err != nil || info.Size() == 0 {
		return nil, true, err
	}
	size := min(info.Size(), MaxLine+2)
	buf := make([]byte, size)
	if _, err := l.file.ReadAt(buf, info.Size()-size); err != nil && err != io.EOF {
		return nil, false, err
	}
	ends = buf[len(buf)-1] == '\n'
	line = bytes.TrimSuffix(buf, []byte{'\n'})
	if at := bytes.LastIndexByte(line, '\n'); at >= 0 {
		line = line[at+1:]
	} else if size < info.Size() {
		return nil, false, errors.New("its last line is longer than a record can be")
	}
	_, broken := decode(line)
	if broken != nil && (ends || line[0] != '{') {
		return nil, false, fmt.Errorf("its last line is no record: %w", broken)
	}
	return line, ends, nil
}
