// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The usual volumes of macOS take names that differ in case or in Unicode
// normalisation for one. The kernel compares what exists by the name that the
// directory holds, and what is to be made by the name that was typed, and
// whether a filter of a path folds case was reported both ways. So a name that
// must not appear is denied twice: as it is, and by a pattern of all its
// spellings.

// ligatures are the letters that case folding turns into several, see
// CaseFolding.txt of Unicode, status F: those that fold to plain letters, one of
// each orbit.
func ligatures() map[string][]string {
	return map[string][]string{
		"ffi": {"ﬃ"}, "ffl": {"ﬄ"}, "ff": {"ﬀ"}, "fi": {"ﬁ"}, "fl": {"ﬂ"}, "ss": {"ß"}, "st": {"ﬅ", "ﬆ"},
	}
}

// unfolded spells ligatures out.
func unfolded(name string) string {
	return strings.NewReplacer("ﬃ", "ffi", "ﬄ", "ffl", "ﬀ", "ff", "ﬁ", "fi", "ﬂ", "fl", "ß", "ss", "ẞ", "ss", "ﬅ", "st", "ﬆ", "st").Replace(name)
}

// spellings is a pattern that matches every spelling of one name of a file.
// Only letters, groups and alternatives are used: what a class holds beyond
// ASCII is read differently by different releases.
func spellings(name string) string {
	name = unfolded(name)
	var b strings.Builder
	for len(name) > 0 {
		if group, ok := ligature(name); ok {
			marks := name[len(group):][:boundary(name[len(group):])]
			b.WriteString(alternatives(group, marks))
			name = name[len(group)+len(marks):]
			continue
		}
		_, n := utf8.DecodeRuneInString(name)
		n += boundary(name[n:]) // a letter with its marks
		b.WriteString(spelled(name[:n]))
		name = name[n:]
	}
	return b.String()
}

// boundary returns where the first letter of a text begins: how many bytes of
// marks belong to what comes before the text.
func boundary(text string) int {
	if n := norm.NFD.FirstBoundaryInString(text); n >= 0 {
		return n
	}
	return len(text)
}

