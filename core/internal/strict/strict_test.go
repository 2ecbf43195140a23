// SPDX-License-Identifier: Apache-2.0

package strict_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

type part struct {
	Write []string `json:"write,omitempty"`
	Ports []int    `json:"ports,omitempty"`
}

type upper string

func (u *upper) UnmarshalNode(n *strict.Node) error {
	if n.Kind != strict.String || n.Text != strings.ToUpper(n.Text) {
		return n.Refuse("must be in capitals", "shout")
	}
	*u = upper(n.Text)
	return nil
}

type document struct {
	Version int               `json:"version"`
	On      bool              `json:"on,omitempty"`
	Files   part              `json:"files,omitzero"`
	Set     map[string]string `json:"set,omitempty"`
	Time    time.Duration     `json:"time,omitempty"`
	Small   uint8             `json:"small,omitempty"`
	Big     uint64            `json:"big,omitempty"`
	Next    *part             `json:"next"`
	Loud    upper             `json:"loud,omitempty"`
	Parts   []part            `json:"parts,omitempty"`
	Raw     json.RawMessage   `json:"raw,omitempty"`
	hidden  int
}

func read(t *testing.T, data string) (*strict.Node, error) {
	t.Helper()
	if strings.HasPrefix(strings.TrimSpace(data), "{") {
		return strict.JSON("p.json", []byte(data), diag.PlanInvalid)
	}
	return strict.TOML("p.toml", []byte(data), diag.PolicyInvalid)
}

func decode(t *testing.T, data string) (document, error) {
	t.Helper()
	var d document
	n, err := read(t, data)
	if err == nil {
		err = strict.Decode(n, &d)
	}
	return d, err
}

