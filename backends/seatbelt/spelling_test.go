// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

func TestSpellings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		same, not []string
	}{
		{".git", []string{".git", ".GIT", ".gIt"}, []string{".gi", ".gitx", "xgit", ".g*t"}},
		{"hooks", []string{"Hooks", "HOOKS", "hoo\u212as", "hook\u017f"}, []string{"hook", "hocks"}},
		{"config", []string{"CONFIG", "con\ufb01g"}, []string{"conflg", "con\ufb02g"}},
		{"office", []string{"o\ufb03ce", "o\ufb00ice", "of\ufb01ce", "OFFICE"}, []string{"o\ufb04ce"}},
		{"stra\u00dfe", []string{"STRASSE", "stra\u1e9ee", "strasse", "stra\u017f\u017fe"}, []string{"strase"}},
		{"caf\u00e9", []string{"cafe\u0301", "CAF\u00c9", "CAFE\u0301"}, []string{"cafe", "caf\u00e8"}},
		{"e\u0301", []string{"\u00e9", "\u00c9", "E\u0301"}, []string{"e"}},
		{"a.b[c](d)*+?{1}|^$\\", []string{"A.B[C](D)*+?{1}|^$\\"}, []string{"axb[c](d)*+?{1}|^$\\", "a.b[c](d)"}},
		{"\U0001f512 key", []string{"\U0001f512 KEY"}, []string{"key"}},
		{"\ud55c\uae00", []string{norm.NFD.String("\ud55c\uae00")}, []string{"\ud55c"}},
		{"st\u0301", []string{"S\u0164\u0301"[:1] + "t\u0301", "ST\u0301"}, []string{"st"}},
		{"S\u00df0", []string{"sss0", "s\u00df0", "\u00dfs0", "SSS0"}, []string{"ss0", "\u00df\u00df0"}},
		{"sssst", []string{"\u00df\u00dft", "s\u00dfs\u0074", "ss\u00dft", "sss\ufb05"}, []string{"ssst"}},
		{"ssssssss", []string{"\u00df\u00df\u00df\u00df", "SSSSSSSS"}, []string{"sx"}},
		{"A\u0343", []string{"a\u0343", "a\u0313", "A\u0313"}, []string{"a"}},
		{"\u01d6", []string{"u\u0308\u0304", "\u00fc\u0304", "\u00dc\u0304", "\u01d5"}, []string{"u\u0304\u0308", "\u00fc"}},
		{"e\u0323\u0301", []string{"e\u0301\u0323", "\u1eb9\u0301", "\u00e9\u0323", "\u1eb8\u0341"}, []string{"\u00e9"}},
		{"\u03ac;", []string{"\u1f71\u037e", "\u1fbb;"}, []string{"\u03b1;"}},
		{"\u0915\u093c", []string{"\u0958"}, []string{"\u0915"}},
		{"\u8c48", []string{"\uf900"}, []string{"\u8c49"}},
		{"a\u0300\u0323\u0327\u0328\u0334x", []string{"A\u0334\u0328\u0327\u0323\u0300X"}, []string{"x\u0300y"}},
		{`a"b`, []string{`a"b`, `A"B`}, []string{"ab"}},
	} {
		pattern := regexp.MustCompile("^(?:" + spellings(c.name) + ")$")
		for _, s := range append(c.same, c.name) {
			if !pattern.MatchString(s) {
				t.Errorf("%s: %s does not match %q", c.name, pattern, s)
			}
		}
		for _, s := range c.not {
			if pattern.MatchString(s) {
				t.Errorf("%s: %s matches %q", c.name, pattern, s)
			}
		}
	}
}

// TestComposed looks at all characters for those that NFC leaves in no text.
func TestComposed(t *testing.T) {
	t.Parallel()
	listed := composed("\u00e9")
	for r := rune(0); r <= unicode.MaxRune; r++ {
		s := string(r)
		if nfd := norm.NFD.String(s); len([]rune(nfd)) > maxComposed {
			t.Errorf("%q decomposes to %q", s, nfd)
		}
		if nfd := norm.NFD.String(s); norm.NFC.String(s) != s && !slices.Contains(listed[nfd], r) {
			t.Errorf("%q of %q is not listed", s, nfd)
		}
		if nfd := norm.NFD.String(s); nfd != s && len(nfd) == 1 && len(orbit(rune(nfd[0]))) < 3 && !strings.Contains(";`", nfd) {
			t.Errorf("%q has %q", nfd, s)
		}
	}
}

// FuzzSpellings wants a pattern that every engine reads, and that matches the
// name in each case and normal form.
func FuzzSpellings(f *testing.F) {
	for _, s := range []string{".git", "caf\u00e9", "\ufb01\ufb03", "a\"b", "e\u0301\u0323", "\u0345", "st\u0301", "\u1e9e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		name = strings.ToValidUTF8(name, "")
		if name == "" || len(name) > 200 || strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r < ' ' }) {
			t.Skip("no name of a file")
		}
		text := spellings(name)
		if strings.Contains(text, `"`) {
			t.Errorf("%q: the pattern %q holds a quote", name, text)
		}
		pattern, err := regexp.Compile("^(?:" + text + ")$")
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		for _, form := range []string{name, norm.NFC.String(name), norm.NFD.String(name)} {
			if !pattern.MatchString(form) {
				t.Errorf("%q: %s does not match %q", name, text, form)
			}
		}
	})
}
