// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"slices"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// traced reports whether the policy wants to know what is denied.
func traced(f Facts, r *policy.Resolved) bool {
	return f.Notify && slices.Contains(r.Require(), guarantee.DenialsReported)
}

// observeRules have the supervisor see calls that name files. They stand last:
// what another rule refuses is refused before. A look at an open file names none.
func observeRules() []plan.SeccompRule {
	const emptyPath = 0x1000 // AT_EMPTY_PATH
	const why = "what is asked for is reported where the policy refuses it; the kernel decides"
	observe := func(calls []string, when ...plan.SeccompCondition) plan.SeccompRule {
		return plan.SeccompRule{Calls: calls, Action: "observe", When: when, Why: why}
	}
	plain := slices.DeleteFunc(plan.Observed(), func(name string) bool { return name == "newfstatat" || name == "statx" })
	return []plan.SeccompRule{
		observe(calls("newfstatat"), masked(3, emptyPath, 0)),
		observe(calls("statx"), masked(2, emptyPath, 0)),
		observe(plain),
	}
}
