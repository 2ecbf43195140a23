// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"net"
	"strconv"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/egress"
	"github.com/caisson-sandbox/caisson/core/launch"
)

// decided takes a decision of the proxy to whoever asks for it, to the audit
// files and, where it is one, to the denials of the sandbox.
func (s *Sandbox) decided(d egress.Decision) {
	s.auditor.decided(d)
	if d.Verdict == egress.Denied {
		s.refusedByProxy(d)
	}
	if told := s.prepared.options.Egress; told != nil {
		told(d)
	}
}

func (s *Sandbox) refusedByProxy(d egress.Decision) {
	const source = "proxy"
	target := "net:" + d.Host
	if d.Port != 0 {
		target = "net:" + net.JoinHostPort(d.Host, strconv.Itoa(d.Port))
	}
	if s.denied.again(source, string(launch.ActConnect), target) {
		return
	}
	one := Denial{Source: source, Operation: string(launch.ActConnect), Target: target, Remedy: d.Reason, Grant: d.Grant}
	if e, err := s.prepared.Explain(target); err == nil { // what is no host has no rule
		one.Rule, one.Layer = e.Rule, e.Rule.Origin.Layer()
	}
	if d.Grant != nil {
		one.Remedy = diag.Escape(d.Reason) + "; allow it with " + d.Grant.Flags()
	}
	s.denied.add(target, one)
}
