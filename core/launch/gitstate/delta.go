// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package gitstate

import "errors"

var errDelta = errors.New("malformed delta")

// applyDelta makes the text that a delta describes, see gitformat-pack(5).
// Neither side may be larger than maxDelta.
func applyDelta(base, delta []byte) ([]byte, error) {
	from, delta := deltaSize(delta)
	to, delta := deltaSize(delta)
	if delta == nil || from != len(base) || to > maxDelta {
		return nil, errDelta
	}
	out := make([]byte, 0, to)
	for len(delta) > 0 {
		op := delta[0]
		delta = delta[1:]
		if op&0x80 == 0 { // the next op bytes are new
			if op == 0 || int(op) > len(delta) || len(out)+int(op) > to {
				return nil, errDelta
			}
			out = append(out, delta[:op]...)
			delta = delta[op:]
			continue
		}
		var word [7]int // four bytes of an offset, three of a size
		for i := range word {
			if op>>i&1 == 1 {
				if len(delta) == 0 {
					return nil, errDelta
				}
				word[i] = int(delta[0])
				delta = delta[1:]
			}
		}
		at := word[0] | word[1]<<8 | word[2]<<16 | word[3]<<24
		size := word[4] | word[5]<<8 | word[6]<<16
		if size == 0 {
			size = 1 << 16
		}
		if at > len(base) || size > len(base)-at || len(out)+size > to {
			return nil, errDelta
		}
		out = append(out, base[at:at+size]...)
	}
	if len(out) != to {
		return nil, errDelta
	}
	return out, nil
}

const maxDelta = 4 << 20

// deltaSize reads a size of a delta's header; the rest is nil if there is none.
func deltaSize(b []byte) (size int, rest []byte) {
	for i := 0; i < len(b) && i < 4; i++ { // 28 bits are more than maxDelta
		size |= int(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return size, b[i+1:]
		}
	}
	return 0, nil
}
