// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"encoding/binary"
)

// A launch list is executed by a process of its own: a static executable of
// two segments, made in a sealed memfd. The first holds imageText, the walker
// (image_amd64.s, image_arm64.s), under 1 KiB; the second holds the list and
// everything that it points to. The process that runs it shares no memory with
// the caller, whatever the list does.
const (
	imageBase   = 0x400000
	pageSize    = 0x10000 // alignment of segments; also right for 64 KiB pages
	textOffset  = 64 + 3*56
	dataOffset  = pageSize
	dataAddress = imageBase + dataOffset
	headerSize  = 64 // of the data segment; the walker knows the first three words
)

// elfMachine is EM_X86_64 or EM_AARCH64 of elf(5).
var elfMachines = map[string]uint16{"amd64": 62, "arm64": 183}

// imageFile returns the executable for a data segment, per elf(5).
func imageFile(arch string, data []byte) []byte {
	const (
		ptLoad, ptStack = 1, 0x6474e551
		r, w, x         = 4, 2, 1
	)
	text := imageText()
	le := binary.LittleEndian
	var b bytes.Buffer
	put := func(vs ...any) {
		for _, v := range vs {
			_ = binary.Write(&b, le, v) // into a bytes.Buffer: cannot fail
		}
	}
	b.WriteString("\x7fELF\x02\x01\x01")
	b.Write(make([]byte, 9))
	put(uint16(2), elfMachines[arch], uint32(1), uint64(imageBase+textOffset), uint64(64), uint64(0),
		uint32(0), uint16(64), uint16(56), uint16(3), uint16(0), uint16(0), uint16(0))
	put(uint32(ptLoad), uint32(r|x), uint64(0), uint64(imageBase), uint64(imageBase), uint64(textOffset+len(text)), uint64(textOffset+len(text)), uint64(pageSize))
	put(uint32(ptLoad), uint32(r|w), uint64(dataOffset), uint64(dataAddress), uint64(dataAddress), uint64(len(data)), uint64(len(data)), uint64(pageSize))
	put(uint32(ptStack), uint32(r|w), uint64(0), uint64(0), uint64(0), uint64(0), uint64(0), uint64(16))
	b.Write(text)
	b.Write(make([]byte, dataOffset-b.Len()))
	b.Write(data)
	return b.Bytes()
}
