// SPDX-License-Identifier: Apache-2.0

package host

import (
	"slices"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// judgeEgress: no plan joins the networks at a port that the policy does not
// name, and none serves a list that the policy does not have.
func judgeEgress(st plan.Egress, n policy.Network) error {
	if st.Proxy != 0 && n.Mode != policy.Allowlist {
		return refused("the plan has a proxy, which the policy does not")
	}
	for _, port := range st.Loopback {
		if !slices.Contains(n.Loopback, port) {
			return refused("the plan opens port %d of the host's loopback, which the policy does not", port)
		}
	}
	for _, port := range st.Publish {
		if !slices.Contains(n.Publish, port) {
			return refused("the plan publishes port %d, which the policy does not", port)
		}
	}
	return nil
}

// judgeBroker: no plan opens a unix socket that the policy does not name.
func judgeBroker(st plan.Broker, n policy.Network) error {
	for _, name := range st.Allow {
		if !slices.Contains(n.Unix, name) {
			return refused("the plan opens the socket %s, which the policy does not", diag.Quote(name))
		}
	}
	return nil
}

// ofProxy reports whether an edit is one that every backend makes for the proxy.
func ofProxy(e plan.EnvEdit, made *plan.Plan, r *policy.Resolved) bool {
	for _, s := range made.Steps {
		if st, ok := s.(plan.Egress); ok && r.Network().Mode == policy.Allowlist && st.Proxy != 0 {
			value, known := backend.ProxyVariables(backend.Proxy{Port: st.Proxy})[e.Name]
			return known && !e.Unset && value == e.Value
		}
	}
	return false
}
