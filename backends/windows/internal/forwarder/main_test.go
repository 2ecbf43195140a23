// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"strings"
	"testing"
)

// TestDLL reads the file as a loader does: its headers, its one section, and
// from the export directory the name and whom a call is passed on to.
func TestDLL(t *testing.T) {
	t.Parallel()
	raw := dll()
	f, err := pe.NewFile(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 || f.Characteristics&pe.IMAGE_FILE_DLL == 0 {
		t.Fatalf("no library for amd64: %+v", f.FileHeader)
	}
	if len(f.Sections) != 1 || head.AddressOfEntryPoint != 0 {
		t.Errorf("%d sections, entry at 0x%x: it holds code", len(f.Sections), head.AddressOfEntryPoint)
	}
	s := f.Sections[0]
	if s.Characteristics&(pe.IMAGE_SCN_MEM_EXECUTE|pe.IMAGE_SCN_MEM_WRITE) != 0 {
		t.Errorf("the section can be executed or written: 0x%x", s.Characteristics)
	}
	if s.Offset+s.Size > uint32(len(raw)) || s.VirtualAddress+s.VirtualSize > head.SizeOfImage {
		t.Errorf("the section %+v is outside of the file of %d bytes", s.SectionHeader, len(raw))
	}
	data, err := s.Data()
	if err != nil {
		t.Fatal(err)
	}
	u32 := func(address uint32) uint32 { return binary.LittleEndian.Uint32(data[address-s.VirtualAddress:]) }
	text := func(address uint32) string {
		word, _, _ := strings.Cut(string(data[address-s.VirtualAddress:]), "\x00")
		return word
	}
	exports := head.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXPORT]
	at := exports.VirtualAddress
	if functions, names := u32(at+20), u32(at+24); functions != 1 || names != 1 {
		t.Fatalf("%d functions and %d names", functions, names)
	}
	target := u32(u32(at + 28))
	if target < at || target >= at+exports.Size {
		t.Errorf("0x%x lies outside of the export directory, so that it would be called as code", target)
	}
	for what, c := range map[string]struct{ got, want string }{
		"library": {text(u32(at + 12)), "bcryptprimitives.dll"},
		"name":    {text(u32(u32(at + 32))), "ProcessPrng"},
		"target":  {text(target), "advapi32.SystemFunction036"},
	} {
		if c.got != c.want {
			t.Errorf("%s %q, want %q", what, c.got, c.want)
		}
	}
	if !bytes.Equal(raw, dll()) {
		t.Error("two files differ")
	}
}
