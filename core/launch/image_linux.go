// SPDX-License-Identifier: Apache-2.0

package launch

import "encoding/binary"

// A launch list is executed by a process of its own: a static executable of
// two segments, made in a sealed memfd. The first holds imageText, the walker
// (image_linux_amd64.s, image_linux_arm64.s), under 1 KiB; the second holds the list and
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
func elfMachine(arch string) uint16 {
	if arch == "arm64" {
		return 183
	}
	return 62
}

// imageHead returns what precedes the data segment in the executable, per
// elf(5): the headers and the walker. Between it and dataOffset lies a hole.
func imageHead(arch string, dataSize int) []byte {
	const (
		ptLoad, ptStack = 1, 0x6474e551
		r, w, x         = 4, 2, 1
	)
	text := imageText()
	le := binary.LittleEndian
	b := make([]byte, 0, textOffset+len(text))
	b = append(b, "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	b = le.AppendUint16(b, 2) // ET_EXEC
	b = le.AppendUint16(b, elfMachine(arch))
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, imageBase+textOffset) // entry
	b = le.AppendUint64(b, 64)                   // program headers
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{64, 56, 3, 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	segment := func(kind, flags uint32, offset, address, size, align uint64) {
		b = le.AppendUint32(b, kind)
		b = le.AppendUint32(b, flags)
		for _, v := range []uint64{offset, address, address, size, size, align} {
			b = le.AppendUint64(b, v)
		}
	}
	segment(ptLoad, r|x, 0, imageBase, uint64(textOffset+len(text)), pageSize)
	segment(ptLoad, r|w, dataOffset, dataAddress, uint64(dataSize), pageSize)
	segment(ptStack, r|w, 0, 0, 0, 16)
	return append(b, text...)
}
