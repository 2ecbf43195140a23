// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// fenceObstacle returns what makes linux/landlock useless on a host, or nil.
func (f *Facts) fenceObstacle() *obstacle {
	switch {
	case f.Nested:
		return &obstacle{"caisson runs inside a sandbox of caisson already", "run the command directly"}
	case f.Landlock == 0 && f.Hints != nil && f.Hints.GVisor:
		return noLandlockInGVisor()
	case f.Landlock == 0:
		return &obstacle{"the kernel has no Landlock, the wall around the file system", "use Linux 5.13 or later with landlock among the security modules (the kernel's parameter lsm=)"}
	case f.Fence == nil:
		return &obstacle{"the facts are those of another backend", "record them with linux/landlock"}
	case !f.Fence.Trial.OK:
		return &obstacle{"a sandbox without namespaces cannot be made: " + f.Fence.Trial.Message, ""}
	}
	return nil
}

// fenceOffers returns the most that a plan without namespaces can claim here.
func fenceOffers(f Facts) guarantee.Set {
	if f.fenceObstacle() != nil {
		return nil
	}
	s := guarantee.Set{
		guarantee.EnvScrubbed: {By: guarantee.ByLaunch},
		guarantee.FDNoLeak:    {By: guarantee.ByLaunch},
		guarantee.NoResidue:   {By: guarantee.ByLaunch},
		guarantee.LimitTime:   {By: guarantee.ByLaunch},
	}
	for _, id := range []guarantee.ID{
		guarantee.WriteConfined, guarantee.TmpPrivate,
		guarantee.NetOffline, guarantee.UnixConfined, guarantee.NoPrivs, guarantee.TTYNoInject, guarantee.KernelSurface,
	} {
		s[id] = guarantee.Claim{By: guarantee.ByKernel}
	}
	const inside = "only where none lies in what may be written"
	s[guarantee.WriteProtected] = guarantee.Claim{By: guarantee.ByKernel, Note: inside}
	s[guarantee.ReadHidden] = guarantee.Claim{By: guarantee.ByKernel, Note: inside}
	if !f.root() {
		s[guarantee.DeviceDenied] = guarantee.Claim{By: guarantee.ByKernel, Note: "but for device nodes outside of /dev that the user may open"}
	}
	if !f.Fence.Keys {
		s[guarantee.IPCConfined] = guarantee.Claim{By: guarantee.ByKernel}
	}
	if f.limitsMemory() {
		s[guarantee.LimitMemory] = guarantee.Claim{By: guarantee.ByKernel}
	}
	if f.limitsTasks() {
		s[guarantee.LimitProcesses] = guarantee.Claim{By: guarantee.ByKernel}
	}
	if f.signalScope() {
		s[guarantee.OutsideUntouchable] = guarantee.Claim{By: guarantee.ByKernel}
		s[guarantee.TreeKilled] = guarantee.Claim{By: guarantee.ByKernel}
	}
	return s
}

// fenceClaims returns what a plan upholds and which needed guarantees it does
// not. served are the readable file systems that somebody else answers.
func fenceClaims(f Facts, r *policy.Resolved, served []mount) (guarantee.Set, []plan.Unmet) {
	s := fenceOffers(f)
	if s == nil {
		s = guarantee.Set{}
	}
	lost := fenceLost(f, r)
	for id := range lost {
		delete(s, id)
	}
	for _, id := range []guarantee.ID{guarantee.WriteProtected, guarantee.ReadHidden} {
		if _, ok := s[id]; ok { // what the offer depends on is so
			s[id] = guarantee.Claim{By: guarantee.ByKernel}
		}
	}
	if c, ok := s[guarantee.NetOffline]; ok && len(served) > 0 {
		c.Note = "but for lookups in " + nameMounts(served)
		s[guarantee.NetOffline] = c
	}
	var list []plan.Unmet
	for _, id := range s.Missing(r.Require()) {
		u := fenceUnmet(f, id)
		if o, ok := lost[id]; ok && f.fenceObstacle() == nil {
			u.Reason, u.Remedy = o.reason, o.remedy
		}
		list = append(list, u)
	}
	return s, list
}

