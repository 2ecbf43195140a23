// SPDX-License-Identifier: Apache-2.0

// Package journal keeps, on disk, what must be undone on the host if caisson
// is killed: the placeholders that stand where a protected name is absent, and
// the names that must not appear.
//
// The journal is a directory of caisson's state. Each placeholder has one
// file there, the record, written before the placeholder is made and removed
// after it. The record's name is the placeholder's identity, so that a
// directory of the user that has the same path is never taken for ours; its
// content says where the placeholder is. Every sandbox that relies on a
// placeholder holds a shared lock on its record: the one that gets the lock
// for itself alone is the last one and removes both; the file of the record
// stays as a spare for a later one. One more lock orders all making and removing.
//
// A sandbox that moves names away when they appear has a record of these names
// as well, locked the same way, by which what it left when it was killed is
// moved away later.
//
// Locks and records can be opened for writing only. A command in a sandbox,
// for which the state is read-only, can therefore lock none of them: it can
// neither keep a placeholder from being removed nor make others wait.
package journal

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Kinds of placeholders.
const (
	KindDir  = "dir"
	KindFile = "file"
	KindLink = "link" // a symbolic link; Content is its target
)

// maxRecord bounds the size of a record in bytes, encoded.
const maxRecord = 64 << 10

// Record says what stands where. The zero value is invalid.
type Record struct {
	Path    string // absolute, clean
	Kind    string // KindDir, KindFile or KindLink
	Content string // of a file
}

const header = "caisson placeholder 1"

// Encode gives the record's text. Paths are quoted as in Go, for they may
// hold any byte.
func (r Record) Encode() []byte {
	return fmt.Appendf(nil, "%s\npath %q\nkind %s\ncontent %q\nend\n", header, r.Path, r.Kind, r.Content)
}

// Decode reads what Encode wrote and nothing else: a text that Encode would
// have written differently is an error, and so is one that was cut short.
func Decode(b []byte) (Record, error) {
	if len(b) > maxRecord {
		return Record{}, errors.New("record is too long")
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) != 6 || lines[0] != header || lines[4] != "end" || lines[5] != "" {
		return Record{}, errors.New("not a record of this version, or cut short")
	}
	var r Record
	var err error
	if r.Path, err = quoted(lines[1], "path "); err != nil {
		return Record{}, err
	}
	r.Kind = strings.TrimPrefix(lines[2], "kind ")
	if r.Content, err = quoted(lines[3], "content "); err != nil {
		return Record{}, err
	}
	switch {
	case !path.IsAbs(r.Path) || path.Clean(r.Path) != r.Path || r.Path == "/" || strings.ContainsRune(r.Path, 0):
		return Record{}, fmt.Errorf("path %q is not absolute and clean", r.Path)
	case r.Kind != KindDir && r.Kind != KindFile && r.Kind != KindLink:
		return Record{}, fmt.Errorf("unknown kind %q", r.Kind)
	case r.Kind == KindDir && r.Content != "":
		return Record{}, errors.New("a directory has no content")
	case r.Kind == KindLink && r.Content == "":
		return Record{}, errors.New("a link without a target")
	case !bytes.Equal(r.Encode(), b):
		return Record{}, errors.New("record is not in canonical form")
	}
	return r, nil
}

func quoted(line, key string) (string, error) {
	text, ok := strings.CutPrefix(line, key)
	if !ok {
		return "", fmt.Errorf("line %q does not begin with %q", line, key)
	}
	s, err := strconv.Unquote(text)
	if err != nil {
		return "", fmt.Errorf("%s%s: %w", key, text, err)
	}
	return s, nil
}