// ligature returns the plain letters at the start of a name of which each two
// neighbours may be one ligature. They are looked at together, since "sss" may
// be an s before a ligature or after one.
func ligature(name string) (string, bool) {
	n := 1
	for n < len(name) && name[n-1] < utf8.RuneSelf && pairs(lower(name[n-1]), lower(name[n])) {
		n++
	}
	if n < 2 {
		return "", false
	}
	return name[:n], true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// pairs reports whether two letters stand side by side in a ligature.
func pairs(a, b byte) bool {
	return a == 'f' && (b == 'f' || b == 'i' || b == 'l') || a == 's' && (b == 's' || b == 't')
}

// maxGroup is the most letters of which every division into ligatures is
// written out. Of more, any number of them is matched: whole words of s or f
// are shut with the one that is meant.
const maxGroup = 5

// alternatives matches a group of plain letters with marks on the last one, or
// what may stand for parts of it.
func alternatives(letters, marks string) string {
	if len(letters) > maxGroup {
		var ends []string // what the marks are on is the last letter, or ends with it
		for n := 1; n <= 3; n++ {
			ends = append(ends, alternatives(letters[len(letters)-n:], marks))
		}
		return "(" + strings.Join([]string{"[FfIiLlSsTt]", "\u017f", "ﬀ", "ﬁ", "ﬂ", "ﬃ", "ﬄ", "ß", "ẞ", "ﬅ", "ﬆ"}, "|") + ")*(" + strings.Join(ends, "|") + ")"
	}
	var list []string
	marked := func(text, rest string) string { // the marks are on what ends the group
		if rest == "" {
			return text + marks
		}
		return text
	}
	for rest := []string{""}; len(rest) > 0; {
		pattern := rest[0]
		rest = rest[1:]
		done, text, _ := strings.Cut(pattern, "\x00")
		if pattern == "" {
			text = letters
		}
		if text == "" {
			list = append(list, done)
			continue
		}
		rest = append(rest, done+spelled(marked(text[:1], text[1:]))+"\x00"+text[1:])
		for n := 2; n <= len(text); n++ {
			for _, one := range ligatures()[strings.ToLower(text[:n])] {
				rest = append(rest, done+spelled(marked(one, text[n:]))+"\x00"+text[n:])
			}
		}
	}
	return "(" + strings.Join(list, "|") + ")"
}

// maxForms bounds the spellings of one letter with marks. Nobody writes so many
// marks on one; for such a letter anything is matched.
const maxForms = 256

// maxComposed is the most characters that one decomposes to canonically.
const maxComposed = 4

// spelled matches one letter with its marks, in every case and with all that
// Unicode calls canonically equivalent.
func spelled(letter string) string {
	all := equivalents(letter)
	if len(all) > maxForms {
		return "[^/]*"
	}
	if len(all) == 1 {
		return quoted(all[0])
	}
	slices.Sort(all)
	if slices.ContainsFunc(all, func(s string) bool { return len(s) != 1 }) {
		for i, s := range all {
			all[i] = quoted(s)
		}
		return "(" + strings.Join(all, "|") + ")"
	}
	return "[" + strings.Join(all, "") + "]"
}

// equivalents returns every text that a volume takes for one letter with its
// marks, or more than maxForms where there are that many.
func equivalents(letter string) []string {
	var all []string
	take := func(text string) {
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	take(letter)
	take(norm.NFD.String(letter))
	one := composed(letter)
	for i := 0; i < len(all) && len(all) <= maxForms; i++ {
		take(norm.NFD.String(all[i]))
		text := []rune(all[i])
		for n := range text {
			with := func(length int, by ...rune) {
				take(string(slices.Concat(text[:n], by, text[n+length:])))
			}
			for _, r := range orbit(text[n]) {
				with(1, r)
			}
			if n+1 < len(text) && swappable(text[n], text[n+1]) {
				with(2, text[n+1], text[n])
			}
			for length := 1; length <= maxComposed && n+length <= len(text); length++ {
				part := string(text[n : n+length])
				with(length, []rune(norm.NFC.String(part))...)
				for _, r := range one[norm.NFD.String(part)] {
					with(length, r)
				}
			}
		}
	}
	return all
}

// swappable reports whether two neighbours are marks that may stand in either
// order, see the canonical ordering algorithm of Unicode.
func swappable(a, b rune) bool {
	class := func(r rune) uint8 { return norm.NFD.PropertiesString(string(r)).CCC() }
	return class(a) != 0 && class(b) != 0 && class(a) != class(b)
}

// composed returns the characters that NFC never leaves in a text, by what they
// decompose to, as far as they may stand in a spelling of the letter.
func composed(letter string) map[string][]rune {
	if len(letter) == 1 && !strings.Contains(";`", letter) {
		return nil // no other ASCII character has one that differs by more than case
	}
	list := map[string][]rune{}
	for _, span := range [...][2]rune{
		{0x340, 0x387}, {0x958, 0x95f}, {0x9dc, 0x9df}, {0xa33, 0xa5e}, {0xb5c, 0xb5d}, {0xf43, 0xfb9}, {0x1f71, 0x2001}, {0x2126, 0x212b},
		{0x2329, 0x232a}, {0x2adc, 0x2adc}, {0xf900, 0xfad9}, {0xfb1d, 0xfb4e}, {0x1d15e, 0x1d164}, {0x1d1bb, 0x1d1c0}, {0x2f800, 0x2fa1d},
	} {
		for r := span[0]; r <= span[1]; r++ {
			if s := string(r); norm.NFC.String(s) != s {
				list[norm.NFD.String(s)] = append(list[norm.NFD.String(s)], r)
			}
		}
	}
	return list
}

// orbit returns the runes that equal r but for case.
func orbit(r rune) []rune {
	list := []rune{r}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		list = append(list, f)
	}
	return list
}

// quoted matches a text as it is. A pattern cannot hold a double quote; any
// character stands for it there.
func quoted(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '"':
			b.WriteByte('.')
			continue
		case strings.ContainsRune(`\^$.[]|()*+?{}`, r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
