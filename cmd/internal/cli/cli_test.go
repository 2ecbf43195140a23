// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain ünïcode 字":    "plain ünïcode 字",
		"a\x1b[31mred":       `a\x1b[31mred`,
		"two\nlines\r":       `two\nlines\r`,
		"\u202etxt.exe":      `\u202etxt.exe`, // right-to-left override
		"broken \xff text":   `broken \ufffd text`,
		"\u009b2J":           `\u009b2J`, // C1 control
		"tab\tand\x00 zero":  `tab\tand\x00 zero`,
		"soft\u00adhyphen 1": `soft\u00adhyphen 1`,
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[31m\u202e\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		if out := printable(s); strings.IndexFunc(out, unprintable) >= 0 || strings.ToValidUTF8(out, "") != out {
			t.Errorf("printable(%q) = %q", s, out)
		}
	})
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		result sandbox.Result
		want   int
	}{
		{sandbox.Result{}, 0},
		{sandbox.Result{Code: 3}, 3},
		{sandbox.Result{Code: -1, Signal: syscall.Signal(9)}, 137},
		{sandbox.Result{Code: -1, Signal: syscall.Signal(9), TimedOut: true}, 124},
	} {
		if got := exitStatus(c.result); got != c.want {
			t.Errorf("%+v: %d, want %d", c.result, got, c.want)
		}
	}
	missing := fmt.Errorf("wrapped: %w", diag.New(diag.CommandNotFound, "", ""))
	for _, c := range []struct {
		err           error
		failure, want int
	}{
		{missing, statusRefused, 127},
		{missing, statusMisuse, 2},
		{diag.New(diag.CommandNotExec, "", ""), statusRefused, 126},
		{errors.New("other"), statusRefused, 125},
	} {
		if got := failureStatus(c.err, c.failure); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

// TestCommandTree holds the commands to one form: a sentence for each, and no
// flag without a description.
func TestCommandTree(t *testing.T) {
	t.Parallel()
	root := (&program{}).root(commands()...)
	if got, want := len(root.Commands()), len(commands()); got != want {
		t.Errorf("%d commands are built of %d", got, want)
	}
	for _, c := range root.Commands() {
		for _, c := range append(c.Commands(), c) {
			if c.Short == "" || strings.HasSuffix(c.Short, ".") {
				t.Errorf("%s: %q is no short description", c.CommandPath(), c.Short)
			}
			for line := range strings.Lines(c.Flags().FlagUsages()) {
				if f := strings.Fields(line); len(f) < 3 {
					t.Errorf("%s: %q says nothing", c.CommandPath(), line)
				}
			}
		}
	}
	for in, want := range map[string]string{"rnu": "run", "plna": "plan", "expl": "explain", "x": "", "zzzz": ""} {
		if got := nearest(root, in); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}
