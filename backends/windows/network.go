// SPDX-License-Identifier: Apache-2.0

package windows

import "github.com/caisson-sandbox/caisson/core/plan"

// Filters are the filters that setup makes for an offline account, and that
// are read back before a command starts. A block in any sublayer of the
// platform wins over every permit, so no rule of a firewall can void them.
//
//   - CONNECT, LISTEN and RECV_ACCEPT without further condition: nothing leaves,
//     nothing is awaited, nothing comes in, loopback included.
//   - RESOURCE_ASSIGNMENT for ICMP and for raw sockets, which do not connect.
//
// Each is for both families and for one user.
func Filters() []plan.WindowsFilter {
	var list []plan.WindowsFilter
	const who = "user={account}"
	for _, family := range []string{"V4", "V6"} {
		for _, layer := range []string{"ALE_AUTH_CONNECT", "ALE_AUTH_LISTEN", "ALE_AUTH_RECV_ACCEPT"} {
			list = append(list, plan.WindowsFilter{Layer: layer + "_" + family, Do: "block", Weight: 15, If: []string{who}})
		}
		icmp := "proto=1"
		if family == "V6" {
			icmp = "proto=58"
		}
		for _, what := range []string{icmp, "raw"} {
			list = append(list, plan.WindowsFilter{Layer: "ALE_RESOURCE_ASSIGNMENT_" + family, Do: "block", Weight: 15, If: []string{who, what}})
		}
	}
	return list
}

// filters are those of one plan.
func filters(w *plan.Windows) []plan.WindowsFilter {
	if w.Account == nil || w.Account.Pool != "offline" {
		return []plan.WindowsFilter{}
	}
	return Filters()
}
