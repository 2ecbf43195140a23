// SPDX-License-Identifier: Apache-2.0

package wraps_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/conformance/wraps"
)

// printWords makes this executable a tool that prints what it was started with.
const printWords = "CAISSON_TEST_PRINT_WORDS"

func TestMain(m *testing.M) {
	if os.Getenv(printWords) != "" {
		json.NewEncoder(os.Stdout).Encode(os.Args[1:])
		return
	}
	os.Exit(m.Run())
}

// TestShipped wants every wrap that comes with caisson to decode, and to say
// what is unfair about it.
func TestShipped(t *testing.T) {
	t.Parallel()
	if len(wraps.Names()) < 4 {
		t.Fatalf("there are only %q", wraps.Names())
	}
	for _, name := range wraps.Names() {
		w, err := wraps.Named(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if w.Notes == "" {
			t.Errorf("%s has no notes", name)
		}
		if name != "none" && len(w.Version) == 0 {
			t.Errorf("%s does not say how to ask for the tool's version", name)
		}
		if n := len(w.Line); name != "none" && (n < 2 || w.Line[n-1][0] != "--") {
			t.Errorf("%s does not end with --, so the command's own options could be taken for the tool's", name)
		}
	}
	if _, err := wraps.Named("nothing"); err == nil || !strings.Contains(err.Error(), "bubblewrap") {
		t.Errorf("a name that does not exist: %v", err)
	}
}

var update = flag.Bool("update", false, "write the golden files")

// TestExpansion starts each wrap with a tool that prints its words, once with
// every value of a policy and once with none.
func TestExpansion(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the paths of the golden files are those of Unix")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ws", "vault", "more", "most"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(names ...string) (paths []string) {
		for _, name := range names {
			paths = append(paths, filepath.Join(dir, name))
		}
		return paths
	}
	specs := []struct {
		title string
		spec  conformance.Spec
	}{
		{"everything", conformance.Spec{Workspace: at("ws")[0], Write: at("more", "most"), Protect: at("ws/a", "ws/b c"), Hide: at("vault", "key"),
			Timeout: 1500 * time.Millisecond, Memory: 128 << 20, Processes: 40}},
		{"a workspace alone", conformance.Spec{Workspace: at("ws")[0]}},
	}
	for _, name := range wraps.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := wraps.Named(name)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, s := range specs {
				fmt.Fprintf(&b, "# %s\n", s.title)
				for _, word := range expanded(t, w, s.spec) {
					fmt.Fprintf(&b, "%q\n", strings.ReplaceAll(word, dir, "/DIR"))
				}
			}
			golden(t, name, b.String())
		})
	}
}

// expanded returns the words of a wrap's command line for a policy. Its tool is
// replaced by this executable, and named in the first word.
func expanded(t *testing.T, w conformance.Wrap, s conformance.Spec) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tool := w.Line[0][0]
	w.Line = slices.Clone(w.Line)
	w.Line[0] = append([]string{self}, w.Line[0][1:]...)
	s.Environ = []string{printWords + "=1"}
	said, code := run(t, w, s, "/DIR/helper/tool", "an argument")
	if code != 0 {
		t.Fatalf("the tool ended with %d", code)
	}
	var words []string
	if err := json.Unmarshal([]byte(said), &words); err != nil {
		t.Fatal(err)
	}
	return append([]string{tool}, words...)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("run go test -update if this is meant (-want +got)\n%s", diff)
	}
}

// TestSettings runs the shell words of the wraps whose tools want a settings
// file, with a tool that prints what it was given.
func TestSettings(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	for _, name := range []string{"srt", "fence"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := wraps.Named(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			tool := "#!" + sh + "\n[ \"$1 $3\" = '--settings --' ] || exit 9\ncat \"$2\"; shift 3; printf '%s|' \"$@\"; exit 7\n"
			if err := os.WriteFile(filepath.Join(dir, name), []byte(tool), 0o755); err != nil {
				t.Fatal(err)
			}
			if w.Line[0][0] != "sh" {
				t.Fatalf("the wrap begins with %q", w.Line[0])
			}
			w.Line = slices.Concat([][]string{{sh}}, w.Line[1:])
			s := conformance.Spec{Workspace: dir, Write: []string{"/more", "/with a blank"}, Hide: []string{"/vault"},
				Environ: []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "write=ignored"}}
			out, code := run(t, w, s, "/bin/tool", "a b", "--", "write")
			var settings struct {
				Network    struct{ AllowedDomains, DeniedDomains []string }
				Filesystem struct{ AllowWrite, DenyWrite, DenyRead []string }
			}
			d := json.NewDecoder(strings.NewReader(out))
			d.DisallowUnknownFields()
			if err := d.Decode(&settings); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			f := settings.Filesystem
			if !slices.Equal(f.AllowWrite, []string{dir, "/more", "/with a blank"}) || len(f.DenyWrite) != 0 || !slices.Equal(f.DenyRead, []string{"/vault"}) {
				t.Errorf("the settings are %+v", f)
			}
			if !strings.HasSuffix(out, "\n/bin/tool|a b|--|write|") || code != 7 {
				t.Errorf("the tool was given %q, and the status is %d", out, code)
			}
		})
	}
}

// run starts a command in a wrap and returns what it printed, and its status.
func run(t *testing.T, w conformance.Wrap, s conformance.Spec, args ...string) (string, int) {
	t.Helper()
	sb, err := w.Open(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := sb.Start(context.Background(), conformance.Command{Args: args, Stdout: out})
	out.Close()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if _, err := said.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	e, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return said.String(), e.Code
}
