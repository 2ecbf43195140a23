// SPDX-License-Identifier: Apache-2.0

package spawn

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// split takes a command line apart by the rules that are documented for the C
// runtime and CommandLineToArgvW. It shares nothing with quote.
func split(line string) []string {
	var args []string
	if strings.HasPrefix(line, `"`) { // the program's name ends at the next mark
		end := strings.IndexByte(line[1:], '"') + 1
		args, line = append(args, line[1:end]), line[end+1:]
	}
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return args
		}
		var b strings.Builder
		quoted := false
		for line != "" && (quoted || line[0] != ' ' && line[0] != '\t') {
			slashes := len(line) - len(strings.TrimLeft(line, `\`))
			line = line[slashes:]
			if !strings.HasPrefix(line, `"`) {
				b.WriteString(strings.Repeat(`\`, slashes))
				if slashes == 0 {
					b.WriteByte(line[0])
					line = line[1:]
				}
				continue
			}
			b.WriteString(strings.Repeat(`\`, slashes/2))
			if slashes%2 == 1 {
				b.WriteByte('"')
			} else {
				quoted = !quoted
			}
			line = line[1:]
		}
		args = append(args, b.String())
	}
}

// traps are arguments that quoting goes wrong with.
func traps() []string {
	return []string{"", " ", `a b`, `"`, `\`, `\\`, `\"`, `\\"`, `a\`, `a b\`, `a\\b`, `a "b" c`, "\t", "a\nb", `%PATH%`, `&calc`, `" & calc & "`, `^`, `!x!`, `日本`, `--x="y z"`, `C:\Program Files\`, `'`}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, a := range traps() {
		for _, b := range traps() {
			want := []string{`C:\a b\p.exe`, a, b}
			line, err := CommandLine(want)
			if err != nil {
				t.Fatal(err)
			}
			if got := split(line); !slices.Equal(got, want) {
				t.Errorf("%s gives %q, want %q", line, got, want)
			}
		}
	}
	for _, bad := range [][]string{nil, {`a"b`}, {"a", "b\x00"}} {
		if line, err := CommandLine(bad); err == nil {
			t.Errorf("%q gives %s", bad, line)
		}
	}
}

func FuzzCommandLine(f *testing.F) {
	for _, a := range traps() {
		f.Add(a, `x`)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		line, err := CommandLine([]string{"p", a, b})
		if err != nil {
			if !strings.ContainsRune(a+b, 0) {
				t.Fatal(err)
			}
			return
		}
		if got := split(line); !slices.Equal(got, []string{"p", a, b}) {
			t.Fatalf("%q, %q: %s gives %q", a, b, line, got)
		}
	})
}

// TestBatchLine wants no argument to leave its quotation marks in the eyes of
// cmd.exe, which knows no backslash before one, and no percent sign to begin
// the name of a variable.
func TestBatchLine(t *testing.T) {
	t.Parallel()
	for _, a := range traps() {
		line, err := BatchLine(`C:\x y\run.bat`, []string{a, "end"})
		if strings.ContainsAny(a, "\r\n") {
			if !errors.Is(err, ErrBatchArgument) {
				t.Errorf("%q: %s, %v", a, line, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		inner, ok := strings.CutPrefix(line, `cmd.exe /e:ON /v:OFF /d /c "`)
		inner, closed := strings.CutSuffix(inner, `"`)
		if !ok || !closed {
			t.Fatalf("%q: %s", a, line)
		}
		quoted := false
		for i := range len(inner) {
			switch inner[i] {
			case '"':
				quoted = !quoted
			case '&', '|', '<', '>', '^', '(', ')':
				if !quoted {
					t.Errorf("%q: %s: %c is outside of quotation marks", a, line, inner[i])
				}
			}
		}
		if quoted {
			t.Errorf("%q: %s: the marks are uneven", a, line)
		}
		rest := strings.ReplaceAll(inner, "%%cd:~,%", "")
		if strings.Contains(rest, "%") {
			t.Errorf("%q: %s: a percent sign stands alone", a, line)
		}
	}
	if _, err := BatchLine(`C:\a%b.bat`, nil); !errors.Is(err, ErrBatchArgument) {
		t.Errorf("a percent sign in the name: %v", err)
	}
	for name, want := range map[string]bool{`a.bat`: true, `A.CMD`: true, `a.cmd. `: true, `a.exe`: false, `bat`: false} {
		if IsBatch(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	block, err := Block([]string{"b=1", "A=2", "B=3", "=C:=C:\\x", "E="})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(utf16.Decode(block)), "=C:=C:\\x\x00A=2\x00B=3\x00E=\x00\x00"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if block, err := Block(nil); err != nil || len(block) != 2 {
		t.Errorf("%v, %v", block, err)
	}
	for _, bad := range []string{"", "x", "=", "a\x00=b"} {
		if _, err := Block([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	got := Overlay([]string{"Path=x", "UserProfile=C:\\Users\\me", "AppData=a", "=C:=C:\\"}, []string{"USERPROFILE=C:\\Users\\box", "PATH=y"}, "USERPROFILE", "APPDATA")
	if want := []string{"Path=x", "=C:=C:\\", "USERPROFILE=C:\\Users\\box"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	files := []string{`c:\windows\system32\cmd.exe`, `c:\tools\x.bat`, `c:\tools\y`, `c:\w\local.exe`, `c:\users\me\appdata\local\microsoft\windowsapps\pwsh.exe`, `c:\pwsh\pwsh.exe`}
	isFile := func(p string) bool { return slices.Contains(files, strings.ToLower(p)) }
	vars := []string{`Path=relative;C:\Windows\System32;"C:\tools";C:\Users\me\AppData\Local\Microsoft\WindowsApps;C:\pwsh`, `PATHEXT=.EXE;.BAT`}
	for name, want := range map[string]string{
		"cmd": `C:\Windows\System32\cmd.EXE`, "cmd.exe": `C:\Windows\System32\cmd.exe`, "x": `C:\tools\x.BAT`, `.\local`: `C:\w\local.EXE`, `C:\tools\x.bat`: `C:\tools\x.bat`,
		"pwsh": `C:\pwsh\pwsh.EXE`, "y": "", "local": "", "c:x": "", "": "",
	} {
		got, err := Find(name, `C:\w`, vars, isFile)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v, want %s", name, got, err, want)
		}
	}
}
