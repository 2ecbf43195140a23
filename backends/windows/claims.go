// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"fmt"
	"slices"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// evidence stands in the note of every claim: no part of this has run on
// Windows.
const evidence = "MODELLED, NEVER RUN ON WINDOWS"

// offers returns the most that a plan of a backend on this host can claim.
//
// windows/token has the user's own identity. Its second pass does not look at
// FILE_DELETE_CHILD, at reading, or at the right to end or read a process; so
// it claims nothing about files, processes and shared memory, and nothing about
// the network, which is filtered by identity. Nor does it claim that no
// privilege is gained: services start programs for the user.
func offers(name string, f Facts) guarantee.Set {
	if f.obstacle(name) != nil {
		return nil
	}
	s := guarantee.Set{}
	add := func(by guarantee.By, note string, ids ...guarantee.ID) {
		for _, id := range ids {
			c := guarantee.Claim{By: by, Note: evidence}
			if note != "" {
				c.Note = note + "; " + evidence
			}
			s[id] = c
		}
	}
	add(guarantee.ByLaunch, "", guarantee.EnvScrubbed, guarantee.FDNoLeak, guarantee.NoResidue, guarantee.LimitTime)
	add(guarantee.ByLaunch, "commands have a pseudo console of their own", guarantee.TTYNoInject)
	add(guarantee.ByKernel, "", guarantee.LimitMemory, guarantee.LimitProcesses)
	add(guarantee.ByKernel, "extension points, remote and low images are off; the graphics calls stay", guarantee.KernelSurface)
	if name == TokenName {
		add(guarantee.ByKernel, "but for programs that a service starts for the user", guarantee.TreeKilled)
		return s
	}
	add(guarantee.ByKernel, "and what runs as the account is ended", guarantee.TreeKilled)
	add(guarantee.ByAccount, "", guarantee.WriteProtected, guarantee.ReadHidden, guarantee.TmpPrivate,
		guarantee.OutsideUntouchable, guarantee.NoPrivs, guarantee.IPCConfined)
	const services = "but for the services of the system that resolve names, open shares and transfer files"
	add(guarantee.ByKernel, services, guarantee.NetOffline)
	if f.Setup.Proxy > 0 {
		add(guarantee.ByKernel, "one port of the host's loopback, at which caisson's proxy decides and asks for a password; "+services, guarantee.NetAllowlist)
	}
	if name == AccountName {
		add(guarantee.ByAccount, "", guarantee.WriteConfined)
		add(guarantee.ByAccount, "devices that every user may read can be read", guarantee.DeviceDenied)
		add(guarantee.ByAccount, "pipes that everybody may read can be read", guarantee.UnixConfined)
	}
	return s
}

// unoffered says of each guarantee that is not offered why not.
func unoffered(name string, f Facts) []plan.Unmet {
	var list []plan.Unmet
	have := offers(name, f)
	for _, info := range guarantee.All() {
		if _, ok := have[info.ID]; !ok {
			list = append(list, unmet(name, f, info.ID))
		}
	}
	return list
}

// claims returns what a plan upholds and which needed guarantees it does not.
func claims(name string, f Facts, r *policy.Resolved, found []breach) (guarantee.Set, []plan.Unmet) {
	s := offers(name, f)
	if s == nil {
		s = guarantee.Set{}
	}
	mode := r.Network().Mode
	if mode != policy.Offline {
		delete(s, guarantee.NetOffline)
	}
	if mode != policy.Allowlist {
		delete(s, guarantee.NetAllowlist)
	}
	for _, b := range found {
		delete(s, b.id)
	}
	if r.Tmp() == "" && f.Temp == "" {
		delete(s, guarantee.TmpPrivate)
	}
	var list []plan.Unmet
	for _, id := range s.Missing(r.Require()) {
		u := unmet(name, f, id)
		at := slices.IndexFunc(found, func(b breach) bool { return b.id == id })
		switch {
		case f.obstacle(name) != nil:
		case id == guarantee.NetOffline && mode == policy.Online:
			u.Reason, u.Remedy = "the policy asks for the host's network", "use --net offline"
		case id == guarantee.NetOffline && mode == policy.Allowlist && offered(name, f, id):
			u.Reason, u.Remedy = "the policy asks for the hosts of a list", "use --net offline"
		case id == guarantee.NetAllowlist && mode != policy.Allowlist && offered(name, f, id):
			u.Reason, u.Remedy = "the policy asks for no list", "use --net allowlist"
		case at >= 0 && offered(name, f, id):
			u.Reason, u.Remedy = found[at].reason()
		}
		list = append(list, u)
	}
	return s, list
}

