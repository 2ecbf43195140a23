// SPDX-License-Identifier: Apache-2.0

// Forwarder writes a bcryptprimitives.dll for old versions of Wine, which have
// none: programs of Go do not start there without. It exports ProcessPrng and
// holds no code; the loader passes calls on to SystemFunction036 of advapi32,
// which is RtlGenRandom and takes the same arguments.
//
//	forwarder FILE
//
// The form of the file is that of "PE Format" in the documentation of Windows.
// It is for tests under Wine alone.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: forwarder FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], dll(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	section  = 0x1000 // where the one section is, in memory
	fileSize = 0x200  // alignment in the file
)

// dll gives the file: headers of 0x200 bytes, one section with exports.
func dll() []byte {
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v) // to memory: cannot fail
		}
	}
	exports := exportSection()
	b.WriteString("MZ")
	b.Write(make([]byte, 58))
	put(uint32(64)) // where the next header is
	b.WriteString("PE\x00\x00")
	put(uint16(0x8664), uint16(1), uint32(0), uint32(0), uint32(0), uint16(240), uint16(0x2022))
	put(uint16(0x20b), uint16(0), uint32(0), uint32(fileSize), uint32(0), uint32(0), uint32(section), uint64(0x180000000),
		uint32(0x1000), uint32(fileSize), uint16(6), uint16(0), uint16(0), uint16(0), uint16(6), uint16(0), uint32(0),
		uint32(2*section), uint32(fileSize), uint32(0), uint16(3), uint16(0x100),
		uint64(0x100000), uint64(0x1000), uint64(0x100000), uint64(0x1000), uint32(0), uint32(16))
	put(uint32(section), uint32(len(exports))) // the directory of exports
	b.Write(make([]byte, 15*8))
	b.WriteString(".edata\x00\x00")
	put(uint32(len(exports)), uint32(section), uint32(fileSize), uint32(fileSize), uint32(0), uint32(0), uint32(0), uint32(0x40000040))
	b.Write(make([]byte, fileSize-b.Len()))
	b.Write(exports)
	b.Write(make([]byte, 2*fileSize-b.Len()))
	return b.Bytes()
}

// exportSection has one name. An address that lies inside the section is that
// of the text that says whom to call.
func exportSection() []byte {
	const functions, names, ordinals, texts = 40, 44, 48, 50
	module, name, target := "bcryptprimitives.dll\x00", "ProcessPrng\x00", "advapi32.SystemFunction036\x00"
	at := func(offset int) uint32 { return uint32(section + offset) }
	var b bytes.Buffer
	for _, v := range []uint32{
		0, 0, 0, at(texts), 1, 1, 1, at(functions), at(names), at(ordinals),
		at(texts + len(module) + len(name)), at(texts + len(module)),
	} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.Write([]byte{0, 0})
	b.WriteString(module + name + target)
	return b.Bytes()
}
