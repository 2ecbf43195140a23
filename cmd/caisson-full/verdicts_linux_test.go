// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/backends/linux"
	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/conformance/report"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/launch"
)

// parityCases selects of each group of the table its first case, and more where
// the first depends little on the plan.
const parityCases = `-01$|^(work-21|work-22|command-06|terminal-05|open-03|open-04|write-16|meta-03|protect-0[5-7]|protect-1[7-9]|hide-0[26]|hide-15|tmp-0[38]|net-1[47]|unix-0[37]|process-14|tree-0[56]|privilege-05|ipc-04|fd-06|kernel-05|residue-02)$`

// group is what an id begins with: the cases of a duty or a guarantee.
func group(id string) string { return id[:strings.LastIndex(id, "-")] }

// TestParityCasesCoverTheTable: no group and no guarantee is left out.
func TestParityCasesCoverTheTable(t *testing.T) {
	t.Parallel()
	chosen, err := conformance.Select(conformance.Config{Match: parityCases})
	if err != nil {
		t.Fatal(err)
	}
	has := func(same func(conformance.Case) bool) bool { return slices.ContainsFunc(chosen, same) }
	for _, c := range conformance.Cases() {
		if !has(func(o conformance.Case) bool { return group(o.ID) == group(c.ID) }) {
			t.Errorf("no case of %s is compared", group(c.ID))
		}
	}
	for _, info := range guarantee.All() {
		if !has(func(o conformance.Case) bool { return o.Guarantee == info.ID }) {
			t.Errorf("no case of %s is compared", info.ID)
		}
	}
}

// TestParityOfVerdicts: the conformance suite says the same of the Linux
// backend in this process and as a plugin, case by case, drawn from one seed.
func TestParityOfVerdicts(t *testing.T) {
	if exec.Command("caisson", "doctor").Run() != nil {
		t.Skip("this host cannot uphold the standard contract")
	}
	judge := func(b backend.Backend) *report.Report {
		rep, err := conformance.Run(t.Context(), conformance.Config{
			Target: conformance.Backend(b), Match: parityCases, Seed: 1,
			CaseTimeout: 2 * time.Minute, Timeout: 20 * time.Minute, // what is judged is no time
		})
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	verdicts := func(rep *report.Report) map[string]report.Verdict {
		all := map[string]report.Verdict{}
		for _, r := range rep.Results {
			all[r.ID] = r.Verdict
			if r.Verdict == conformance.Error || r.Verdict == conformance.NotRun {
				t.Errorf("%s: %s: %s", r.ID, r.Verdict, r.Why)
			}
		}
		return all
	}
	one, two := judge(linux.New(linux.Options{Try: launch.Try})), judge(served(t))
	here, there := verdicts(one), verdicts(two)
	if !cmp.Equal(here, there) {
		t.Errorf("verdicts in this process and of the plugin differ:\n%s", cmp.Diff(here, there))
	}
	if one.Seed != two.Seed || !cmp.Equal(one.Claims, two.Claims) || one.Clean() != two.Clean() {
		t.Errorf("%s\n%s", one.Summary(), two.Summary())
	}
	// What is equal is no silence: what the backend claims was tried, and held.
	for id := range one.Claims {
		if !slices.ContainsFunc(one.Results, func(r report.Result) bool { return r.Guarantee == id && r.Verdict == conformance.Pass }) {
			t.Errorf("%s is claimed, and no case of it passed", id)
		}
	}
}