// fenceLost says which guarantees a policy makes impossible here, and why.
func fenceLost(f Facts, r *policy.Resolved) map[guarantee.ID]obstacle {
	lost := map[guarantee.ID]obstacle{}
	if r.Network().Mode == policy.Online {
		lost[guarantee.NetOffline] = obstacle{"the policy asks for the host's network", "use --net offline"}
		if !f.connects(r) && !f.pairsOnly(r) {
			lost[guarantee.UnixConfined] = obstacle{"the policy gives it up for programs that need unix sockets", ""}
		}
	}
	if shared := sharedTemp(f, r); shared != "" {
		lost[guarantee.TmpPrivate] = obstacle{diag.Quote(shared) + " is a writable root of the policy", "name a directory inside it"}
	}
	if list := heldInside(r); len(list) > 0 {
		lost[guarantee.WriteProtected] = obstacle{"Landlock cannot except " + some(list) + " from what may be written", f.elsewhere()}
	}
	if list := hiddenInside(r); len(list) > 0 {
		lost[guarantee.ReadHidden] = obstacle{"Landlock cannot except " + some(list) + " from what may be written, and so read", f.elsewhere()}
	}
	if accepts(r, guarantee.TTYNoInject) {
		lost[guarantee.TTYNoInject] = obstacle{"the policy gives it up for programs that need pseudoterminals", ""}
	}
	return lost
}

// heldInside are the protected paths inside what may be written, but for those
// that no backend holds.
func heldInside(r *policy.Resolved) []string {
	var list []string
	for _, rule := range r.Rules() {
		if rule.Hold != policy.HoldQuarantine && rule.Hold != policy.HoldReport && slices.Contains(protectedInside(r), rule.Path) && rule.Access == policy.Read {
			list = append(list, rule.Path)
		}
	}
	return list
}

// some names paths, of many only the first.
func some(paths []string) string {
	const most = 2
	var names []string
	for _, p := range paths[:min(len(paths), most)] {
		names = append(names, diag.Quote(p))
	}
	if more := len(paths) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// elsewhere is the remedy for what needs namespaces.
func (f *Facts) elsewhere() string {
	o := f.obstacle()
	switch {
	case o == nil:
		return "use " + Name + ", which this host can have"
	case o.remedy == "":
		return "let this host have namespaces, for " + Name
	}
	return "for " + Name + ": " + o.remedy
}

// fenceUnmet says why a guarantee is out of reach without namespaces.
func fenceUnmet(f Facts, id guarantee.ID) plan.Unmet {
	u := plan.Unmet{ID: id}
	if o := f.fenceObstacle(); o != nil {
		u.Reason, u.Remedy = o.reason, o.remedy
		return u
	}
	u.Remedy = f.elsewhere()
	switch id {
	case guarantee.OutsideUntouchable:
		u.Reason = fmt.Sprintf("without namespaces, signals are kept inside by Landlock from ABI 6 on (Linux 6.12), and this kernel has %d", f.Landlock)
	case guarantee.TreeKilled:
		u.Reason = fmt.Sprintf("without namespaces, everything inside is found by what Landlock lets it signal, from ABI 6 on (Linux 6.12), and this kernel has %d", f.Landlock)
	case guarantee.DeviceDenied:
		u.Reason = "root owns the device nodes that lie outside of /dev, and without namespaces no mount keeps them from being opened"
		u.Remedy = "run caisson as an ordinary user; or " + f.elsewhere()
	case guarantee.IPCConfined:
		u.Reason = "/proc/keys lists the keys of the user, and without namespaces it cannot be covered"
	case guarantee.OutsideHidden:
		u.Reason = "without a process namespace, /proc lists the host's processes"
	case guarantee.LimitProcesses:
		u.Reason = "without a user namespace, RLIMIT_NPROC counts everything that the user runs, see getrlimit(2), and no control group of version 2 is delegated to this process"
		u.Remedy = delegate + "; or " + f.elsewhere()
	case guarantee.NetAllowlist:
		u.Reason = "without a network namespace nothing can be the only way out"
	case guarantee.DenialsReported:
		u.Reason = "this backend does not observe denials"
	case guarantee.LimitMemory:
		other := f
		other.Nested, other.Trial = false, Trial{OK: true}
		return unmet(other, id)
	default:
		u.Reason = "this backend does not uphold it"
	}
	grant := diag.NewGrant(diag.GrantWeaker, string(id))
	u.Grant = &grant
	return u
}

// fenceNotes says what is otherwise than with namespaces.
func fenceNotes(f Facts, r *policy.Resolved, served []mount) []diag.Diagnostic {
	list := notes(r, served)
	if r.Network().Mode != policy.Online {
		list = append(list, diag.Diagnostic{Code: diag.NoLoopback,
			Message: "without namespaces there is no loopback: programs inside cannot make sockets of the internet, servers neither",
			Remedy:  "--net online gives the host's network, its loopback too; or " + f.elsewhere()})
	}
	if f.pairsOnly(r) {
		list = append(list, diag.Diagnostic{Code: diag.NoUnixSockets,
			Message: "online, programs inside can make no unix sockets but pairs: those of the host could not be kept apart here",
			Remedy:  "--net offline has them; --allow-weaker " + string(guarantee.UnixConfined) + " too, with the host's; or " + f.elsewhere()})
	}
	return list
}
