// SPDX-License-Identifier: Apache-2.0

package wraps_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/conformance/wraps"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// small is the least that a wrap file holds.
const small = "version = 1\nname = \"box\"\nline = [\"box\", \"--\"]\n"

func TestDecode(t *testing.T) {
	t.Parallel()
	w, err := wraps.Decode("box.toml", []byte(`# a comment
version = 1
name = "box"
tool-version = ["box", "--version"]
line = [
	"box", "--work={workspace}",
	["--hide", "{hide}"],
	"--",
]
claims = ["net.offline", "fs.write.confined"]
notes = """
One line \
and its end.
"""
`))
	if err != nil {
		t.Fatal(err)
	}
	if w.Name != "box" || w.Notes != "One line and its end." || !slices.Equal(w.Version, []string{"box", "--version"}) {
		t.Errorf("the wrap is %+v", w)
	}
	want := [][]string{{"box"}, {"--work={workspace}"}, {"--hide", "{hide}"}, {"--"}}
	if !slices.EqualFunc(w.Line, want, slices.Equal) {
		t.Errorf("the line is %q, want %q", w.Line, want)
	}
	if !slices.Equal(w.Claims, []guarantee.ID{guarantee.NetOffline, guarantee.WriteConfined}) {
		t.Errorf("the claims are %q", w.Claims)
	}
}

// TestClaims tells a file that claims nothing from one that does not say.
func TestClaims(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		more string
		want []guarantee.ID
	}{
		{"", conformance.DefaultClaims()},
		{"claims = []\n", nil},
		{"claims = [\"tty.noinject\"]\n", []guarantee.ID{guarantee.TTYNoInject}},
	} {
		w, err := wraps.Decode("box.toml", []byte(small+c.more))
		if err != nil || !slices.Equal(w.Claims, c.want) {
			t.Errorf("%q: the claims are %q (%v), want %q", c.more, w.Claims, err, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, data, want string }{
		{"nothing", "", "box.toml: version: it is missing"},
		{"no name", "version = 1\nline = [\"box\"]\n", "box.toml: name: it is missing"},
		{"no line", "version = 1\nname = \"box\"\n", "box.toml: line: it is missing"},
		{"another version", "\nversion = 2\n", "box.toml:2:1: version: it must be 1, the one form that there is"},
		{"a version in quotes", "version = \"1\"\n", "box.toml:1:1: version: it must be 1, the one form that there is"},
		{"an empty name", "version = 1\nname = \"\"\n", "box.toml:2:1: name: it is empty"},
		{"a number for a name", "version = 1\nname = 7\n", "box.toml:2:8: name: it must be text in quotes, not integer"},
		{"a list for notes", small + "notes = [\"x\"]\n", "box.toml:4:10: notes: it must be text in quotes, not array"},
		{"an unknown key", small + "\ncalims = []\n", "box.toml:5:1: calims: there is no such key; there are version, name, tool-version, line, claims, notes"},
		{"a key twice", small + "name = \"other\"\n", "box.toml:4:1: name: it is already there, in line 2"},
		{"a table", small + "[claims]\n", "box.toml:4:2: claims: a wrap file has no tables"},
		{"an array of tables", small + "[[line]]\n", "box.toml:4:3: line: a wrap file has no tables"},
		{"a key with dots", small + "claims.net = true\n", "box.toml:4:1: claims: a wrap file has no tables"},
		{"a line that is text", "version = 1\nline = \"box --\"\n", "box.toml:2:1: line: it must be a list of words and of lists of words"},
		{"an empty line", "line = []\n", "box.toml:1:1: line: the tool is not named"},
		{"a line with an empty tool", "line = [\"\"]\n", "box.toml:1:9: line: the tool is not named"},
		{"a number in a line", "line = [\n\t\"box\",\n\t7,\n]\n", "box.toml:3:2: line: it must be text in quotes, not integer"},
		{"an empty group", "line = [\n\"box\",\n[],\n]\n", "box.toml:2:1: line: a group of words is empty"},
		{"a group in a group", "line = [\"box\", [\"a\",\n[\"b\"]]]\n", "box.toml:2:2: line: it must be text in quotes, not array"},
		{"two placeholders in a word", "line = [\n\"box\",\n\"{write}:{hide}\",\n]\n", "box.toml:3:1: line: {hide} and {write} stand in one argument: they cannot be repeated together"},
		{"two placeholders in a group", "line = [\n\"box\",\n[\"{protect}\",\n\"{hide}\"],\n]\n", "box.toml:3:2: line: {hide} and {protect} stand in one argument: they cannot be repeated together"},
		{"no such placeholder", "line = [\n\"box\",\n\"{workplace}\",\n]\n", "box.toml:3:1: line: no placeholder is called {workplace}; they are {helper} {hide-dir} {hide-file} {hide} {memory} {processes} {protect} {timeout} {workspace} {write}"},
		{"a NUL in a word", "line = [\"box\", \"a\\u0000b\"]\n", "box.toml:1:16: line: a NUL character, which no argument can hold"},
		{"no such guarantee", small + "claims = [\n\t\"net.offline\",\n\t\"net.off\",\n]\n", "box.toml:6:2: claims: no guarantee is called \"net.off\""},
		{"a claim twice", small + "claims = [\n\"net.offline\",\n\"net.offline\",\n]\n", "box.toml:6:1: claims: net.offline is claimed twice"},
		{"claims that are text", small + "claims = \"net.offline\"\n", "box.toml:4:1: claims: it must be a list of guarantees"},
		{"a tool-version that is text", small + "tool-version = \"box\"\n", "box.toml:4:1: tool-version: it must be a list of words"},
		{"a string that does not end", small + "notes = \"x\n", "box.toml:4:11: this is no TOML: "},
		{"no TOML at all", "version = 1\n\nbox --\n", "box.toml:3:5: this is no TOML: "},
		{"another encoding", small + "notes = \"\xff\"\n", "box.toml: the file is not UTF-8"},
		{"too large", small + strings.Repeat("#\n", 40<<10), "box.toml: the file is larger than 64 KiB, which no wrap file is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := wraps.Decode("box.toml", []byte(c.data))
			switch {
			case err == nil:
				t.Fatal("it was taken")
			case strings.HasSuffix(c.want, ": ") && strings.HasPrefix(err.Error(), c.want):
			case err.Error() != c.want:
				t.Errorf("the error is\n%s\nwant\n%s", err, c.want)
			}
		})
	}
	if _, err := wraps.Decode("box.toml", []byte(small)); err != nil {
		t.Errorf("what all of these begin with is refused: %v", err)
	}
}

// FuzzDecode wants that every file is taken as a wrap that passes its own
// check, or is refused with the name of the file.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(small + "claims = [\"net.offline\"]\nnotes = '''\nx'''\n"))
	f.Add([]byte("line = [[\"a\", \"{hide}\"], \"{{hide}\"]\n[x]\na.b = {c = 1}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := wraps.Decode("a name", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "a name:") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		if err := w.Check(); err != nil {
			t.Errorf("what was taken does not pass its check: %v", err)
		}
		if w.Name == "" || len(w.Line) == 0 {
			t.Errorf("what was taken is not whole: %+v", w)
		}
	})
}
