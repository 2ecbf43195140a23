// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"slices"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// offers returns the most that a plan on this host can claim.
func offers(f Facts) guarantee.Set {
	if f.obstacle() != nil {
		return nil
	}
	s := guarantee.Set{
		guarantee.EnvScrubbed: {By: guarantee.ByLaunch},
		guarantee.FDNoLeak:    {By: guarantee.ByLaunch},
		guarantee.NoResidue:   {By: guarantee.ByLaunch},
		guarantee.LimitTime:   {By: guarantee.ByLaunch},
	}
	for _, id := range []guarantee.ID{
		guarantee.WriteConfined, guarantee.WriteProtected, guarantee.ReadHidden, guarantee.TmpPrivate, guarantee.DeviceDenied,
		guarantee.NetOffline, guarantee.NetAllowlist, guarantee.UnixConfined, guarantee.OutsideUntouchable, guarantee.OutsideHidden, guarantee.TreeKilled,
		guarantee.NoPrivs, guarantee.IPCConfined, guarantee.TTYNoInject, guarantee.KernelSurface, guarantee.LimitProcesses,
	} {
		s[id] = guarantee.Claim{By: guarantee.ByKernel}
	}
	if f.Notify {
		s[guarantee.DenialsReported] = guarantee.Claim{By: guarantee.ByLaunch}
	} else {
		delete(s, guarantee.UnixConfined)
	}
	if f.root() && !f.limitsTasks() {
		delete(s, guarantee.LimitProcesses)
	}
	if f.limitsMemory() {
		s[guarantee.LimitMemory] = guarantee.Claim{By: guarantee.ByKernel}
	}
	if len(f.Temp) == 0 {
		delete(s, guarantee.TmpPrivate)
	}
	return s
}

// unoffered says of each guarantee that is not offered why not.
func unoffered(f Facts, have guarantee.Set, why func(Facts, guarantee.ID) plan.Unmet) []plan.Unmet {
	var list []plan.Unmet
	for _, info := range guarantee.All() {
		if _, ok := have[info.ID]; !ok {
			list = append(list, why(f, info.ID))
		}
	}
	return list
}

// claims returns what a plan upholds and which needed guarantees it does not.
// served are the readable file systems that a server answers.
func claims(f Facts, r *policy.Resolved, served []mount) (guarantee.Set, []plan.Unmet) {
	s := offers(f)
	if s == nil {
		s = guarantee.Set{}
	}
	if !traced(f, r) {
		delete(s, guarantee.DenialsReported) // it costs, so it is done where it is asked for
	}
	claimNetwork(s, r.Network(), served)
	shared := sharedTemp(f, r)
	if shared != "" {
		delete(s, guarantee.TmpPrivate)
	}
	var list []plan.Unmet
	for _, id := range s.Missing(r.Require()) {
		u := unmet(f, id)
		switch {
		case f.obstacle() != nil:
		case id == guarantee.TmpPrivate && shared != "":
			u.Reason, u.Remedy = diag.Quote(shared)+" is a writable root of the policy", "name a directory inside it"
		case id == guarantee.NetOffline:
			u.Reason, u.Remedy = asksFor(r.Network().Mode), "use --net offline"
		case id == guarantee.NetAllowlist:
			u.Reason, u.Remedy = asksFor(r.Network().Mode), "use --net allowlist"
		}
		list = append(list, u)
	}
	return s, list
}

// sharedTemp returns the temporary directory that the policy makes writable as
// a whole, or "". With --tmp that is what was asked for.
func sharedTemp(f Facts, r *policy.Resolved) string {
	for _, rule := range r.Rules() {
		if rule.Access == policy.Write && rule.Path != r.Tmp() && slices.Contains(f.Temp, rule.Path) {
			return rule.Path
		}
	}
	return ""
}

// delegate is how a process gets into a control group beside which it can make
// its own.
const delegate = "start caisson in a control group of version 2 of the user's own, for example by systemd-run --user --scope caisson run …"

// unmet says why a guarantee is out of reach. Where the backend is not usable
// at all, accepting the loss of one guarantee does not help.
func unmet(f Facts, id guarantee.ID) plan.Unmet {
	u := plan.Unmet{ID: id}
	if o := f.obstacle(); o != nil {
		u.Reason, u.Remedy = o.reason, o.remedy
		return u
	}
	switch id {
	case guarantee.UnixConfined:
		u.Reason = "the kernel cannot have a supervisor answer connect(2) without disturbing the command"
		u.Remedy = "use Linux 5.19 or later"
	case guarantee.TmpPrivate:
		u.Reason, u.Remedy = "this host has neither /tmp nor /var/tmp", "make the directory /tmp"
	case guarantee.LimitMemory:
		u.Reason = "no control group of version 2 in which this process may limit memory is delegated to it"
		u.Remedy = delegate
	case guarantee.LimitProcesses:
		u.Reason = "the kernel does not count the tasks of a root caller, see RLIMIT_NPROC in getrlimit(2), and no control group of version 2 is delegated to this process"
		u.Remedy = "run caisson as an ordinary user, or " + delegate
	case guarantee.DenialsReported:
		u.Reason = "the kernel cannot show calls to a supervisor without disturbing the command"
		u.Remedy = "use Linux 5.19 or later"
	default:
		u.Reason = "this backend does not uphold it"
	}
	grant := diag.NewGrant(diag.GrantWeaker, string(id))
	u.Grant = &grant
	return u
}
