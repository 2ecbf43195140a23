// SPDX-License-Identifier: Apache-2.0

package host

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// readRights are FILE_GENERIC_READ and FILE_GENERIC_EXECUTE.
const readRights = 0x1200a9

// judgeWindows compares a plan for Windows with the policy: no entry admits
// commands to more than the policy does or changes what others may, what the
// policy protects has an entry or a placeholder, names are moved away only where
// the policy says so, a proxy is there only where it has a list, and a claim has
// what it rests on. That entries mean what
// they should beside the lists that are there is for the backend to work out.
func judgeWindows(made *plan.Plan, r *policy.Resolved) error {
	w := made.Windows
	for _, a := range w.ACL {
		if err := judgeEntry(w, a, r); err != nil {
			return err
		}
	}
	if err := judgeNames(w, r); err != nil {
		return err
	}
	if w.ToProxy() && r.Network().Mode != policy.Allowlist {
		return refused("the plan has a proxy, which the policy does not")
	}
	if w.Temp != "" && r.Tmp() != "" {
		return refused("the plan has a temporary directory, which the policy names already")
	}
	for _, rule := range r.Rules() {
		if err := judgeRule(w, rule, r); err != nil {
			return err
		}
	}
	return judgeRests(made)
}

// judgeEntry looks at one entry of an access list.
func judgeEntry(w *plan.Windows, a plan.WindowsACE, r *policy.Resolved) error {
	kind, rights, who, ok := a.Parts()
	access, _ := r.AccessTo(a.Path)
	temp := w.Temp != "" && strings.EqualFold(a.Path, w.Temp)
	switch {
	case !ok:
		return refused("the plan has the entry %s", diag.Quote(a.ACE))
	case who == "{group}", who == "{user}" && kind != "A":
		return refused("the plan changes at %s what others than its commands may do", diag.Quote(a.Path))
	case temp && a.Exists:
		return refused("the temporary directory %s of the plan is there already", diag.Quote(a.Path))
	case kind != "A", temp, access == policy.Write:
		return nil
	case who == "{user}", rights&^readRights != 0:
		return refused("the plan makes %s writable, which the policy does not", diag.Quote(a.Path))
	case access == policy.Hidden:
		return refused("the plan shows %s, which the policy hides", diag.Quote(a.Path))
	}
	return nil
}

// judgeNames wants placeholders, names that are moved away and names that are
// reported to be those of the policy.
func judgeNames(w *plan.Windows, r *policy.Resolved) error {
	known := func(path string, holds ...policy.Hold) (policy.Rule, bool) {
		i := slices.IndexFunc(r.Rules(), func(rule policy.Rule) bool {
			return strings.EqualFold(rule.Path, path) && slices.Contains(holds, rule.Hold)
		})
		if i < 0 {
			return policy.Rule{}, false
		}
		return r.Rules()[i], true
	}
	for _, h := range w.Placeholders {
		if rule, ok := known(h.Path, policy.HoldDir, policy.HoldFile, policy.HoldLink); !ok || h.Content != "" && h.Content != rule.Content {
			return refused("the plan makes %s, which the policy does not", diag.Quote(h.Path))
		}
	}
	for _, path := range w.Quarantine {
		if _, ok := known(path, policy.HoldQuarantine); !ok {
			return refused("the plan has %s moved away, which the policy does not", diag.Quote(path))
		}
	}
	for _, path := range w.Report {
		if _, ok := known(path, policy.HoldReport); !ok {
			return refused("the plan has %s reported, which the policy does not", diag.Quote(path))
		}
	}
	return nil
}

// judgeRule wants a rule that takes something out of what is writable to be in
// the plan.
func judgeRule(w *plan.Windows, rule policy.Rule, r *policy.Resolved) error {
	if rule.Access == policy.Write || !writable(r, pathspec.Windows.Dir(rule.Path)) || rule.Kind == policy.KindAbsent && rule.Hold == policy.HoldNone {
		return nil
	}
	here := func(path string) bool { return strings.EqualFold(path, rule.Path) }
	kept := slices.ContainsFunc(append(slices.Clone(w.Quarantine), w.Report...), here) ||
		slices.ContainsFunc(w.Placeholders, func(h plan.WindowsHold) bool { return here(h.Path) && denies(h.ACE) }) ||
		slices.ContainsFunc(w.ACL, func(a plan.WindowsACE) bool { return here(a.Path) && denies(a.ACE) })
	if !kept {
		return refused("the plan does not protect %s", diag.Quote(rule.Path))
	}
	return nil
}

// denies reports whether an entry takes every change away from commands.
func denies(ace string) bool {
	const changes = 0xd0156 // writing in every form, deleting, owning, permitting
	kind, rights, who, ok := plan.WindowsACE{ACE: ace}.Parts()
	return ok && kind == "D" && rights&changes == changes && who != "{user}" && who != "{group}"
}

// judgeRests wants a claim to have what it rests on: an account of its own, a
// second pass for writing, filters of the network.
func judgeRests(made *plan.Plan) error {
	w := made.Windows
	for id, stands := range map[guarantee.ID]bool{
		guarantee.WriteConfined:      w.Profile == "jail",
		guarantee.DeviceDenied:       w.Profile == "jail",
		guarantee.UnixConfined:       w.Profile == "jail",
		guarantee.WriteProtected:     w.Account != nil,
		guarantee.ReadHidden:         w.Account != nil,
		guarantee.TmpPrivate:         w.Account != nil,
		guarantee.OutsideUntouchable: w.Account != nil,
		guarantee.OutsideHidden:      false,
		guarantee.NoPrivs:            w.Account != nil,
		guarantee.IPCConfined:        w.Account != nil,
		guarantee.NetOffline:         w.Account != nil && w.Account.Pool == plan.PoolOffline && len(w.WFP) > 0,
		guarantee.NetAllowlist:       w.ToProxy() && len(w.WFP) > 0,
	} {
		if _, claimed := made.Claims[id]; claimed && !stands {
			return refused("the plan claims %s without what it rests on", id)
		}
	}
	return nil
}
