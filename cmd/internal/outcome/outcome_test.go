// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// TestStatus: the status of caisson for each way a command can end.
func TestStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		result sandbox.Result
		want   int
	}{
		{"success", sandbox.Result{Started: true}, 0},
		{"failure", sandbox.Result{Started: true, Code: 7}, 7},
		{"a command's own 125", sandbox.Result{Started: true, Code: 125}, 125},
		{"killed", sandbox.Result{Started: true, Signal: syscall.SIGKILL}, 137},
		{"interrupted", sandbox.Result{Started: true, Signal: syscall.SIGINT}, 130},
		{"late", sandbox.Result{Started: true, TimedOut: true, Signal: syscall.SIGKILL}, 124},
		{"late, with a status", sandbox.Result{Started: true, TimedOut: true, Code: 3}, 124},
	} {
		if got := Status(c.result); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestFailure: what was never started has three statuses.
func TestFailure(t *testing.T) {
	t.Parallel()
	wrapped := func(code diag.Code) error { return fmt.Errorf("start: %w", diag.New(code, "x", "")) }
	for _, c := range []struct {
		err  error
		want int
	}{
		{wrapped(diag.CommandNotFound), 127},
		{wrapped(diag.CommandNotExec), 126},
		{wrapped(diag.LaunchFailed), 125},
		{wrapped(diag.SessionUnknown), 125},
		{errors.New("plain"), 125},
	} {
		if got := Failure(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

// TestOf: an outcome says what the result says, and no more; the base is not
// changed by it.
func TestOf(t *testing.T) {
	t.Parallel()
	base := Base(nil)
	base.Reason = "why"
	d := *diag.New(diag.LaunchFailed, "kept", "")
	o := base.Of(sandbox.Result{
		Started: true, Signal: syscall.SIGTERM, Limit: "memory", Elapsed: 1500 * time.Millisecond,
		UserTime: 2 * time.Millisecond, SystemTime: 3 * time.Millisecond, MaxRSS: 4096,
		Denials: []sandbox.Denial{}, DenialsMore: 2, Diagnostics: []diag.Diagnostic{d},
	}, nil)
	if o.Exit.Code != 143 || o.Exit.Signal == nil || *o.Exit.Signal != 15 || o.Exit.Limit == nil || *o.Exit.Limit != "memory" || o.Exit.TimedOut {
		t.Errorf("%+v", o.Exit)
	}
	if diff := cmp.Diff(Usage{2, 3, 4096}, o.Usage); diff != "" || o.ElapsedMS != 1500 || o.Reason != "why" || o.DenialsMore != 2 || !o.Started {
		t.Errorf("%+v %s", o, diff)
	}
	if diff := cmp.Diff([]diag.Diagnostic{d}, o.Diagnostics); diff != "" {
		t.Error(diff)
	}
	if base.Started || base.Diagnostics != nil || base.Exit.Signal != nil {
		t.Errorf("the base was changed: %+v", base)
	}
	failed := base.Of(sandbox.Result{Diagnostics: []diag.Diagnostic{d}}, fmt.Errorf("start: %w", diag.New(diag.CommandNotFound, "none", "look")))
	if failed.Started || failed.Exit.Code != 127 || len(failed.Diagnostics) != 2 || failed.Diagnostics[1].Code != diag.CommandNotFound {
		t.Errorf("%+v", failed)
	}
	if plain := base.Of(sandbox.Result{}, errors.New("broken")); plain.Diagnostics[0].Code != diag.LaunchFailed || plain.Diagnostics[0].Message != "broken" {
		t.Errorf("%+v", plain.Diagnostics)
	}
}

// TestForm: nothing that is read by machines is null that is a list, but denials
// that were not observed; what was not asked for is absent.
func TestForm(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(Base(nil).Of(sandbox.Result{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"schema":1`, `"denials":null`, `"diagnostics":[]`, `"weakened":[]`, `"claims":{}`, `"signal":null`, `"limit":null`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	for _, not := range []string{"reason", "denials_more"} {
		if strings.Contains(string(text), not) {
			t.Errorf("%s is in %s", not, text)
		}
	}
	text, err = json.Marshal(Base(nil).Of(sandbox.Result{Denials: []sandbox.Denial{}}, nil))
	if err != nil || !strings.Contains(string(text), `"denials":[]`) {
		t.Errorf("%s, %v", text, err)
	}
}
