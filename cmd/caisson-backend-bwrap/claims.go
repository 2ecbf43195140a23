// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// offers is the most that any plan claims on this host.
func offers(f facts) (guarantee.Set, []plan.Unmet) {
	offered := guarantee.Set{}
	if f.Works {
		kernel, launch := guarantee.Claim{By: guarantee.ByKernel}, guarantee.Claim{By: guarantee.ByLaunch}
		for _, id := range []guarantee.ID{
			guarantee.WriteConfined, guarantee.WriteProtected, guarantee.ReadHidden, guarantee.DeviceDenied, guarantee.NetOffline,
			guarantee.UnixConfined, guarantee.OutsideUntouchable, guarantee.OutsideHidden, guarantee.TreeKilled, guarantee.NoPrivs,
			guarantee.IPCConfined, guarantee.TTYNoInject, guarantee.KernelSurface,
		} {
			offered[id] = kernel
		}
		for _, id := range []guarantee.ID{guarantee.EnvScrubbed, guarantee.FDNoLeak, guarantee.NoResidue, guarantee.LimitTime} {
			offered[id] = launch
		}
		if len(f.Temp) > 0 {
			offered[guarantee.TmpPrivate] = kernel
		}
		if f.automounts() != "" {
			delete(offered, guarantee.NetOffline)
		}
	}
	var unmet []plan.Unmet
	for _, info := range guarantee.All() {
		if _, ok := offered[info.ID]; !ok {
			unmet = append(unmet, why(f, info.ID))
		}
	}
	return offered, unmet
}

// claims is what the plan of a policy upholds, and what it needs and does not.
func claims(f facts, r *policy.Resolved) (guarantee.Set, []plan.Unmet) {
	claimed, _ := offers(f)
	var unmet []plan.Unmet
	lose := func(id guarantee.ID, reason, remedy string) {
		if _, ok := claimed[id]; ok {
			grant := diag.NewGrant(diag.GrantWeaker, string(id))
			unmet = append(unmet, plan.Unmet{ID: id, Reason: reason, Remedy: remedy, Grant: &grant})
			delete(claimed, id)
		}
	}
	if r.Network().Mode == policy.Online {
		delete(claimed, guarantee.NetOffline)
	}
	for _, rule := range r.Rules() {
		switch {
		case rule.Access == policy.Hidden && rule.Kind == policy.KindSymlink:
			lose(guarantee.ReadHidden, diag.Quote(rule.Path)+" is a symbolic link, and bubblewrap covers none", "hide what it leads to")
		case rule.Access == policy.Hidden && rule.Kind != policy.KindAbsent && f.aliased(rule.Path) != "":
			lose(guarantee.ReadHidden, diag.Quote(rule.Path)+" is also "+diag.Quote(f.aliased(rule.Path))+", by a second mount", "hide that too, or unmount it")
		case rule.Access == policy.Read && rule.Kind == policy.KindSymlink:
			lose(guarantee.WriteProtected, diag.Quote(rule.Path)+" is a symbolic link, and bubblewrap protects none", "protect what it leads to")
		case rule.Access == policy.Write && slices.Contains(f.Temp, rule.Path) && rule.Path != r.Tmp():
			lose(guarantee.TmpPrivate, "the policy makes "+diag.Quote(rule.Path)+" writable, which others use too", "leave it out of files.write")
		}
	}
	for _, id := range claimed.Missing(r.Require()) {
		if !slices.ContainsFunc(unmet, func(u plan.Unmet) bool { return u.ID == id }) {
			unmet = append(unmet, why(f, id))
		}
	}
	return claimed, unmet
}

// why says why a guarantee is not offered.
func why(f facts, id guarantee.ID) plan.Unmet {
	u := plan.Unmet{ID: id, Reason: "bubblewrap does not uphold it"}
	if !f.Works {
		u.Reason, u.Remedy = f.Message, "install bubblewrap 0.5 or later, and let it make user namespaces"
		return u
	}
	switch id {
	case guarantee.NetAllowlist:
		u.Reason, u.Remedy = Name+" knows no network between none and the host's", "use --net offline or --net online"
	case guarantee.LimitMemory, guarantee.LimitProcesses:
		u.Reason = "bubblewrap limits nothing"
	case guarantee.DenialsReported:
		u.Reason = "denials are not observed"
	case guarantee.TmpPrivate:
		u.Reason, u.Remedy = "this host has neither /tmp nor /var/tmp", "make the directory /tmp"
	case guarantee.NetOffline:
		if u.Reason = "the policy has the network open"; f.automounts() != "" {
			u.Reason, u.Remedy = "looking up a name below "+diag.Quote(f.automounts())+" makes the host mount something over the network", "hide it, or stop autofs"
		}
	}
	grant := diag.NewGrant(diag.GrantWeaker, string(id))
	u.Grant = &grant
	return u
}

// automounts returns a place where the host mounts things when they are looked
// up, or "".
func (f facts) automounts() string {
	for _, m := range f.Mounts {
		if m.Type == "autofs" && !within("/proc", m.Point) { // commands have a /proc of their own
			return m.Point
		}
	}
	return ""
}
