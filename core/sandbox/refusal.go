// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/selector"
)

// Refusal is the error of a policy that no backend can uphold on this host.
// Nothing was started.
type Refusal struct {
	// Unmet are the guarantees that are needed and out of reach, each with its
	// reason, its remedy and the grant that accepts its loss.
	Unmet []plan.Unmet
	// Rejected says of each backend why it was not chosen.
	Rejected []selector.Rejection
}

// Error names every unmet guarantee with its reason, remedy and grant.
func (r *Refusal) Error() string { return r.diagnostic().Error() }

// Unwrap gives the refusal as a *diag.Diagnostic with the code
// guarantee-unmet.
func (r *Refusal) Unwrap() error { return r.diagnostic() }

// Reason is one reason for the loss of one or more guarantees.
type Reason struct {
	IDs            []string
	Reason, Remedy string
}

// Reasons groups the unmet guarantees by their reason, in contract order.
func (r *Refusal) Reasons() []Reason {
	var list []Reason
	for _, u := range r.Unmet {
		i := slices.IndexFunc(list, func(known Reason) bool { return known.Reason == u.Reason && known.Remedy == u.Remedy })
		if i < 0 {
			i = len(list)
			list = append(list, Reason{Reason: u.Reason, Remedy: u.Remedy})
		}
		list[i].IDs = append(list[i].IDs, string(u.ID))
	}
	return list
}

func (r *Refusal) diagnostic() *diag.Diagnostic {
	d := &diag.Diagnostic{Code: diag.GuaranteeUnmet}
	if len(r.Unmet) == 0 {
		d.Message = "no backend can be used on this host"
		for _, j := range r.Rejected {
			d.Message += fmt.Sprintf("; %s: %s", j.Name, j.Reason)
		}
		return d
	}
	var text, remedies []string
	for _, why := range r.Reasons() {
		text = append(text, fmt.Sprintf("%s cannot be upheld: %s", strings.Join(why.IDs, ", "), why.Reason))
		if why.Remedy != "" && !slices.Contains(remedies, why.Remedy) {
			remedies = append(remedies, why.Remedy)
		}
	}
	d.Message, d.Remedy = strings.Join(text, "; "), strings.Join(remedies, "; ")
	if len(r.Unmet) == 1 {
		d.Grant = r.Unmet[0].Grant
	}
	return d
}

// refuse makes a refusal of the selector's error and, for those who want to
// look, the plan of the backend that comes nearest.
func (p *Prepared) refuse(ctx context.Context, err error, backends []backend.Backend, candidates []selector.Candidate) error {
	unmet, ok := errors.AsType[*selector.UnmetError](err)
	if !ok {
		return err
	}
	refusal := &Refusal{Unmet: unmet.Missing, Rejected: unmet.Rejected}
	nearest := -1
	for i, c := range candidates {
		named := p.options.Prefer == "" || p.options.Prefer == "auto" || p.options.Prefer == c.Info.Name
		if named && c.Err == nil && len(c.Report.Facts) > 0 && (nearest < 0 || len(c.Report.Offers) > len(candidates[nearest].Report.Offers)) {
			nearest = i
		}
	}
	if nearest >= 0 && p.plan(ctx, backends[nearest], candidates[nearest]) == nil {
		if candidates[nearest].Report.Usable { // what this policy loses there beside what nobody offers
			refusal.Unmet = merged(refusal.Unmet, slices.DeleteFunc(slices.Clone(p.Plan.Unmet), func(u plan.Unmet) bool {
				return slices.Contains(p.Resolved.AllowWeaker(), u.ID)
			}))
		}
		p.Plan.Unmet = merged(p.Plan.Unmet, refusal.Unmet)
	}
	return refusal
}

// merged adds the guarantees of more that list does not name.
func merged(list, more []plan.Unmet) []plan.Unmet {
	for _, u := range more {
		if !slices.ContainsFunc(list, func(known plan.Unmet) bool { return known.ID == u.ID }) {
			list = append(list, u)
		}
	}
	return list
}

// checkUnmet refuses a plan that does not claim what is needed. What the plan
// says of itself gives the reasons; its claims alone decide.
func (p *Prepared) checkUnmet(need, accept []guarantee.ID) error {
	var refusal Refusal
	for _, id := range p.Plan.Claims.Missing(need) {
		i := slices.IndexFunc(p.Plan.Unmet, func(u plan.Unmet) bool { return u.ID == id })
		if i < 0 {
			grant := diag.NewGrant(diag.GrantWeaker, string(id))
			p.Plan.Unmet = append(p.Plan.Unmet, plan.Unmet{ID: id, Reason: p.Backend.Name + " does not offer it", Grant: &grant})
			i = len(p.Plan.Unmet) - 1
		}
		unmet := p.Plan.Unmet[i]
		if !slices.Contains(accept, id) {
			refusal.Unmet = append(refusal.Unmet, unmet)
			continue
		}
		p.Notes = append(p.Notes, diag.Diagnostic{Code: diag.GuaranteeWeakened, Message: fmt.Sprintf("%s does not hold, as accepted: %s", id, unmet.Reason)})
	}
	if len(refusal.Unmet) > 0 {
		return &refusal
	}
	return nil
}
