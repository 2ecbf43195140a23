// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// egress is the step that joins the sandbox's network to the host's where the
// policy asks for that; false where it does not, or the network is the host's.
func egress(n policy.Network) (plan.Egress, bool) {
	e := plan.Egress{Loopback: n.Loopback, Publish: n.Publish}
	if n.Mode == policy.Allowlist {
		e.Proxy = backend.ProxyPort
	}
	return e, n.Mode != policy.Online && (e.Proxy != 0 || len(e.Loopback)+len(e.Publish) > 0)
}

// refusePorts refuses ports that would have to be two things inside.
func refusePorts(n policy.Network) error {
	if n.Mode == policy.Online {
		return nil
	}
	for _, port := range n.Loopback {
		switch {
		case slices.Contains(n.Publish, port):
			return diag.New(diag.PolicyInvalid, fmt.Sprintf("network.loopback and network.publish both name port %d: it would lead into itself", port), "name it in one of them")
		case n.Mode == policy.Allowlist && port == backend.ProxyPort:
			return diag.New(diag.PolicyInvalid, fmt.Sprintf("network.loopback names port %d, at which the proxy listens inside", port), "have the server listen on another port")
		}
	}
	for _, port := range n.Publish {
		if n.Mode == policy.Allowlist && port == backend.ProxyPort {
			return diag.New(diag.PolicyInvalid, fmt.Sprintf("network.publish names port %d, at which the proxy listens inside", port), "have the server listen on another port")
		}
	}
	return nil
}

// asksFor says what the network of a mode is, where another was needed.
func asksFor(mode policy.NetworkMode) string {
	switch mode {
	case policy.Online:
		return "the policy asks for the host's network"
	case policy.Allowlist:
		return "the policy asks for the hosts of a list"
	}
	return "the policy asks for no network"
}

// claimNetwork leaves of the claims for the network that of the policy's mode,
// with what it does not cover.
func claimNetwork(s guarantee.Set, n policy.Network, served []mount) {
	if n.Mode != policy.Offline {
		delete(s, guarantee.NetOffline)
	}
	if n.Mode != policy.Allowlist {
		delete(s, guarantee.NetAllowlist)
	}
	var but []string
	if len(served) > 0 {
		but = append(but, "lookups in "+nameMounts(served))
	}
	if len(n.Loopback) > 0 {
		but = append(but, fmt.Sprintf("port %s of the host's loopback", plan.Ports(n.Loopback)))
	}
	if len(n.Publish) > 0 {
		but = append(but, fmt.Sprintf("port %s, published on the host's loopback", plan.Ports(n.Publish)))
	}
	for _, id := range []guarantee.ID{guarantee.NetOffline, guarantee.NetAllowlist} {
		if c, ok := s[id]; ok && len(but) > 0 {
			c.Note = "but for " + strings.Join(but, "; ")
			s[id] = c
		}
	}
}
