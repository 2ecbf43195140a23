// SPDX-License-Identifier: Apache-2.0

package pathspec

import (
	"slices"
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		os       OS
		in, want string
	}{
		{Linux, "/a//b/../c/", "/a/c"},
		{Linux, "/../..", "/"},
		{Linux, `/a\b`, `/a\b`},
		{Darwin, "/Users/Me/./x", "/Users/Me/x"},
		{Windows, `c:\a\..\..\b\`, `C:\b`},
		{Windows, `C:/Users/me/src`, `C:\Users\me\src`},
		{Windows, `C:`, `C:`},
		{Windows, `C:\`, `C:\`},
		{Windows, `C:x`, `C:x`},
		{Windows, `\x\y`, `\x\y`},
		{Windows, `\\?\C:\x`, `C:\x`},
		{Windows, `//?/c:/x/..`, `C:\`},
		{Windows, `\\?\UNC\srv\share\x`, `\\srv\share\x`},
		{Windows, `\\srv\share`, `\\srv\share`},
		{Windows, `\\srv\share\`, `\\srv\share`},
		{Windows, `\\srv\share\..\..\x`, `\\srv\share\x`},
		{Windows, `\\srv\\share\x`, `\\srv\share\x`},
		{Windows, `C:\ws\.git.\config . `, `C:\ws\.git\config`},
		{Windows, `C:\ws\...\x`, `C:\ws\x`},
		{Windows, `a\..`, `.`},
		{Windows, `..\..\a`, `..\..\a`},
	} {
		if got := c.os.Clean(c.in); got != c.want {
			t.Errorf("%s: Clean(%q) = %q, want %q", c.os, c.in, got, c.want)
		}
	}
}

func TestIsAbs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		os   OS
		in   string
		want bool
	}{
		{Linux, "/", true}, {Linux, "a", false}, {Linux, "", false}, {Linux, `C:\x`, false},
		{Windows, `C:\`, true}, {Windows, `C:`, false}, {Windows, `C:x`, false}, {Windows, `\x`, false},
		{Windows, `\\srv\share`, true}, {Windows, `\\srv`, false}, {Windows, `\\?\C:\x`, true},
		{Windows, `/x`, false}, {Windows, ``, false}, {Windows, `1:\x`, false},
	} {
		if got := c.os.IsAbs(c.in); got != c.want {
			t.Errorf("%s: IsAbs(%q) = %v, want %v", c.os, c.in, got, c.want)
		}
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		os            OS
		parent, child string
		want          bool
	}{
		{Linux, "/", "/a", true},
		{Linux, "/a", "/a", true},
		{Linux, "/a", "/a/b", true},
		{Linux, "/a", "/ab", false},
		{Linux, "/a/b", "/a", false},
		{Linux, "/A", "/a/b", false},
		{Darwin, "/Users/Me/WS", "/users/me/ws/.GIT", true},
		{Darwin, "/u/\u212a", "/U/k/x", true}, // KELVIN SIGN folds to k
		{Windows, `C:\`, `C:\x`, true},
		{Windows, `C:\`, `D:\x`, false},
		{Windows, `C:\ws`, `C:\WS\.git`, true},
		{Windows, `C:\ws`, `C:\wsx`, false},
		{Windows, `\\srv\share`, `\\SRV\share\x`, true},
		{Windows, `\\srv\share`, `\\srv\share2\x`, false},
	} {
		if got := c.os.Within(c.parent, c.child); got != c.want {
			t.Errorf("%s: Within(%q, %q) = %v, want %v", c.os, c.parent, c.child, got, c.want)
		}
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		os        OS
		path      string
		names     []string
		dir, base string
	}{
		{Linux, "/", nil, "/", "/"},
		{Linux, "/a", []string{"a"}, "/", "a"},
		{Linux, "/a/b", []string{"a", "b"}, "/a", "b"},
		{Windows, `C:\`, nil, `C:\`, `C:\`},
		{Windows, `C:\a`, []string{"a"}, `C:\`, "a"},
		{Windows, `C:\a\b`, []string{"a", "b"}, `C:\a`, "b"},
		{Windows, `\\srv\share`, nil, `\\srv\share`, `\\srv\share`},
		{Windows, `\\srv\share\a`, []string{"a"}, `\\srv\share`, "a"},
		{Windows, `\\srv\share\a\b`, []string{"a", "b"}, `\\srv\share\a`, "b"},
	} {
		if got := c.os.Components(c.path); !slices.Equal(got, c.names) {
			t.Errorf("%s: Components(%q) = %q, want %q", c.os, c.path, got, c.names)
		}
		if got := c.os.Dir(c.path); got != c.dir {
			t.Errorf("%s: Dir(%q) = %q, want %q", c.os, c.path, got, c.dir)
		}
		if got := c.os.Base(c.path); got != c.base {
			t.Errorf("%s: Base(%q) = %q, want %q", c.os, c.path, got, c.base)
		}
		if got := c.os.Depth(c.path); got != len(c.names) {
			t.Errorf("%s: Depth(%q) = %d, want %d", c.os, c.path, got, len(c.names))
		}
	}
	if got := Windows.Join(`C:\ws`, ".git", "hooks"); got != `C:\ws\.git\hooks` {
		t.Errorf("Join gave %q", got)
	}
	if got := Linux.Join("/", "a"); got != "/a" {
		t.Errorf("Join gave %q", got)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good := map[OS][]string{
		Linux:   {"/a:b", "/NUL", "/a.", "/a*", "relative"},
		Darwin:  {"/Users/me/con"},
		Windows: {`C:\ws`, `C:/ws/.git`, `\\?\C:\ws`, `\\srv\share\x`, `..\x`, `C:\console`, `C:\COM10`, `C:\nul1`, `C:\PROGRA~1`},
	}
	bad := map[OS][]string{
		Linux:  {"", "/a\x00b"},
		Darwin: {"\x00"},
		Windows: {``, `C:\ws\NUL`, `C:\con.txt`, `C:\x\com1`, `C:\x\COM¹.log`, `C:\lpt9 .x`, `C:\aux\x`, `CONIN$`,
			`C:\ws\file:stream`, `C:\ws\file::$DATA`, `C:\ws\.git.`, `C:\ws\.git `, `C:\a\...`,
			`\\.\PhysicalDrive0`, `\\.\C:\x`, `\\?\GLOBALROOT\Device\x`, `\\?\Volume{0}\x`, `\\srv`, `\\?\C:\a?b`, "C:\\a\x01", `C:\a*`},
	}
	for os, paths := range good {
		for _, p := range paths {
			if err := os.Check(p); err != nil {
				t.Errorf("%s: Check(%q): %v", os, p, err)
			}
		}
	}
	for os, paths := range bad {
		for _, p := range paths {
			if os.Check(p) == nil {
				t.Errorf("%s: Check(%q) passes", os, p)
			}
		}
	}
}

func TestMayBeShort(t *testing.T) {
	t.Parallel()
	for p, want := range map[string]bool{
		`C:\PROGRA~1\x`: true, `C:\x\GIT~1`: true, `C:\x\ab~12.txt`: true,
		`C:\x`: false, `C:\x\backup~`: false, `C:\x\~1`: false, `C:\x\longername~1`: false, `C:\x\a~b`: false,
	} {
		if got := Windows.MayBeShort(p); got != want {
			t.Errorf("MayBeShort(%q) = %v", p, got)
		}
	}
	if Linux.MayBeShort("/PROGRA~1") {
		t.Error("Linux has 8.3 names")
	}
}

func FuzzWithin(f *testing.F) {
	f.Add("/a/b", "../c")
	f.Add(`C:\a`, `..\..\b`)
	f.Add(`\\srv\share\x`, `.git. `)
	f.Add("/\u212a", "k")
	f.Fuzz(func(t *testing.T, base, name string) {
		for _, os := range []OS{Linux, Darwin, Windows} {
			dir := os.Clean(base)
			if again := os.Clean(dir); again != dir {
				t.Fatalf("%s: Clean(%q) = %q, cleaned again %q", os, base, dir, again)
			}
			if !os.IsAbs(dir) || os.Check(base) != nil {
				continue
			}
			if os.Key(os.Key(dir)) != os.Key(dir) {
				t.Fatalf("%s: the key of %q is not stable", os, dir)
			}
			if !os.Within(dir, dir) || !os.Within(os.Dir(dir), dir) {
				t.Fatalf("%s: %q is not within itself or its directory", os, dir)
			}
			child := os.Join(dir, name)
			up := slices.Contains(strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' }), "..")
			if !up && !os.Within(dir, child) {
				t.Fatalf("%s: %q is not within %q", os, child, dir)
			}
			if os.Within(dir, child) && os.Within(child, dir) != (os.Key(dir) == os.Key(child)) {
				t.Fatalf("%s: %q and %q contain each other", os, dir, child)
			}
			if os.Within(dir, child) && os.Key(child) < os.Key(dir) {
				t.Fatalf("%s: %q sorts before its parent %q", os, child, dir)
			}
		}
	})
}
