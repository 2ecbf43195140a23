// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"cmp"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// compile makes the plan of a policy on a host of these facts. It is pure. The
// parts are: entries in access lists (edits.go), the token (token.go), filters
// of the network (network.go), variables (environment.go). Then the model says
// what commands could do under all that (predict.go), and the claims follow
// from it (claims.go).
func compile(name string, f Facts, r *policy.Resolved) (*plan.Plan, error) {
	if err := refuse(name, f, r); err != nil {
		return nil, err
	}
	shape := name
	if name == ContainerName { // never executed: shown as what needs no account
		shape = TokenName
	}
	e, err := newEdits(shape, f, r)
	if err != nil {
		return nil, diag.New(diag.PlanInvalid, "the facts of Windows: "+err.Error(), "")
	}
	e.rules()
	w := &plan.Windows{
		V:            1,
		Symbols:      map[string]string{"@device": f.Device},
		Helper:       plan.WindowsHelper{SDDL: "D:P(A;;GA;;;SY)(A;;RC;;;OW)"},
		Placeholders: e.holds,
		ACL:          e.list(),
		Undo:         e.undo(),
		Quarantine:   e.quarantine,
		Report:       e.report,
		Job:          job(r),
		Desktop:      "private",
		Mitigation:   []string{"ext-point", "no-remote-image", "no-low-image"},
		Handles:      []string{"stdin", "stdout", "stderr"},
	}
	if r.Tmp() == "" {
		w.Temp = f.Temp
	}
	identify(w, shape, f, r)
	w.Token = token(shape, f, e.caps)
	w.WFP = installed.Filters(poolOf(w))
	p := &plan.Plan{Format: plan.Format, Backend: name, OS: "windows", Arch: f.Arch, Env: backend.Environment(r, cmp.Or(r.Tmp(), f.Temp), backend.Proxy{}), Windows: w}
	found, err := predict(f, r, w)
	if err != nil {
		return nil, err
	}
	w.Residuals = residuals(shape, poolOf(w), found)
	p.Notes = notes(shape, r, found)
	p.Claims, p.Unmet = claims(name, f, r, found)
	return p, nil
}

// identify says whose identity the commands have.
func identify(w *plan.Windows, name string, f Facts, r *policy.Resolved) {
	w.EnvBase = "caller"
	if name == TokenName {
		return
	}
	w.EnvBase, w.Install, w.Profile = "account", f.Setup.Install, "jail"
	if name == LeanName {
		w.Profile = "lean"
	}
	w.Account = &plan.WindowsAccount{Pool: pool(f, r), Sticky: first(r.Workspace())}
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// uiLimits are all JOB_OBJECT_UILIMIT flags: handles, clipboard both ways,
// system parameters, display settings, global atoms, desktop, exit.
const uiLimits = 0xff

func job(r *policy.Resolved) plan.WindowsJob {
	l := r.Limits()
	return plan.WindowsJob{Kill: true, Processes: l.Processes, Memory: l.Memory, Milliseconds: l.Time.Milliseconds(), UI: uiLimits}
}

// mostPlacesNoted bounds how many open places are named.
const mostPlacesNoted = 10

// notes says what is to be known of the plan beside the guarantees: an open
// network, and places that admit every user.
func notes(name string, r *policy.Resolved, found []breach) []diag.Diagnostic {
	var list []diag.Diagnostic
	if r.Network().Mode == policy.Online || name == TokenName {
		list = append(list, diag.Diagnostic{Code: diag.NetworkOpen,
			Message: "the network is the host's as it is: what listens on the host's loopback and on the local network can be reached"})
	}
	if name == TokenName { // which says that it confines no files
		return list
	}
	seen := map[string]bool{}
	for _, b := range found {
		if b.id == guarantee.WriteConfined && !seen[b.path] && len(seen) < mostPlacesNoted {
			seen[b.path] = true
			reason, remedy := b.reason()
			list = append(list, diag.Diagnostic{Code: diag.PlaceOpen, Message: reason, Remedy: remedy})
		}
	}
	return list
}
