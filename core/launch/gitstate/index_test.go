// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package gitstate

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testIndex encodes an index as gitformat-index(5) says.
func testIndex(version uint32, hashSize int, entries map[string]uint32, order ...string) []byte {
	be := binary.BigEndian
	b := append([]byte("DIRC"), make([]byte, 8)...)
	be.PutUint32(b[4:], version)
	be.PutUint32(b[8:], uint32(len(order)))
	last := ""
	for i, name := range order {
		start := len(b)
		entry := make([]byte, 40+hashSize+2)
		be.PutUint32(entry[24:], entries[name])
		extended := version >= 3 && i%2 == 0
		if extended {
			be.PutUint16(entry[40+hashSize:], 0x4000)
			entry = append(entry, 0, 0)
		}
		b = append(b, entry...)
		if version == 4 {
			n := 0
			for n < len(last) && n < len(name) && last[n] == name[n] {
				n++
			}
			drop := len(last) - n
			if drop >= 128 { // two bytes: (1+high) << 7 | low
				b = append(b, byte(0x80|(drop>>7-1)), byte(drop&0x7f))
			} else {
				b = append(b, byte(drop))
			}
			b = append(append(b, name[n:]...), 0)
		} else {
			b = append(append(b, name...), 0)
			for (len(b)-start)%8 != 0 {
				b = append(b, 0)
			}
		}
		last = name
	}
	return append(b, make([]byte, hashSize)...)
}

func TestGitlinks(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("d/", 150) + "file"
	entries := map[string]uint32{"a": 0o100644, long: 0o100755, "link": 0o120000, "sub": 0o160000, "sub/dir": 0o160000, "z": 0o100644}
	order := []string{"a", long, "link", "sub", "sub/dir", "z"}
	for _, version := range []uint32{2, 3, 4} {
		for _, size := range []int{20, 32} {
			b := testIndex(version, size, entries, order...)
			got, err := gitlinks(b, size)
			if err != nil {
				t.Errorf("version %d, ids of %d bytes: %v", version, size, err)
			}
			if d := cmp.Diff([]string{"sub", "sub/dir"}, got); d != "" {
				t.Errorf("version %d, ids of %d bytes: %s", version, size, d)
			}
			for n := range len(b) - size {
				if _, err := gitlinks(b[:n], size); err == nil {
					t.Errorf("version %d: accepted when cut to %d bytes", version, n)
					break
				}
			}
		}
	}
	if _, err := gitlinks([]byte("DIRC\x00\x00\x00\x05\x00\x00\x00\x00"), 20); err == nil {
		t.Error("version 5 was accepted")
	}
}

func FuzzGitlinks(f *testing.F) {
	for _, version := range []uint32{2, 3, 4} {
		f.Add(testIndex(version, 20, map[string]uint32{"a": 0o100644, "ab": 0o160000}, "a", "ab"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		links, _ := gitlinks(b, 20)
		for _, name := range links {
			if strings.ContainsRune(name, 0) {
				t.Errorf("name %q", name)
			}
		}
	})
}
