// SPDX-License-Identifier: Apache-2.0

package diag

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable reports whether a character has a shape of its own and leaves its
// neighbours where they are. What drives a terminal has none, nor has what
// reorders text or hides in it: marks of direction, characters of no width,
// fillers, odd spaces. Two names that differ can then be told apart. See the
// Unicode Standard, annexes 9 and 44.
func Printable(r rune) bool {
	const blankBraille = '\u2800'
	return unicode.IsPrint(r) && r != blankBraille && r != unicode.ReplacementChar &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Plain reports whether all of s is printable. A line of text is; one with a
// line break is not.
func Plain(s string) bool {
	for _, r := range s { // what is no UTF-8 comes as the replacement character
		if !Printable(r) {
			return false
		}
	}
	return true
}

// Escape returns s with what is not printable as Go writes it, such as \x1b or
// \u202e: one line that can be shown on a terminal. It cannot be turned back.
func Escape(s string) string {
	if Plain(s) {
		return s
	}
	var b strings.Builder
	for at := 0; at < len(s); {
		r, size := utf8.DecodeRuneInString(s[at:])
		switch {
		case Printable(r):
			b.WriteRune(r)
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[at])
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		at += size
	}
	return b.String()
}

// EscapeJSON returns JSON text that means the same and can be shown on a
// terminal: what is not printable in its strings is written as \uXXXX. The
// white space between its tokens stays. The text must be JSON.
func EscapeJSON(text []byte) []byte {
	const plain = utf8.RuneSelf - 1 // DEL, which JSON lets stand in strings
	at := 0
	for at < len(text) && text[at] < plain {
		at++
	}
	if at == len(text) {
		return text
	}
	b := append(make([]byte, 0, len(text)+16), text[:at]...)
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		switch {
		case r < plain || Printable(r):
			b = append(b, text[at:at+size]...)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00 // a surrogate pair, RFC 8259 section 7
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
		at += size
	}
	return b
}

// Quote returns s as one word of a POSIX shell. Text that is not printable is
// escaped in $'…' form, byte by byte, so that a hostile name can neither drive
// the terminal that it is printed on nor look like another name.
func Quote(s string) string {
	if !Plain(s) {
		return quoteANSI(s)
	}
	bare := s != ""
	for _, r := range s {
		if r < utf8.RuneSelf && !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=@,+%", r)) {
			bare = false
		}
	}
	if bare {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func quoteANSI(s string) string {
	var b strings.Builder
	b.WriteString("$'")
	for at := 0; at < len(s); {
		r, size := utf8.DecodeRuneInString(s[at:])
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case Printable(r):
			b.WriteRune(r)
		default:
			for _, c := range []byte(s[at : at+size]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		}
		at += size
	}
	b.WriteByte('\'')
	return b.String()
}
