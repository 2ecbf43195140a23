// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/caisson-sandbox/caisson/conformance/report"
)

// testingT is what Test needs of a *testing.T. The package testing itself is
// not imported: programs that judge link this package too.
type testingT[T any] interface {
	Helper()
	Context() context.Context
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Log(...any)
	Logf(string, ...any)
	Skip(...any)
	Run(string, func(T)) bool
}

// Test judges a target in a test: every case is a subtest. T is *testing.T and
// need not be named. A failed Must and a case that could not be judged are
// errors of the test; a failed Should or May is logged. TestMain must begin
// with Main.
func Test[T testingT[T]](t T, c Config) {
	t.Helper()
	rep, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rep.Results {
		t.Run(r.ID, func(t T) {
			said := explain(r)
			switch r.Verdict {
			case Pass, Held:
			case NotApplicable, NotRun:
				t.Skip(said)
			case NotHeld:
				t.Log(said)
			default:
				if r.Verdict == Fail && r.Requirement != string(Must) {
					t.Log(said)
					return
				}
				t.Error(said)
			}
		})
	}
	if n := rep.Counts[NotRun]; n > 0 {
		t.Errorf("%d cases were not run: the target is not conformant", n)
	}
	t.Logf("seed %d; %s", rep.Seed, rep.Summary())
}

// explain says what came of a case and what that means.
func explain(r report.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s, docs/contract.md#%s): %s", r.Title, r.Requirement, r.Clause, r.Verdict)
	if r.Why != "" {
		fmt.Fprintf(&b, ": %s", r.Why)
	}
	if r.Verdict == Fail {
		fmt.Fprintf(&b, "\n%s", r.Meaning)
	}
	return b.String()
}
