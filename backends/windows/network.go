// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// pool is that of the account that a plan asks for. Where setup made none for the
// proxy an allowlist is unmet, and the plan shows what is closest and allows less.
func pool(f Facts, r *policy.Resolved) string {
	switch mode := r.Network().Mode; {
	case mode == policy.Online:
		return plan.PoolOnline
	case mode == policy.Allowlist && f.Setup.Proxy > 0:
		return plan.PoolProxy
	}
	return plan.PoolOffline
}

// poolOf is the pool of a plan's account, "" of the user's own identity.
func poolOf(w *plan.Windows) string {
	if w.Account == nil {
		return ""
	}
	return w.Account.Pool
}
