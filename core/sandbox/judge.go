// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"strings"

	"github.com/caisson-sandbox/caisson/core/egress"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/launch"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// attempted judges what a command tried and keeps what the policy refuses. It
// decides nothing: the call was refused already or is the kernel's to refuse.
func (s *Sandbox) attempted(d *denials) func(launch.Attempt) {
	return func(a launch.Attempt) {
		switch {
		case a.Address != "":
			s.triedAddress(d, a)
		case a.Act == launch.ActConnect:
			s.triedSocket(d, a)
		default:
			s.triedFile(d, a)
		}
	}
}

// triedFile keeps an attempt on a file that the policy refuses and that would
// have come to something without it.
func (s *Sandbox) triedFile(d *denials, a launch.Attempt) {
	refused := s.refusesWrite
	if a.Act == launch.ActRead || a.Act == launch.ActExecute || a.Act == launch.ActLook {
		refused = s.refusesRead
	}
	at, ok := refused(a)
	if !ok || d.again(a.Source, string(a.Act), a.Path) {
		return
	}
	explain := s.prepared.Resolved.Explain
	if a.Act == launch.ActRemove {
		explain = s.prepared.Resolved.ExplainRemove
	}
	e := s.prepared.withPrivate(at, explain(at, policy.OSHost()))
	d.add(a.Path, Denial{Source: a.Source, Operation: string(a.Act), Target: a.Path, Rule: e.Rule, Layer: e.Rule.Origin.Layer(), Remedy: e.Remedy, Grant: e.Grant})
}

// refusesRead says whether the policy refuses to read a path, and of which path
// the rule is. Whether something exists behind a hidden name is not looked at:
// the answer goes to who may not know.
func (s *Sandbox) refusesRead(a launch.Attempt) (at string, refused bool) {
	access, rule := s.prepared.Resolved.AccessTo(a.Path)
	if access == policy.Hidden && rule.Path != "" {
		return a.Path, a.Act != launch.ActLook || rule.Path != a.Path // what covers a name can be looked at
	}
	if a.Found || a.Act == launch.ActLook || access == policy.Write || s.prepared.privateOver(a.Path) == "" || isDevice(a.Path) {
		return "", false
	}
	_, err := policy.OSHost().Lstat(a.Path)
	return a.Path, err == nil // it is there outside only
}

// refusesWrite says whether the policy refuses to change a path, and of which
// path the rule is.
func (s *Sandbox) refusesWrite(a launch.Attempt) (at string, refused bool) {
	r := s.prepared.Resolved
	access, rule := r.AccessTo(a.Path)
	switch {
	case isDevice(a.Path):
		return "", false
	case access == policy.Write:
		if a.Act != launch.ActRemove || !a.Found {
			return "", false
		}
		if r.OwnName(a.Path) {
			return a.Path, policy.OSHost().CanWrite(policy.OSHost().OS().Dir(a.Path))
		}
		return s.holds(a.Path) // what holds something protected cannot be moved away
	case access == policy.Hidden && rule.Path != "":
		return a.Path, true
	case s.prepared.privateOver(a.Path) != "":
		return "", false
	}
	held := rule.Path == a.Path && rule.Hold != policy.HoldNone
	if !held && a.Found == (a.Act == launch.ActCreate) {
		return "", false // it is there already, or is not there: refused in any case
	}
	host := policy.OSHost()
	if info, err := host.Lstat(a.Path); a.Act == launch.ActWrite && err == nil && info.Kind == policy.KindDir {
		return "", false // no directory is opened for writing
	}
	where := a.Path
	if a.Act == launch.ActCreate || a.Act == launch.ActRemove {
		where = host.OS().Dir(a.Path)
	}
	return a.Path, host.CanWrite(where)
}

// holds returns the first protected path below a directory.
func (s *Sandbox) holds(dir string) (string, bool) {
	for _, rule := range s.prepared.Resolved.Rules() {
		if rule.Access != policy.Write && rule.Hold == policy.HoldNone && strings.HasPrefix(rule.Path, dir+"/") {
			return rule.Path, true
		}
	}
	return "", false
}

// isDevice reports whether a path is below /dev, which is the sandbox's own.
func isDevice(path string) bool { return path == "/dev" || strings.HasPrefix(path, "/dev/") }

// triedAddress keeps an attempt on an address that the network of the sandbox
// does not lead to.
func (s *Sandbox) triedAddress(d *denials, a launch.Attempt) {
	target := "net:" + a.Address
	if s.prepared.Resolved.Network().Mode == policy.Online || d.again(a.Source, string(a.Act), target) {
		return
	}
	e, err := s.prepared.Explain(target)
	if err != nil {
		return
	}
	one := Denial{Source: a.Source, Operation: string(a.Act), Target: target, Rule: e.Rule, Layer: e.Rule.Origin.Layer(), Remedy: e.Remedy, Grant: e.Grant}
	if upstream, err := egress.NewUpstream(s.prepared.environ()); err == nil && upstream.Is(a.Address) {
		one.Grant, one.Remedy = nil, "it is the proxy of the host, which leads everywhere; --net allowlist goes through it to the hosts that are allowed"
	}
	if a.Act == launch.ActLookup {
		one.Grant, one.Remedy = nil, "names are not looked up inside; allow the host by its name with --allow-host HOST:PORT"
		if s.prepared.Resolved.Network().Mode == policy.Offline {
			one.Remedy = "names are not looked up inside; run it with --net allowlist to see which hosts to allow with --allow-host HOST:PORT"
		}
	}
	d.add(target, one)
}

// triedSocket keeps an attempt on a unix socket that is there and that the
// policy does not grant.
func (s *Sandbox) triedSocket(d *denials, a launch.Attempt) {
	target := "unix:" + a.Path
	if d.again(a.Source, string(a.Act), target) {
		return
	}
	if !a.Found {
		if info, err := policy.OSHost().Lstat(a.Path); err != nil || info.Kind != policy.KindOther {
			return
		}
	}
	e, err := s.prepared.Explain(target)
	if err != nil || e.Reach == nil || *e.Reach {
		return
	}
	d.add(target, Denial{Source: a.Source, Operation: string(a.Act), Target: target, Rule: e.Rule, Layer: e.Rule.Origin.Layer(), Remedy: e.Remedy, Grant: e.Grant})
}

// traced reports whether all that is denied is observed.
func (s *Sandbox) traced() bool {
	_, ok := s.prepared.Plan.Claims[guarantee.DenialsReported]
	return ok
}
