// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// bigSpec has two values for each placeholder that can have several.
func bigSpec(t *testing.T) Spec {
	t.Helper()
	dir := t.TempDir()
	vault, key := filepath.Join(dir, "vault"), filepath.Join(dir, "key")
	if err := os.Mkdir(vault, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return Spec{Workspace: "/ws", Write: []string{"/w1", "/w 2"}, Protect: []string{"/ws/p1", "/ws/p2"}, Hide: []string{vault, key},
		Timeout: 1500 * time.Millisecond, Memory: 128 << 20, Processes: 40}
}

func TestWrapExpansion(t *testing.T) {
	t.Parallel()
	big := bigSpec(t)
	vault, key := big.Hide[0], big.Hide[1]
	for _, c := range []struct {
		line        string
		small, full []string // with a workspace alone, and with everything
	}{
		{"box --", []string{"box", "--"}, []string{"box", "--"}},
		{"box {workspace}", []string{"box", "/ws"}, []string{"box", "/ws"}},
		{"box --work={workspace}:rw", []string{"box", "--work=/ws:rw"}, []string{"box", "--work=/ws:rw"}},
		{"box {workspace}:{workspace}", []string{"box", "/ws:/ws"}, []string{"box", "/ws:/ws"}},
		{"box --bind={workspace}:{workspace}", []string{"box", "--bind=/ws:/ws"}, []string{"box", "--bind=/ws:/ws"}},
		{"box --w={write} --", []string{"box", "--"}, []string{"box", "--w=/w1", "--w=/w 2", "--"}},
		{"box --bind={write}:{write}", []string{"box"}, []string{"box", "--bind=/w1:/w1", "--bind=/w 2:/w 2"}},
		{"box {protect} {write}", []string{"box"}, []string{"box", "/ws/p1", "/ws/p2", "/w1", "/w 2"}},
		{"box --hide={hide}", []string{"box"}, []string{"box", "--hide=" + vault, "--hide=" + key}},
		{"box {hide-dir} x {hide-file}", []string{"box", "x"}, []string{"box", vault, "x", key}},
		{"box --time={timeout}s", []string{"box"}, []string{"box", "--time=2s"}},
		{"box {memory} {processes}", []string{"box"}, []string{"box", "134217728", "40"}},
		{"box {helper}", []string{"box", "/opt/helper"}, []string{"box", "/opt/helper"}},
		// Braces that do not hold the word of a placeholder are text.
		{`box x='{"a": {"b": 1}}'`, []string{"box", `x={"a": {"b": 1}}`}, []string{"box", `x={"a": {"b": 1}}`}},
	} {
		w, err := ParseWrap(c.line)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if got := w.expand(Spec{Workspace: "/ws"}, "/opt/helper"); !slices.Equal(got, c.small) {
			t.Errorf("%s becomes %q with a workspace alone, want %q", c.line, got, c.small)
		}
		if got := w.expand(big, "/opt/helper"); !slices.Equal(got, c.full) {
			t.Errorf("%s becomes %q with everything, want %q", c.line, got, c.full)
		}
	}
}

// TestWrapGroups repeats and drops groups as a whole.
func TestWrapGroups(t *testing.T) {
	t.Parallel()
	w := Wrap{Name: "box", Line: [][]string{{"box"}, {"--bind", "{write}", "{write}"}, {"--hide", "{hide-file}"}, {"--"}}}
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	if got, want := w.expand(Spec{Workspace: "/ws"}, ""), []string{"box", "--"}; !slices.Equal(got, want) {
		t.Errorf("without values it becomes %q, want %q", got, want)
	}
	big := bigSpec(t)
	want := []string{"box", "--bind", "/w1", "/w1", "--bind", "/w 2", "/w 2", "--hide", big.Hide[1], "--"}
	if got := w.expand(big, ""); !slices.Equal(got, want) {
		t.Errorf("with values it becomes %q, want %q", got, want)
	}
}

// TestWrapValues wants a value that looks like a placeholder to stay what it
// is.
func TestWrapValues(t *testing.T) {
	t.Parallel()
	w, err := ParseWrap("box --w={write} {workspace}")
	if err != nil {
		t.Fatal(err)
	}
	got := w.expand(Spec{Workspace: "/{write}", Write: []string{"/{workspace}", "/{write}"}}, "")
	if want := []string{"box", "--w=/{workspace}", "--w=/{write}", "/{write}"}; !slices.Equal(got, want) {
		t.Errorf("it becomes %q, want %q", got, want)
	}
}

func TestParseWrapRefuses(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                       "the command line is empty",
		"  \t":                   "the command line is empty",
		"box 'x":                 "a quote is not closed",
		`box \`:                  "a backslash stands at the end",
		"box {write}:{hide}":     "{hide} and {write} stand in one argument",
		"box {hide}={hide-file}": "{hide-file} and {hide} stand in one argument",
		"box --hide={hid}":       "no placeholder is called {hid}",
		"box {hidden}":           "no placeholder is called {hidden}; they are {helper} {hide-dir}",
	} {
		_, err := ParseWrap(line)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, want one about %s", line, err, want)
		}
	}
}

func TestDefaultClaims(t *testing.T) {
	t.Parallel()
	w, err := ParseWrap("box --")
	if err != nil {
		t.Fatal(err)
	}
	if w.Name != "box" {
		t.Errorf("the name is %q", w.Name)
	}
	sb, err := w.Open(context.Background(), Spec{Workspace: "/ws"})
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	claims := sb.Claims()
	for _, i := range guarantee.All() {
		_, claimed := claims[i.ID]
		if want := i.ID != guarantee.NetAllowlist && i.ID != guarantee.DenialsReported; claimed != want {
			t.Errorf("%s: claimed %t, want %t", i.ID, claimed, want)
		}
	}
}

// TestWrapInfo asks a tool for its version, and says that a tool is missing.
func TestWrapInfo(t *testing.T) {
	t.Parallel()
	if _, err := (Wrap{Name: "box", Line: [][]string{{"caisson-no-such-tool"}}}).Info(context.Background()); err == nil {
		t.Error("a tool that is not there is no error")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := Wrap{Name: "box", Notes: "a note", Line: [][]string{{self}}, Version: []string{self, "-test.list", "^TestWrapInfo$"}}
	info, err := w.Info(context.Background())
	if err != nil || info.Name != "box" || info.Kind != "wrap" || info.Version != "TestWrapInfo" || info.Notes != "a note" {
		t.Errorf("it says %+v (%v)", info, err)
	}
}

// FuzzParseWrap wants every line to be refused, or to expand to words of which
// the first is the tool.
func FuzzParseWrap(f *testing.F) {
	for _, line := range []string{"box --", "box --w={write} {hide} {workspace}", "{", "'{hide} {write}'", "box {x}"} {
		f.Add(line)
	}
	spec := Spec{Workspace: "/ws", Write: []string{"/w1", "/w2"}, Timeout: time.Second}
	f.Fuzz(func(t *testing.T, line string) {
		w, err := ParseWrap(line)
		if err != nil {
			return
		}
		if len(w.Line) == 0 || w.Name != w.Line[0][0] {
			t.Fatalf("%q has no tool: %+v", line, w)
		}
		got := strings.Join(w.expand(spec, "/helper"), " ")
		for name := range placeholders(Spec{}, "") {
			if strings.Contains(got, name) {
				t.Errorf("%q leaves %s in %q", line, name, got)
			}
		}
	})
}
