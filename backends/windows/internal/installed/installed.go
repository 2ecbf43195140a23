// SPDX-License-Identifier: Apache-2.0

// Package installed says what setup leaves on a machine: the filters of the
// network, the directory that installs share, and in which state an install is.
// The backend plans with it and the helper makes it. It is small because the
// helper, which runs with the rights of an administrator, links all of it.
package installed

import (
	"strconv"
	"strings"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// Setup is what `caisson setup install` left on this host for the caller.
type Setup struct {
	// State is "none", "ready", "partial" (begun and not finished), "old" (of
	// another version) or "broken"; Detail says what is wrong.
	State   string `json:"state"`
	Detail  string `json:"detail,omitempty"`
	Install string `json:"install,omitempty"` // a hash of the installing user and the install
	// How many accounts each pool has. A setup from before there was a pool has
	// none in it.
	Offline int `json:"offline"`
	Online  int `json:"online"`
	Proxy   int `json:"proxy"`
}

// MostFilters is more than the filters of any account.
const MostFilters = 16

// port is the symbol of plans for the port of an account.
const port = "{port}"

// Filters are the filters that setup makes for an account of a pool, and that
// are read back before a command starts; there are none for the host's network.
// A block in any sublayer of the platform wins over every permit, so no rule of
// a firewall can void them.
//
//   - CONNECT, LISTEN and RECV_ACCEPT without further condition: nothing leaves,
//     nothing is awaited, nothing comes in, loopback included.
//   - RESOURCE_ASSIGNMENT for ICMP and for raw sockets, which do not connect.
//
// Each is for both families and for one user. An account of the proxy has three
// in the place of the one at CONNECT_V4, which together leave TCP to one port of
// 127.0.0.1: conditions of one filter that look at different fields must all
// hold, so each filter has one. Nothing permits, so what a firewall of the host
// blocks stays blocked.
func Filters(pool string) []plan.WindowsFilter {
	list := []plan.WindowsFilter{}
	if pool != plan.PoolOffline && pool != plan.PoolProxy {
		return list
	}
	block := func(layer string, conditions ...string) {
		list = append(list, plan.WindowsFilter{Layer: layer, Do: "block", Weight: 15, If: append([]string{"user={account}"}, conditions...)})
	}
	for _, family := range []string{"V4", "V6"} {
		if pool == plan.PoolProxy && family == "V4" {
			for _, all := range []string{"proto!=6", "raddr!=127.0.0.1", "rport!=" + port} {
				block("ALE_AUTH_CONNECT_V4", all)
			}
		} else {
			block("ALE_AUTH_CONNECT_" + family)
		}
		block("ALE_AUTH_LISTEN_" + family)
		block("ALE_AUTH_RECV_ACCEPT_" + family)
		icmp := "proto=1"
		if family == "V6" {
			icmp = "proto=58"
		}
		block("ALE_RESOURCE_ASSIGNMENT_"+family, icmp)
		block("ALE_RESOURCE_ASSIGNMENT_"+family, "raw")
	}
	return list
}

// Bind gives filters the port of an account, 0 where it has none.
func Bind(filters []plan.WindowsFilter, of int) []plan.WindowsFilter {
	list := make([]plan.WindowsFilter, len(filters))
	for i, f := range filters {
		list[i] = f
		list[i].If = make([]string, len(f.If))
		for j, c := range f.If {
			if of != 0 {
				c = strings.ReplaceAll(c, port, strconv.Itoa(of))
			}
			list[i].If[j] = c
		}
	}
	return list
}
