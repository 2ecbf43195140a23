// SPDX-License-Identifier: Apache-2.0

// Package installed says what setup leaves on a machine: the filters of the
// network, the directory that installs share, and in which state an install is.
// The backend plans with it and the helper makes it. It is small because the
// helper, which runs with the rights of an administrator, links all of it.
package installed

import "github.com/caisson-sandbox/caisson/core/plan"

// Setup is what `caisson setup install` left on this host for the caller.
type Setup struct {
	// State is "none", "ready", "partial" (begun and not finished), "old" (of
	// another version) or "broken"; Detail says what is wrong.
	State   string `json:"state"`
	Detail  string `json:"detail,omitempty"`
	Install string `json:"install,omitempty"` // a hash of the installing user and the install
	Offline int    `json:"offline"`           // accounts of the pool
	Online  int    `json:"online"`
}

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
