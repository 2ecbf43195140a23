// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// TestJSONHidesNothing: what is printed as JSON means what it did, and can be
// looked at.
func TestJSONHidesNothing(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	in := []string{"\u009b2J", "a\u202eb", "<&>"}
	if err := printJSON(&b, in); err != nil {
		t.Fatal(err)
	}
	if want := "[\n  \"\\u009b2J\",\n  \"a\\u202eb\",\n  \"<&>\"\n]\n"; b.String() != want {
		t.Errorf("%q", b.String())
	}
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
		if got := outcome.Status(c.result); got != c.want {
			t.Errorf("%+v: %d, want %d", c.result, got, c.want)
		}
	}
	missing := fmt.Errorf("wrapped: %w", diag.New(diag.CommandNotFound, "", ""))
	for _, c := range []struct {
		err           error
		failure, want int
	}{
		{missing, outcome.Refused, 127},
		{missing, statusMisuse, 2},
		{diag.New(diag.CommandNotExec, "", ""), outcome.Refused, 126},
		{errors.New("other"), outcome.Refused, 125},
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
