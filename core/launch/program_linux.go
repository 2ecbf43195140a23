// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/binary"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// A program is a launch list: system calls in order, and the data that they
// point to. image_linux.go makes an executable of it. Calls fail the list
// unless they say otherwise: the walker then writes the errno and the entry to
// the report descriptor and ends the process.
type program struct {
	entries []entry
	data    []byte
	relocs  []int // offsets of words of data that are addresses
	report  int   // descriptor, in the process that runs the list
	step    int   // of the plan, that entries are added for
}

// An entry is one system call, or an act of the walker where nr is negative.
type entry struct {
	nr    int
	flags int
	args  [6]arg
	store arg    // where the result is written; zero: nowhere
	jump  int    // index of the entry to go to when the result is 0; 0: none
	step  int    // index of the plan's step, -1 for the launcher's own entries
	what  string // for people: what failed, or what the printed list says
}

// The walker's own acts.
const (
	nrCheck = -1 // *arg0 & arg1 == arg2, else ESTALE
	nrCopy  = -2 // *arg1 = *arg0
	nrMark  = -3 // *arg0 |= arg1
)

// Flags of an entry.
const (
	flagIgnore  = 1 // an error is no failure
	flagRetry   = 2 // try again when interrupted
	flagOnError = 4 // an error, not a zero result, goes to jump
)

// arg is an argument of an entry: a constant, the address of data, or the
// content of a cell when the entry is executed.
type arg struct {
	value uint64
	kind  argKind
}

type argKind uint8

const (
	constant argKind = iota
	address
	content
)

// num is a constant argument.
func num(v int) arg { return arg{value: uint64(v)} }

// atFDCWD is AT_FDCWD of openat(2).
var atFDCWD = num(unix.AT_FDCWD)

// call adds a system call.
func (p *program) call(what string, nr int, args ...arg) *entry {
	p.entries = append(p.entries, entry{nr: nr, what: what, step: p.step})
	e := &p.entries[len(p.entries)-1]
	copy(e.args[:], args)
	return e
}

// bytes places b in the data segment, aligned to 8.
func (p *program) bytes(b []byte) arg {
	at := len(p.data)
	p.data = append(p.data, b...)
	for len(p.data)%8 != 0 {
		p.data = append(p.data, 0)
	}
	return arg{value: uint64(at), kind: address}
}

// str places a NUL-terminated string.
func (p *program) str(s string) arg {
	at := len(p.data)
	p.data = append(append(p.data, s...), 0)
	for len(p.data)%8 != 0 {
		p.data = append(p.data, 0)
	}
	return arg{value: uint64(at), kind: address}
}

// words places 64-bit words; an address among them is relocated.
func (p *program) words(ws ...arg) arg {
	at := len(p.data)
	for _, w := range ws {
		if w.kind != constant {
			p.relocs = append(p.relocs, len(p.data))
		}
		p.data = binary.LittleEndian.AppendUint64(p.data, w.value)
	}
	return arg{value: uint64(at), kind: address}
}

// cell places one word for a result, with a first value.
func (p *program) cell(v int) cell { return cell{p.words(num(v))} }

// cell is a place for a result, such as a descriptor.
type cell struct{ at arg }

// value is the content of the cell when the entry is executed.
func (c cell) value() arg { return arg{value: c.at.value, kind: content} }

// plus is the address n bytes further on.
func (a arg) plus(n int) arg { a.value += uint64(n); return a }

// to stores the result of the entry in a cell.
func (e *entry) to(c cell) *entry { e.store = c.at; return e }

// toField stores the result at an address.
func (e *entry) toField(a arg) *entry { e.store = a; return e }

// with sets flags.
func (e *entry) with(flags int) *entry { e.flags |= flags; return e }

// check adds a comparison: the word at an address, masked, must be want.
func (p *program) check(what string, at arg, mask, want uint64) {
	p.call(what, nrCheck, at, arg{value: mask}, arg{value: want})
}

// mark adds the setting of bits in the word at an address.
func (p *program) mark(at arg, bits uint64) {
	p.call("mark the step as applied", nrMark, at, arg{value: bits})
}

const entrySize = 80

// segment returns the bytes of the data segment.
func (p *program) segment() []byte {
	base := uint64(dataAddress + headerSize + entrySize*len(p.entries))
	le := binary.LittleEndian
	out := make([]byte, headerSize, headerSize+entrySize*len(p.entries)+len(p.data))
	le.PutUint64(out, uint64(p.report))
	for i := range p.entries {
		e := &p.entries[i]
		flags := uint64(e.flags)
		var words [6]uint64
		for j, a := range e.args {
			words[j] = a.value
			if a.kind != constant {
				words[j] += base
			}
			if a.kind == content {
				flags |= 1 << (8 + j)
			}
		}
		out = le.AppendUint64(out, uint64(e.nr))
		out = le.AppendUint64(out, flags)
		for _, w := range words {
			out = le.AppendUint64(out, w)
		}
		var store, jump uint64
		if e.store.kind == address {
			store = base + e.store.value
		}
		if e.jump != 0 {
			jump = entryAddress(e.jump)
		}
		out = le.AppendUint64(out, store)
		out = le.AppendUint64(out, jump)
	}
	start := len(out)
	out = append(out, p.data...)
	for _, at := range p.relocs {
		word := out[start+at:]
		le.PutUint64(word, le.Uint64(word)+base)
	}
	return out
}

func entryAddress(i int) uint64 { return uint64(dataAddress + headerSize + entrySize*i) }

// memfd makes the sealed executable that runs the list. The caller closes it.
func (p *program) memfd() (int, error) {
	fd, err := unix.MemfdCreate("caisson", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if err == unix.EINVAL { // before Linux 6.3 there is no MFD_EXEC, and no need for it
		fd, err = unix.MemfdCreate("caisson", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, fmt.Errorf("memfd_create: %w", err)
	}
	segment := p.segment()
	err = writeAt(fd, imageHead(runtime.GOARCH, len(segment)), 0)
	if err == nil {
		err = writeAt(fd, segment, dataOffset)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("write launch list: %w", err)
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("seal launch list: %w", err)
	}
	return fd, nil
}

func writeAt(fd int, b []byte, at int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, at)
		if err != nil {
			return err
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}
