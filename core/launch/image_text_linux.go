// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package launch

import (
	"bytes"
	"unsafe"
)

// image is the walker. It is never called: its bytes are copied into the
// executables that run launch lists.
//
//lint:ignore U1000 it declares the assembly for vet
func image()

// imageStart returns the address of the walker's first instruction.
func imageStart() unsafe.Pointer

// imageEndMark ends the walker's bytes in the program text.
var imageEndMark = []byte("\xca\x15\x50\x11END\x00")

// imageText returns the machine code of the walker.
func imageText() []byte {
	text := unsafe.Slice((*byte)(imageStart()), 1024)
	return text[:bytes.Index(text, imageEndMark)]
}