func offered(name string, f Facts, id guarantee.ID) bool {
	_, ok := offers(name, f)[id]
	return ok
}

// reason says what the model found, and what helps.
func (b breach) reason() (reason, remedy string) {
	path := diag.Quote(b.path)
	if b.null {
		return path + " has no access list, so everybody may change it", "give it one with icacls"
	}
	if b.id == guarantee.ReadHidden {
		return path + " can be read in spite of the entry that hides it", "look at its access list with icacls"
	}
	return fmt.Sprintf("every user may change %s (%s)", path, b.act), "take that right away with icacls, or hide the path with --hide"
}

// ownNetwork is why windows/token confines no network.
const ownNetwork = "the network is filtered by account, and the commands have the user's own"

// unmet says why a guarantee is out of reach. Where the backend is not usable
// at all, accepting the loss of one guarantee does not help; nor is it ever
// accepted that an allowlist is not upheld.
func unmet(name string, f Facts, id guarantee.ID) plan.Unmet {
	u := plan.Unmet{ID: id}
	if o := f.obstacle(name); o != nil {
		u.Reason, u.Remedy = o.reason, o.remedy
		return u
	}
	strong := "run caisson setup install and use " + AccountName
	if id == guarantee.NetAllowlist {
		u.Reason, u.Remedy = "setup made no account that reaches caisson's proxy and nothing else", "run caisson setup install again, with an account for --net allowlist"
		if name == TokenName {
			u.Reason, u.Remedy = ownNetwork, strong
		}
		return u
	}
	switch {
	case id == guarantee.DenialsReported:
		u.Reason = "denials are not observed by this version"
	case id == guarantee.OutsideHidden:
		u.Reason = "Windows shows the list of processes to every user"
	case name == LeanName && id == guarantee.WriteConfined:
		u.Reason = "without a write-restricted token the account may write where every user may"
		u.Remedy = "use " + AccountName
	case name == LeanName:
		u.Reason, u.Remedy = "without a write-restricted token what admits every user admits the account", "use "+AccountName
	case id == guarantee.WriteConfined || id == guarantee.WriteProtected:
		u.Reason, u.Remedy = "the user's write-restricted token deletes what lies in directories that the user controls", strong
	case id == guarantee.ReadHidden:
		u.Reason, u.Remedy = "the user's write-restricted token reads what the user reads", strong
	case id == guarantee.NetOffline:
		u.Reason, u.Remedy = ownNetwork, strong
	case id == guarantee.OutsideUntouchable || id == guarantee.IPCConfined:
		u.Reason, u.Remedy = "the user's other processes belong to the same account", strong
	case id == guarantee.NoPrivs:
		u.Reason, u.Remedy = "services such as the task scheduler start programs for the user", strong
	case id == guarantee.TmpPrivate:
		u.Reason, u.Remedy = "what belongs to the user can be read by every sandbox of the user", strong
	default:
		u.Reason, u.Remedy = "the user's own identity opens what the user may", strong
	}
	grant := diag.NewGrant(diag.GrantWeaker, string(id))
	u.Grant = &grant
	return u
}

// residuals are what is open under a plan whose account is of a pool, by fixed
// names and, where a place is meant, the place.
func residuals(name, to string, found []breach) []string {
	list := []string{"dns.service", "smb.redirector", "bits.service", "pipes.everyone-read", "places.world-writable", "places.null-dacl", "services.surrogate"}
	if name == TokenName {
		list = append(list, "user.delete-child", "user.read", "user.processes", "network.host")
	} else {
		list = append(list, "owner", "account.profile", "registry.read")
	}
	if to == plan.PoolProxy {
		list = append(list, "proxy.port")
	}
	for _, b := range found {
		kind := "places.world-writable:"
		switch {
		case name == TokenName:
			continue
		case b.null:
			kind = "places.null-dacl:"
		case b.id != guarantee.WriteConfined:
			continue
		}
		if entry := kind + b.path; !slices.Contains(list, entry) {
			list = append(list, entry)
		}
	}
	return list
}
