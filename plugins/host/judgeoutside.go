// SPDX-License-Identifier: Apache-2.0

package host

import (
	"slices"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// judgeOutside compares what the launcher does outside of the sandbox for a
// plan with the policy: it makes placeholders, moves files away and connects to
// sockets of the host where the policy says so, and nowhere else.
func judgeOutside(made *plan.Plan, r *policy.Resolved) error {
	for _, s := range made.Steps {
		switch st := s.(type) {
		case plan.Hold:
			rule := ruleAt(r, st.Path)
			if !slices.Contains([]policy.Hold{policy.HoldDir, policy.HoldFile, policy.HoldLink}, rule.Hold) || st.Content != "" && st.Content != rule.Content {
				return refused("the plan has %s made, which the policy does not", diag.Quote(st.Path))
			}
		case plan.Watch:
			for _, name := range st.Quarantine {
				if ruleAt(r, name).Hold != policy.HoldQuarantine {
					return refused("the plan has %s moved away, which the policy does not", diag.Quote(name))
				}
			}
			for _, name := range st.Git {
				if !slices.Contains(r.GitDirs(), name) {
					return refused("the plan has %s watched, which is no git directory of the policy", diag.Quote(name))
				}
			}
		case plan.Broker:
			if err := judgeBroker(st, r.Network()); err != nil {
				return err
			}
		case plan.Devices:
			_, claimed := made.Claims[guarantee.DeviceDenied]
			for _, name := range st.Names {
				if claimed && !slices.Contains([]string{"null", "zero", "full", "random", "urandom", "tty"}, name) {
					return refused("the plan claims %s and shows the device %s", guarantee.DeviceDenied, diag.Quote(name))
				}
			}
		}
	}
	return nil
}

// ruleAt returns the rule of a path itself; one that the policy does not have
// is the zero value.
func ruleAt(r *policy.Resolved, name string) policy.Rule {
	for _, rule := range r.Rules() {
		if rule.Path == name {
			return rule
		}
	}
	return policy.Rule{}
}
