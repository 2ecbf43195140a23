// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package gitstate

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// errNoObject says that a repository had no such object before a time, or none
// that can be read here. Nothing is trusted on that account.
var errNoObject = errors.New("no such object from before the run")

const (
	maxObject = 4 << 20 // bytes of an object that is read
	maxChain  = 64      // deltas on deltas
	maxPacks  = 256
)

// objectID names an object of a SHA-1 repository. Others are not read.
type objectID [sha1.Size]byte

// oldObjects reads the objects of a git repository that were there before a
// time, see gitformat-pack(5). Commands can write to the repository, but not
// set back the change time of a file: an object in a file that was not changed
// since then is old, and its content is what its id says, which is checked.
type oldObjects struct {
	dir    string // the directory "objects"
	before time.Time
	packs  []*pack
}

// pack is an old pack with its old index.
type pack struct{ index, data *os.File }

// farFuture is a time before which everything was.
func farFuture() time.Time { return time.Unix(0, math.MaxInt64) }

func openObjects(dir string, before time.Time) *oldObjects {
	o := &oldObjects{dir: dir, before: before}
	names, _ := filepath.Glob(filepath.Join(dir, "pack", "pack-*.idx"))
	for _, name := range names[:min(len(names), maxPacks)] {
		index, err := o.open(name)
		if err != nil {
			continue
		}
		data, err := o.open(strings.TrimSuffix(name, ".idx") + ".pack")
		if err != nil {
			index.Close()
			continue
		}
		o.packs = append(o.packs, &pack{index, data})
	}
	return o
}

func (o *oldObjects) close() {
	for _, p := range o.packs {
		p.index.Close()
		p.data.Close()
	}
}

// open opens a regular file that is old.
func (o *oldObjects) open(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	if !o.old(f) {
		f.Close()
		return nil, errNoObject
	}
	return f, nil
}

func (o *oldObjects) old(f *os.File) bool {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && changeTime(&st) < o.before.UnixNano()
}

// read returns an object of a kind, "commit" or "tree".
func (o *oldObjects) read(kind string, id objectID) ([]byte, error) {
	text, err := o.loose(kind, id)
	for _, p := range o.packs {
		if err == nil {
			break
		}
		if text, err = p.find(kind, id); err == nil && !(o.old(p.index) && o.old(p.data)) {
			err = errNoObject // written to after it was opened
		}
	}
	if err != nil {
		return nil, err
	}
	if hashObject(kind, text) != id {
		return nil, errNoObject
	}
	return text, nil
}

// hashObject is the id of an object.
func hashObject(kind string, text []byte) objectID {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(text))
	h.Write(text)
	return objectID(h.Sum(nil))
}

func (o *oldObjects) loose(kind string, id objectID) ([]byte, error) {
	name := hex.EncodeToString(id[:])
	f, err := o.open(filepath.Join(o.dir, name[:2], name[2:]))
	if err != nil {
		return nil, errNoObject
	}
	defer f.Close()
	b, err := inflate(f, maxObject)
	if err != nil || !o.old(f) {
		return nil, errNoObject
	}
	header, text, ok := bytes.Cut(b, []byte{0})
	if !ok || string(header) != fmt.Sprintf("%s %d", kind, len(text)) {
		return nil, errNoObject
	}
	return text, nil
}

func inflate(r io.Reader, limit int64) ([]byte, error) {
	z, err := zlib.NewReader(r)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	b, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errNoObject
	}
	return b, err
}

// Kinds of objects in a pack.
const (
	packedOffsetDelta = 6
	packedIDDelta     = 7
)

var packedKinds = [...]string{1: "commit", 2: "tree", 3: "blob", 4: "tag"}

func (p *pack) find(kind string, id objectID) ([]byte, error) {
	at, err := p.offset(id)
	if err != nil {
		return nil, err
	}
	found, text, err := p.object(at, maxChain)
	if err == nil && found != kind {
		err = errNoObject
	}
	return text, err
}

// offset looks an id up in an index of version 2.
func (p *pack) offset(id objectID) (int64, error) {
	var head [8 + 256*4]byte
	if _, err := p.index.ReadAt(head[:], 0); err != nil || string(head[:8]) != "\xfftOc\x00\x00\x00\x02" {
		return 0, errNoObject
	}
	be := binary.BigEndian
	fan := func(n int) int64 { return int64(be.Uint32(head[8+4*n:])) }
	low, high, count := int64(0), fan(int(id[0])), fan(255)
	if id[0] > 0 {
		low = fan(int(id[0]) - 1)
	}
	ids := int64(len(head))
	for low < high {
		mid := (low + high) / 2
		var entry objectID
		if _, err := p.index.ReadAt(entry[:], ids+mid*sha1.Size); err != nil {
			return 0, errNoObject
		}
		switch c := bytes.Compare(entry[:], id[:]); {
		case c < 0:
			low = mid + 1
		case c > 0:
			high = mid
		default:
			var word [8]byte
			offsets := ids + count*(sha1.Size+4)
			if _, err := p.index.ReadAt(word[:4], offsets+mid*4); err != nil {
				return 0, errNoObject
			}
			small := be.Uint32(word[:])
			if small&(1<<31) == 0 {
				return int64(small), nil
			}
			if _, err := p.index.ReadAt(word[:], offsets+count*4+int64(small&^(1<<31))*8); err != nil {
				return 0, errNoObject
			}
			return int64(be.Uint64(word[:]) & (1<<62 - 1)), nil
		}
	}
	return 0, errNoObject
}

// object reads the object at an offset, which may be a delta to another.
func (p *pack) object(at int64, chain int) (string, []byte, error) {
	var head [64]byte
	n, _ := p.data.ReadAt(head[:], at)
	kind, used := packedKind(head[:n])
	if used == 0 || chain == 0 {
		return "", nil, errNoObject
	}
	base := int64(0)
	switch kind {
	case packedOffsetDelta:
		back, size := offsetVarint(head[used:n])
		if size == 0 || int64(back) >= at {
			return "", nil, errNoObject
		}
		base, used = at-int64(back), used+size
	case packedIDDelta:
		if used+sha1.Size > n {
			return "", nil, errNoObject
		}
		var err error
		if base, err = p.offset(objectID(head[used : used+sha1.Size])); err != nil {
			return "", nil, err
		}
		used += sha1.Size
	}
	text, err := inflate(io.NewSectionReader(p.data, at+int64(used), 2*maxObject), maxObject)
	if err != nil {
		return "", nil, errNoObject
	}
	if base == 0 {
		if kind < 1 || kind >= len(packedKinds) {
			return "", nil, errNoObject
		}
		return packedKinds[kind], text, nil
	}
	name, old, err := p.object(base, chain-1)
	if err != nil {
		return "", nil, err
	}
	text, err = applyDelta(old, text)
	return name, text, err
}

// packedKind reads the type in the header of an object in a pack, and how many
// bytes the header has; 0: it is malformed.
func packedKind(b []byte) (kind, n int) {
	for n < len(b) && n < 10 {
		n++
		if b[n-1]&0x80 == 0 {
			return int(b[0] >> 4 & 7), n
		}
	}
	return 0, 0
}
