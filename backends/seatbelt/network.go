// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"fmt"
	"slices"

	"github.com/caisson-sandbox/caisson/backends/seatbelt/internal/sbpl"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// Addresses of filters have a host of "*" or "localhost", nothing else: any
// other word makes the whole profile invalid. A filter of the local address on
// network-outbound was seen to match every connection, so there is none.

func remote(kind, address string) sbpl.Expr {
	return sbpl.Form("remote", sbpl.Symbol(kind), sbpl.String(address))
}

func local(kind, address string) sbpl.Expr {
	return sbpl.Form("local", sbpl.Symbol(kind), sbpl.String(address))
}

func unixSocket(end string, path sbpl.Expr) sbpl.Expr {
	return sbpl.Form(end, sbpl.Symbol("unix-socket"), path)
}

func socketDomain(name string) sbpl.Expr {
	return sbpl.Form("socket-domain", sbpl.Symbol(name))
}

// sockets allows unix sockets in the sandbox's own temporary directory, where
// no process of the host listens. In a workspace one may, so there a socket can
// be neither bound nor reached, but for those that the policy names.
func (g *generator) sockets() sbpl.Section {
	dir := sbpl.Subpath(tmpPath())
	if g.tmpDir == "" {
		dir = subpath(g.policy.Tmp())
	}
	reach := []sbpl.Expr{unixSocket("remote", dir)}
	for _, name := range g.policy.Network().Unix {
		reach = append(reach, unixSocket("remote", literal(name)))
	}
	return sbpl.Section{
		Comment: "Unix sockets: those of the sandbox's own temporary directory, and those that\nthe policy names.",
		Rules: slices.Concat(
			about(allow("system-socket"), socketDomain("AF_UNIX")),
			about(allow("network-bind", "network-inbound"), unixSocket("local", dir)),
			about(allow("network-outbound"), reach...),
		),
	}
}

// network allows what the policy asks for and nothing else: offline is the
// absence of a rule.
func (g *generator) network() sbpl.Section {
	n := g.policy.Network()
	if n.Mode == policy.Online {
		return sbpl.Section{
			Comment: "The network of the host as it is, and what resolves names there.",
			Rules: slices.Concat(
				about(allow("network-outbound"), remote("ip", "*:*"), unixSocket("remote", literal("/private/var/run/mDNSResponder"))),
				about(allow("network-bind", "network-inbound"), local("ip", "*:*")),
				about(allow("system-socket"), socketDomain("AF_ROUTE"),
					sbpl.All(socketDomain("AF_SYSTEM"), sbpl.Form("socket-protocol", sbpl.Symbol("2")))),
			),
		}
	}
	var out, in []sbpl.Expr
	if g.proxy {
		// Its value is localhost and one port, by TCP alone: a server for UDP there is
		// none of caisson's. Names are the proxy's to resolve, so there is no way to
		// mDNSResponder, nor to who fetches by itself.
		out = append(out, sbpl.Form("remote", sbpl.Symbol("tcp"), sbpl.Param(paramProxy)))
	}
	for _, port := range n.Loopback {
		out = append(out, remote("ip", fmt.Sprintf("localhost:%d", port)))
	}
	for _, port := range n.Publish {
		in = append(in, local("ip", fmt.Sprintf("localhost:%d", port)))
	}
	comment := "Ports of the host's loopback that the policy names."
	if g.proxy {
		comment = "Caisson's proxy, which decides about hosts, and ports of the host's loopback\nthat the policy names."
	}
	return sbpl.Section{
		Comment: comment,
		Rules:   slices.Concat(about(allow("network-outbound"), out...), about(allow("network-bind", "network-inbound"), in...)),
	}
}

// services allows what programs ask about the network, where there is one.
func (g *generator) services() sbpl.Section {
	s := sbpl.Section{Comment: "Services that reach the network for who asks them."}
	if g.policy.Network().Mode != policy.Online {
		return s
	}
	for _, one := range services(nil, onlineServices()) {
		s.Rules = append(s.Rules, one.rule)
	}
	return s
}

// devices shuts every device but those of the contract, and the ioctl by which
// a program types into its terminal, TIOCSTI; its name is unknown to macOS 14.
func (g *generator) devices() sbpl.Section {
	keep := []sbpl.Expr{literal("/dev")}
	for _, name := range []string{"null", "zero", "random", "urandom", "tty", "ptmx"} {
		keep = append(keep, literal("/dev/"+name))
	}
	keep = append(keep, subpath("/dev/fd"), sbpl.Literal(sbpl.Param(paramTTY)), ownSlave())
	parts := []sbpl.Expr{subpath("/dev")}
	for _, f := range keep {
		parts = append(parts, sbpl.Not(f))
	}
	s := sbpl.Section{Comment: "No device but the standard ones and the terminals of the sandbox, and nothing\ntyped into a terminal."}
	s.Rules = append(s.Rules, about(deny("file-read-data"), sbpl.All(parts...))...)
	if g.everywhere() {
		s.Rules = append(s.Rules, about(deny("file-write*", "file-link"), sbpl.All(append(parts[:1:1], parts[2:]...)...))...)
	}
	s.Rules = append(s.Rules, about(deny("file-ioctl"), sbpl.Form("ioctl-command", sbpl.Symbol("#x80017472")))...)
	return s
}
