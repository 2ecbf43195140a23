// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package gitstate

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// errIndex says that a git index is cut short or of an unknown version.
var errIndex = errors.New("not a git index of version 2, 3 or 4")

// gitlinks returns the paths of the entries of mode 160000 in a git index, see
// gitformat-index(5). hashSize is 20, or 32 in a SHA-256 repository. Entries
// before a malformed one are returned with the error.
func gitlinks(index []byte, hashSize int) ([]string, error) {
	be := binary.BigEndian
	if err := checkIndex(index); err != nil {
		return nil, err
	}
	version, count := be.Uint32(index[4:]), be.Uint32(index[8:])
	var links []string
	var name []byte
	rest := index[12:]
	for range count {
		fixed := 40 + hashSize + 2 // stat data, id, flags
		if len(rest) < fixed {
			return links, errIndex
		}
		mode, flags := be.Uint32(rest[24:]), be.Uint16(rest[fixed-2:])
		if flags&0x4000 != 0 { // extended
			if fixed += 2; version == 2 || len(rest) < fixed {
				return links, errIndex
			}
		}
		tail := rest[fixed:]
		keep := 0
		if version == 4 { // how much of the previous name to drop, then the rest
			drop, n := offsetVarint(tail)
			if n == 0 || drop > len(name) {
				return links, errIndex
			}
			keep, tail = len(name)-drop, tail[n:]
		}
		end := bytes.IndexByte(tail, 0)
		if end < 0 {
			return links, errIndex
		}
		name = append(name[:keep:keep], tail[:end]...)
		size := len(rest) - len(tail) + end + 1
		if version != 4 { // padded to a multiple of 8
			size = (size + 7) &^ 7
		}
		if size > len(rest) {
			return links, errIndex
		}
		rest = rest[size:]
		if mode&0o170000 == 0o160000 {
			links = append(links, string(name))
		}
	}
	return links, nil
}

// checkIndex looks at the header of an index.
func checkIndex(index []byte) error {
	if len(index) < 12 || string(index[:4]) != "DIRC" {
		return errIndex
	}
	if version := binary.BigEndian.Uint32(index[4:]); version < 2 || version > 4 {
		return errIndex
	}
	return nil
}

// offsetVarint reads git's variable-width integer; n is 0 if there is none.
func offsetVarint(b []byte) (v, n int) {
	for n < len(b) && n < 4 { // names are far shorter than 1<<28
		c := b[n]
		if n > 0 {
			v++
		}
		v = v<<7 | int(c&0x7f)
		n++
		if c&0x80 == 0 {
			return v, n
		}
	}
	return 0, 0
}
