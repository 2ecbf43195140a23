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

// maxForms bounds the case variants of one letter with marks. Nobody writes so
// many marks on one; such a letter is matched as it is written.
const maxForms = 256

// cased returns a text in every combination of cases.
func cased(text string) []string {
	forms := []string{""}
	for _, r := range text {
		var next []string
		for _, f := range forms {
			for _, o := range orbit(r) {
				next = append(next, f+string(o))
			}
		}
		if forms = next; len(forms) > maxForms {
			return nil
		}
	}
	return forms
}

// spelled matches one letter with its marks, in every case and normal form.
func spelled(letter string) string {
	forms := append([]string{letter}, cased(norm.NFC.String(letter))...)
	forms = append(forms, cased(norm.NFD.String(letter))...)
	var all []string
	for _, f := range forms {
		all = append(all, f, norm.NFC.String(f), norm.NFD.String(f))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) == 1 {
		return quoted(all[0])
	}
	if slices.ContainsFunc(all, func(s string) bool { return len(s) != 1 }) {
		for i, s := range all {
			all[i] = quoted(s)
		}
		return "(" + strings.Join(all, "|") + ")"
	}
	return "[" + strings.Join(all, "") + "]"
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
