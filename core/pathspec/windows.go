// SPDX-License-Identifier: Apache-2.0

package pathspec

import (
	"fmt"
	"slices"
	"strings"
)

// Sources of the rules below: "Naming Files, Paths, and Namespaces" and "File
// path formats on Windows systems" of the Windows documentation.

func isSlash(c byte) bool { return c == '\\' || c == '/' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// splitVolume cuts the drive ("C:"), the share (`\\server\share`) or the
// device (`\\.\name`, `\\?\name`) off a Windows path. A `\\?\` before a drive
// or a share is dropped. The volume has backslashes only.
func splitVolume(p string) (volume, rest string) {
	p = stripVerbatim(p)
	if len(p) >= 2 && p[1] == ':' && isLetter(p[0]) {
		return strings.ToUpper(p[:1]) + ":", p[2:]
	}
	if len(p) < 3 || !isSlash(p[0]) || !isSlash(p[1]) || isSlash(p[2]) {
		return "", p
	}
	server, rest := cutName(p[2:])
	share, rest := cutName(rest)
	if share == "" {
		return "", p // `\\server` alone names no place for files
	}
	return `\\` + server + `\` + share, rest
}

// cutName takes one name and the separators before it off s.
func cutName(s string) (name, rest string) {
	for s != "" && isSlash(s[0]) {
		s = s[1:]
	}
	i := strings.IndexAny(s, `\/`)
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i:]
}

// stripVerbatim gives `\\?\C:\x` as `C:\x` and `\\?\UNC\server\share` as
// `\\server\share`; other paths are returned as they are.
func stripVerbatim(p string) string {
	if len(p) < 4 || !isSlash(p[0]) || !isSlash(p[1]) || p[2] != '?' || !isSlash(p[3]) {
		return p
	}
	rest := p[4:]
	if len(rest) >= 2 && rest[1] == ':' && isLetter(rest[0]) {
		return rest
	}
	if len(rest) >= 4 && strings.EqualFold(rest[:3], "UNC") && isSlash(rest[3]) {
		return `\\` + rest[4:]
	}
	return p
}

func cleanWindows(p string) string {
	volume, rest := splitVolume(p)
	rooted := rest != "" && isSlash(rest[0])
	share := strings.HasPrefix(volume, `\\`)
	var names []string
	for _, n := range strings.FieldsFunc(rest, func(r rune) bool { return r == '\\' || r == '/' }) {
		switch {
		case n == ".":
		case n == "..":
			switch {
			case len(names) > 0 && names[len(names)-1] != "..":
				names = names[:len(names)-1]
			case !rooted && !share:
				names = append(names, n)
			}
		default:
			if n = strings.TrimRight(n, ". "); n != "" {
				names = append(names, n)
			}
		}
	}
	joined := strings.Join(names, `\`)
	switch {
	case share && joined == "":
		return volume
	case share:
		return volume + `\` + joined
	case rooted:
		return volume + `\` + joined
	case volume == "" && joined == "":
		return "."
	}
	if drive, _ := splitVolume(joined); volume == "" && drive != "" {
		return `.\` + joined // a name that looks like a drive, as in `a\..\c:`
	}
	return volume + joined
}

// Check returns why p, as a user wrote it, cannot be the path of a rule, or
// nil. It refuses NUL everywhere, and on Windows what names something else than
// a file: devices, alternate data streams, other namespaces, and names that the
// system changes silently (trailing dots and spaces).
func (o OS) Check(p string) error {
	if p == "" {
		return fmt.Errorf("a path is empty")
	}
	if strings.ContainsRune(p, 0) {
		return fmt.Errorf("a path holds a NUL byte")
	}
	if o != Windows {
		return nil
	}
	volume, rest := splitVolume(p)
	if strings.HasPrefix(volume, `\\.\`) || strings.HasPrefix(volume, `\\?\`) {
		return fmt.Errorf("%q is in the namespace of devices", p)
	}
	if volume == "" && len(rest) >= 2 && isSlash(rest[0]) && isSlash(rest[1]) {
		return fmt.Errorf("%q names a server without a share", p)
	}
	for _, n := range strings.FieldsFunc(rest, func(r rune) bool { return r == '\\' || r == '/' }) {
		if err := checkName(n); err != nil {
			return fmt.Errorf("%q: %w", p, err)
		}
	}
	return nil
}

func checkName(n string) error {
	if n == "." || n == ".." {
		return nil
	}
	if strings.ContainsRune(n, ':') {
		return fmt.Errorf("%q names an alternate data stream", n)
	}
	if i := strings.IndexFunc(n, func(r rune) bool { return r < 0x20 || strings.ContainsRune(`<>"|?*`, r) }); i >= 0 {
		return fmt.Errorf("%q holds a character that no file name has", n)
	}
	if strings.TrimRight(n, ". ") != n {
		return fmt.Errorf("%q ends in a dot or a space, which the system drops", n)
	}
	if isDevice(n) {
		return fmt.Errorf("%q is the name of a device", n)
	}
	return nil
}

// isDevice reports whether the system may open a device for this name, in any
// directory and with any extension.
func isDevice(n string) bool {
	stem, _, _ := strings.Cut(n, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	if slices.Contains([]string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}, stem) {
		return true
	}
	number, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		number, ok = strings.CutPrefix(stem, "LPT")
	}
	return ok && slices.Contains([]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³"}, number)
}

// MayBeShort reports whether a name of the cleaned path p has the shape of an
// 8.3 alias ("PROGRA~1"), so that another spelling may name the same file. Only
// Windows has them.
func (o OS) MayBeShort(p string) bool {
	return o == Windows && slices.ContainsFunc(o.Components(p), isShort)
}

func isShort(n string) bool {
	stem, ext, _ := strings.Cut(n, ".")
	if len(stem) > 8 || len(ext) > 3 || strings.Contains(ext, ".") {
		return false
	}
	i := strings.LastIndexByte(stem, '~')
	return i > 0 && i < len(stem)-1 && strings.Trim(stem[i+1:], "0123456789") == ""
}
