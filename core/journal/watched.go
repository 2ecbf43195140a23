// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// watchedPrefix begins the names of the records of watched names.
const watchedPrefix = "watch-"

// maxWatched bounds the size of such a record in bytes, encoded.
const maxWatched = 4 << 20

// Watched says which names a sandbox moves away when they appear, so that what
// is left of them when it is killed is moved away later. The record is dropped
// when the sandbox has done so itself.
type Watched struct {
	Since time.Time // when the sandbox was made
	Names []string  // absolute, clean, absent then
	Git   []string  // git directories whose commits may hold the names
	// Ended is set by who saw the sandbox end: the record was written to last
	// at that time.
	Ended bool
}

const (
	watchedHeader = "caisson watch 1"
	watchedEnd    = "end\n"
	// Ended is what is written behind a record of watched names when the
	// sandbox has ended.
	Ended = "ended\n"
)

// Encode gives the record's text.
func (w Watched) Encode() []byte {
	b := fmt.Appendf(nil, "%s\nsince %d\n", watchedHeader, w.Since.UnixNano())
	for _, name := range w.Names {
		b = fmt.Appendf(b, "name %q\n", name)
	}
	for _, dir := range w.Git {
		b = fmt.Appendf(b, "git %q\n", dir)
	}
	b = append(b, watchedEnd...)
	if w.Ended {
		b = append(b, Ended...)
	}
	return b
}

// DecodeWatched reads what Encode wrote and nothing else.
func DecodeWatched(b []byte) (Watched, error) {
	if len(b) > maxWatched {
		return Watched{}, errors.New("record is too long")
	}
	var w Watched
	lines := strings.Split(string(b), "\n")
	if len(lines) < 3 || lines[0] != watchedHeader {
		return Watched{}, errors.New("not a record of this version, or cut short")
	}
	since, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "since "), 10, 64)
	if err != nil {
		return Watched{}, fmt.Errorf("since: %w", err)
	}
	w.Since = time.Unix(0, since)
	for _, line := range lines[2:] {
		list, key := &w.Names, "name "
		switch {
		case strings.HasPrefix(line, "git "):
			list, key = &w.Git, "git "
		case line+"\n" == Ended:
			w.Ended = true
			continue
		case !strings.HasPrefix(line, key):
			continue // the comparison below tells
		}
		name, err := quoted(line, key)
		if err != nil {
			return Watched{}, err
		}
		*list = append(*list, name)
	}
	notClean := func(name string) bool {
		return !path.IsAbs(name) || path.Clean(name) != name || name == "/" || strings.ContainsRune(name, 0)
	}
	if slices.ContainsFunc(w.Names, notClean) {
		return Watched{}, errors.New("a name is not absolute and clean")
	}
	if !bytes.Equal(w.Encode(), b) {
		return Watched{}, errors.New("record is not in canonical form")
	}
	return w, nil
}

// IsWatched reports whether a name in the journal is that of a record of
// watched names.
func IsWatched(name string) bool { return strings.HasPrefix(name, watchedPrefix) }
