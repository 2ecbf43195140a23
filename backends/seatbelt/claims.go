// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// The evidence that a claim rests on, in the words of docs/macos.md.
const (
	modelled = "MODELLED"  // judged by the evaluator of profiles
	neverRun = "NEVER RUN" // rests on the launcher, which is CROSS-COMPILED
)

// offers returns the most that a plan on this host can claim.
func offers(f Facts, proxy bool) guarantee.Set {
	if f.obstacle() != nil {
		return nil
	}
	s := guarantee.Set{}
	for _, id := range []guarantee.ID{
		guarantee.WriteConfined, guarantee.WriteProtected, guarantee.ReadHidden, guarantee.TmpPrivate, guarantee.DeviceDenied,
		guarantee.NetOffline, guarantee.UnixConfined, guarantee.OutsideUntouchable, guarantee.NoPrivs, guarantee.IPCConfined,
		guarantee.TTYNoInject, guarantee.KernelSurface,
	} {
		s[id] = guarantee.Claim{By: guarantee.ByKernel, Note: modelled}
	}
	if proxy {
		s[guarantee.NetAllowlist] = guarantee.Claim{By: guarantee.ByKernel, Note: modelled + "; one port of the host's loopback, at which caisson's proxy decides and asks for a password"}
	}
	for _, id := range []guarantee.ID{
		guarantee.TreeKilled, guarantee.EnvScrubbed, guarantee.FDNoLeak, guarantee.NoResidue, guarantee.LimitTime,
	} {
		s[id] = guarantee.Claim{By: guarantee.ByLaunch, Note: neverRun}
	}
	limit := func(id guarantee.ID, note string) {
		c := s[id]
		c.Note += "; " + note
		s[id] = c
	}
	limit(guarantee.OutsideUntouchable, "priorities are not confined by macOS")
	limit(guarantee.IPCConfined, "semaphores are shared with the host")
	limit(guarantee.TreeKilled, "a process that forks while it is looked for may get away, and so may all where caisson is killed")
	return s
}

// unmet says why a guarantee is out of reach here.
func unmet(f Facts, id guarantee.ID) plan.Unmet {
	grant := diag.NewGrant(diag.GrantWeaker, string(id))
	u := plan.Unmet{ID: id, Grant: &grant}
	if o := f.obstacle(); o != nil {
		u.Reason, u.Remedy = o.reason, o.remedy
		return u
	}
	switch id {
	case guarantee.OutsideHidden:
		u.Reason = "macOS has no process namespaces: processes can be found by their number"
	case guarantee.NetAllowlist:
		u.Reason, u.Remedy = "who executes the plan serves no proxy that decides by host", "use --net offline or --net online"
	case guarantee.LimitMemory, guarantee.LimitProcesses:
		u.Reason = "macOS limits single processes and users, not trees of processes"
		u.Remedy = "leave the limit out"
	case guarantee.DenialsReported:
		u.Reason = "this version does not read the log of the sandbox"
		u.Remedy = "look at it outside: log show --last 5m --predicate 'sender == \"Sandbox\"'"
	default:
		u.Reason = Name + " does not offer it"
	}
	return u
}

// unoffered says of each guarantee that is not offered why not.
func unoffered(f Facts, proxy bool) []plan.Unmet {
	var list []plan.Unmet
	have := offers(f, proxy)
	for _, info := range guarantee.All() {
		if _, ok := have[info.ID]; !ok {
			list = append(list, unmet(f, info.ID))
		}
	}
	return list
}

// claims returns what a plan upholds and which needed guarantees it does not.
func claims(f Facts, g *generator) (guarantee.Set, []plan.Unmet) {
	s := offers(f, g.proxy)
	if s == nil {
		s = guarantee.Set{}
	}
	if g.policy.Network().Mode == policy.Online {
		delete(s, guarantee.NetOffline)
	}
	shared := g.sharedTemp()
	if shared != "" {
		delete(s, guarantee.TmpPrivate)
	}
	var list []plan.Unmet
	for _, id := range s.Missing(g.policy.Require()) {
		u := unmet(f, id)
		switch {
		case f.obstacle() != nil:
		case id == guarantee.NetOffline:
			u.Reason, u.Remedy = "the policy asks for the host's network", "use --net offline"
		case id == guarantee.TmpPrivate && shared != "":
			u.Reason, u.Remedy = diag.Quote(shared)+" is a writable root of the policy", "name a directory inside it"
		}
		list = append(list, u)
	}
	return s, list
}

// sharedTemp returns the directory for temporary files of the host that the
// policy makes writable as a whole, or "". With --tmp that is what was asked for.
func (g *generator) sharedTemp() string {
	for _, dir := range g.temp {
		if in := g.around(dir); in.access() == policy.Write && in.rule.Path != g.policy.Tmp() {
			return dir
		}
	}
	return ""
}