func TestDecode(t *testing.T) {
	t.Parallel()
	want := document{
		Version: 1, On: true,
		Files: part{Write: []string{"a", "b\n\"ü"}, Ports: []int{-1, 70000}},
		Set:   map[string]string{"CI": "1", "a.b": ""},
		Time:  90 * time.Second, Small: 255, Big: 1 << 40,
		Next: &part{Write: []string{"n"}}, Loud: "HI",
		Parts: []part{{Write: []string{"x"}}, {}},
	}
	for name, data := range map[string]string{
		"json": `{"version":1,"on":true,"files":{"write":["a","b\n\"\u00fc"],"ports":[-1,70000]},
			"set":{"CI":"1","a.b":""},"time":"1m30s","small":255,"big":1099511627776,
			"next":{"write":["n"]},"loud":"HI","parts":[{"write":["x"]},{}]}`,
		"toml": "version = 1 # one\non = true\ntime = '1m30s'\nsmall = 0xff\nbig = 1_099_511_627_776\nloud = \"HI\"\r\n" +
			"next.write = ['n']\nset = {CI = \"1\", \"a.b\" = \"\"}\n[files]\nwrite = [\n 'a', # first\n \"b\\n\\\"ü\",\n]\nports = [-1, +70000]\n" +
			"[[parts]]\nwrite = ['x']\n[[parts]]\n",
	} {
		got, err := decode(t, data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(document{})); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		text, err := strict.Canonical(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decode(t, string(text))
		if err != nil {
			t.Fatalf("canonical form %s: %v", text, err)
		}
		if diff := cmp.Diff(want, again, cmp.AllowUnexported(document{})); diff != "" {
			t.Errorf("%s: canonical form differs (-want +got)\n%s", name, diff)
		}
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	d := document{
		Version: 2, Set: map[string]string{"b": "<&>\u2028", "a": "\x1f\t"},
		Time: time.Minute, Raw: json.RawMessage(` { "z" : [ 1.5e3, null ] , "a":true } `),
		hidden: 3,
	}
	got, err := strict.Canonical(&d)
	want := `{"version":2,"set":{"a":"\u001f\t","b":"<&>` + "\u2028" + `"},"time":"1m0s","next":null,"raw":{"z":[1.5e3,null],"a":true}}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	got, err = strict.Canonical(struct {
		L []int          `json:"l"`
		M map[string]int `json:"m"`
	}{})
	if err != nil || string(got) != `{"l":[],"m":{}}` {
		t.Errorf("nil slice and map: %s, %v", got, err)
	}
	got, err = strict.Canonical(document{Version: 1, Files: part{Write: []string{}, Ports: []int{}}, Next: &part{}})
	if err != nil || string(got) != `{"version":1,"next":{}}` {
		t.Errorf("empty lists: %s, %v", got, err)
	}
	for _, bad := range []any{"a\xff", "a\x00", map[string]int{"\xff": 1}, 1.5, map[int]int{1: 1}, json.RawMessage("{")} {
		if got, err := strict.Canonical(bad); err == nil {
			t.Errorf("Canonical(%#v) = %s, want an error", bad, got)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	deepList := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	for name, c := range map[string]struct{ data, want string }{
		"unknown key":             {"version = 1\n[files]\n  wirte = []\n", `p.toml:3:3: unknown key "wirte" in [files]; did you mean "write"?`},
		"unknown key, json":       {"{\"files\":\n {\"wirte\": []}}", `p.json:2:3: unknown key "wirte" in [files]; did you mean "write"?`},
		"unknown key, none near":  {"[files]\nx = 1\n", `p.toml:2:1: unknown key "x" in [files]; known: ports, write`},
		"unknown table":           {"[file]\nwrite = []\n", `p.toml:1:2: unknown key "file"; did you mean "files"?`},
		"unexported field":        {"hidden = 1", `p.toml:1:1: unknown key "hidden"; known: big, files, loud, next, on, parts, raw, set, small, time, version`},
		"no case folding":         {"Version = 1", `p.toml:1:1: unknown key "Version"; did you mean "version"?`},
		"terminal escape in key":  {`"\u001b[31m" = 1`, `p.toml:1:1: unknown key "\x1b[31m"; known:`},
		"string for integer":      {"version = '1'", `p.toml:1:11: version: must be an integer, not a string`},
		"fraction for integer":    {"version = 1.0", `p.toml:1:11: version: must be an integer, not a fraction`},
		"fraction, json":          {`{"version":1e0}`, `p.json:1:12: version: must be an integer, not a fraction`},
		"integer for string":      {"[files]\nwrite = ['a', 1]", `p.toml:2:15: files.write: must be a string, not an integer`},
		"string for list":         {"[files]\nwrite = 'a'", `p.toml:2:9: files.write: must be a list of strings, not a string`},
		"table for list":          {"[files.write]\n", `p.toml:1:8: files.write: must be a list of strings, not a table`},
		"array of tables":         {"[[files]]\n", `p.toml:1:3: files: must be a table, not a list`},
		"list for table":          {`{"set":["a"]}`, `p.json:1:8: set: must be a table of strings, not a list`},
		"integer in map":          {"set = {'a.b' = 1}", `p.toml:1:16: set."a.b": must be a string, not an integer`},
		"string for bool":         {`{"on":"true"}`, `p.json:1:7: on: must be true or false, not a string`},
		"null":                    {`{"files":{"write":null}}`, `p.json:1:19: files.write: must be a list of strings, not null`},
		"date":                    {"version = 2026-01-02", `version: must be an integer, not a date or time`},
		"out of range":            {"small = 256", `p.toml:1:9: small: must be from 0 to 255`},
		"negative":                {"big = -1", `big: must be from 0 to 18446744073709551615`},
		"above int64":             {`{"version":9223372036854775808}`, `p.json:1:12: version: must be from -9223372036854775808 to 9223372036854775807`},
		"above int64, toml":       {"version = 9223372036854775808", `p.toml:1:11: version: the number is too large`},
		"bare duration":           {"time = 10", `time: must be a duration like "10m", not an integer`},
		"bad duration":            {"time = '10'", `p.toml:1:8: time: invalid duration "10"; write it like`},
		"hook":                    {"loud = 'hi'", `p.toml:1:8: loud: must be in capitals; shout`},
		"top is a list":           {"\n [1]", `p.toml:2:3: unknown key "1"`},
		"duplicate key":           {"version = 1\nversion = 1", `p.toml:2:1: version: duplicate key`},
		"duplicate key, json":     {"{\"version\":1,\n\"version\":1}", `p.json:2:1: version: duplicate key`},
		"duplicate by escape":     {`{"set":{"a":"1","\u0061":"2"}}`, `p.json:1:17: set.a: duplicate key`},
		"duplicate by quotes":     {"version = 1\n'version' = 1", `p.toml:2:1: version: duplicate key`},
		"duplicate in inline":     {"set = {a = '1', a = '2'}", `p.toml:1:17: set.a: duplicate key`},
		"duplicate table":         {"[files]\n[files]\n", `p.toml:2:2: files: duplicate table`},
		"table after inline":      {"set = {}\n[set]\n", `p.toml:2:2: set: already has a value`},
		"table after dots":        {"files.write = []\n[files]\n", `p.toml:2:2: files: duplicate table`},
		"dots into table":         {"[next.x]\n[next]\nx.y = 1", `p.toml:3:1: next.x: is defined elsewhere already`},
		"dots into value":         {"version = 1\nversion.x = 1", `p.toml:2:1: version: is defined elsewhere already`},
		"dots into inline":        {"set = {}\nset.a = '1'", `p.toml:2:1: set: is defined elsewhere already`},
		"header into inline":      {"next = {x.y = 1}\n[next.x.z]\n", `p.toml:2:2: next: already has a value`},
		"array of tables on list": {"parts = []\n[[parts]]\n", `p.toml:2:3: parts: already has a value`},
		"array of tables on map":  {"[files]\n[[files]]\n", `p.toml:2:3: files: already has a value`},
		"header through list":     {"parts = [{}]\n[parts.x]\n", `p.toml:2:2: parts: already has a value`},
		"trailing data":           {`{"version":1} x`, `p.json:1:15: unexpected 'x' after the value`},
		"second value":            {`{"version":1}{}`, `p.json:1:14: unexpected '{' after the value`},
		"trailing data, toml":     {"version = 1 2", `p.toml:1:13: expected newline`},
		"trailing comma":          {`{"version":1,}`, `p.json:1:14: unexpected '}' where a quoted key belongs`},
		"trailing comma in list":  {`{"parts":[{},]}`, `p.json:1:14: unexpected ']' where a value belongs`},
		"comment in json":         {"{// no\n}", `p.json:1:2: unexpected '/' where a quoted key belongs`},
		"bare key in json":        {`{version:1}`, `p.json:1:2: unexpected 'v'`},
		"leading zero":            {`{"version":01}`, `p.json:1:13: unexpected '1' where`},
		"bad word":                {`{"version":tru}`, `p.json:1:12: unexpected 't' where a value belongs`},
		"truncated object":        {`{"version":1`, `p.json:1:13: the file ends too early`},
		"truncated string":        {`{"version`, `p.json:1:10: the file ends too early`},
		"truncated word":          {`{"on":tr`, `p.json:1:9: the file ends too early`},
		"truncated number":        {`{"version":-`, `p.json:1:13: the file ends too early`},
		"truncated escape":        {`{"a\u00`, `invalid \u escape`},
		"truncated key":           {"[files]\nwri", `p.toml:2:3: expected '=' after key`},
		"truncated list":          {"[files]\nwrite = ['a',", `p.toml:2:13: array is incomplete`},
		"truncated header":        {"[files", `p.toml:1:6: expected ']'`},
		"newline in string":       {"{\"a\n\":1}", `p.json:1:4: unexpected '\n' in a string`},
		"lone surrogate":          {`{"loud":"\ud800"}`, `p.json:1:10: invalid \u escape`},
		"half a pair":             {`{"loud":"\ud800\u0041"}`, `invalid \u escape`},
		"escaped NUL":             {`{"loud":"\u0000"}`, `p.json:1:10: invalid \u escape`},
		"escaped NUL, toml":       {`loud = "\u0000"`, `p.toml:1:8: loud: a NUL character`},
		"escaped NUL in key":      {`"\u0000" = 1`, `a NUL character`},
		"escaped NUL in header":   {`["\u0000"]`, `a NUL character`},
		"NUL":                     {"version = 1\n\x00", `p.toml:2:1: a NUL byte`},
		"invalid UTF-8":           {"loud = 'ü\xff'", `p.toml:1:10: invalid UTF-8`},
		"byte order mark":         {"\ufeffversion = 1", `p.toml:1:1: `},
		"empty":                   {"", "p.toml: is empty"},
		"only space":              {" \n\t", "p.toml: is empty"},
		"too deep":                {`{"raw":` + deepList + `}`, `p.json:1:71: values are nested too deeply`},
		"too deep, toml":          {"raw = " + deepList, `raw: values are nested too deeply`},
		"deep header":             {"[" + strings.Repeat("a.", 64) + "a]", `nested too deeply`},
		"deep dots":               {strings.Repeat("a.", 64) + "a = 1", `nested too deeply`},
		"very deep, toml":         {"raw = " + strings.Repeat("[", 1<<19), `nested more than`},
		"too big":                 {"#" + strings.Repeat("x", 1<<20), "p.toml: is larger than 1 MiB"},
		"infinite":                {"version = inf", "version: the number is not finite"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := decode(t, c.data)
			var d *diag.Diagnostic
			if !errors.As(err, &d) {
				t.Fatalf("error %v is no diagnostic", err)
			}
			if !strings.HasPrefix(d.Error(), c.want) && !strings.Contains(d.Error(), c.want) {
				t.Errorf("got  %s\nwant %s", d.Error(), c.want)
			}
			want := diag.PolicyInvalid
			if strings.HasPrefix(d.Message, "p.json") {
				want = diag.PlanInvalid
			}
			if d.Code != want {
				t.Errorf("code %s, want %s", d.Code, want)
			}
		})
	}
}

func TestFileNameCannotDriveTheTerminal(t *testing.T) {
	t.Parallel()
	_, err := strict.TOML("a\x1b[2J.toml", []byte("x"), diag.PolicyInvalid)
	if err == nil || strings.ContainsRune(err.Error(), '\x1b') {
		t.Errorf("got %q", err)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"write", "protect", "hide", "show", "unprotect"}
	for word, want := range map[string]string{
		"wirte": "write", "write": "write", "Hide": "hide", "unprotct": "unprotect", "shwo": "show",
		"": "", "x": "", "network": "", strings.Repeat("write", 100): "",
	} {
		if got := strict.Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	n, err := read(t, `{"step":"bind","path":"/x"}`)
	if err != nil {
		t.Fatal(err)
	}
	rest := n.Without("step")
	if n.Member("step").Text != "bind" || rest.Member("step") != nil || rest.Member("path").Text != "/x" || len(n.Members) != 2 {
		t.Errorf("got %v and %v", n.Members, rest.Members)
	}
}
