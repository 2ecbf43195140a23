// SPDX-License-Identifier: Apache-2.0

// Package selector chooses the backend for a policy: the strongest one that
// upholds what the policy needs on this host, or none. It is pure; it never
// gives up a guarantee that was not accepted by name.
package selector

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Candidate is a backend and what it reported. Err is why it could not be
// asked; such a candidate is never chosen.
type Candidate struct {
	Info   backend.Info
	Report backend.Report
	Err    error
}

// Choice is the chosen backend and the accepted guarantees that it lacks.
type Choice struct {
	Info     backend.Info
	Weakened []guarantee.ID
}

// Rejection says what a candidate lacked.
type Rejection struct {
	Name    string
	Reason  string // why it cannot be used at all; empty if it lacks guarantees only
	Missing []guarantee.ID
}

// UnmetError says that no candidate upholds what is needed. Missing is what
// the candidate that came closest lacks.
type UnmetError struct {
	Missing  []plan.Unmet
	Rejected []Rejection
}

func (e *UnmetError) Error() string {
	var b strings.Builder
	b.WriteString("this host cannot uphold what the policy needs")
	for _, u := range e.Missing {
		fmt.Fprintf(&b, "; %s: %s", u.ID, u.Reason)
		if u.Remedy != "" {
			fmt.Fprintf(&b, " (%s)", u.Remedy)
		}
	}
	return b.String()
}

// Choose picks among the candidates. need is every guarantee that the policy
// needs, accept those whose loss it accepts. prefer is "auto", "" or the name
// of the only backend that may be taken.
func Choose(need, accept []guarantee.ID, prefer string, candidates []Candidate) (Choice, error) {
	if prefer != "" && prefer != "auto" {
		i := slices.IndexFunc(candidates, func(c Candidate) bool { return c.Info.Name == prefer })
		if i < 0 {
			return Choice{}, unknown(prefer, candidates)
		}
		candidates = candidates[i : i+1]
	}
	ranked := slices.Clone(candidates)
	slices.SortStableFunc(ranked, func(a, b Candidate) int {
		return cmp.Or(
			cmp.Compare(usable(b), usable(a)),
			cmp.Compare(len(a.Report.Offers.Missing(need)), len(b.Report.Offers.Missing(need))),
			cmp.Compare(b.Info.Rank, a.Info.Rank),
			cmp.Compare(a.Info.Name, b.Info.Name))
	})
	var rejected []Rejection
	for _, c := range ranked {
		missing := c.Report.Offers.Missing(need)
		refused := slices.DeleteFunc(slices.Clone(missing), func(id guarantee.ID) bool { return slices.Contains(accept, id) })
		switch {
		case c.Err != nil:
			rejected = append(rejected, Rejection{Name: c.Info.Name, Reason: c.Err.Error(), Missing: missing})
		case !c.Report.Usable:
			rejected = append(rejected, Rejection{Name: c.Info.Name, Reason: "not usable on this host", Missing: missing})
		case len(refused) > 0:
			rejected = append(rejected, Rejection{Name: c.Info.Name, Missing: refused})
		default:
			return Choice{Info: c.Info, Weakened: missing}, nil
		}
	}
	return Choice{}, unmet(need, accept, ranked, rejected)
}

func usable(c Candidate) int {
	if c.Err == nil && c.Report.Usable {
		return 1
	}
	return 0
}

func unknown(name string, candidates []Candidate) error {
	names := make([]string, len(candidates))
	for i, c := range candidates {
		names[i] = c.Info.Name
	}
	remedy := "this system has none"
	if len(names) > 0 {
		remedy = "known here: auto, " + strings.Join(names, ", ")
	}
	return diag.New(diag.BackendUnknown, fmt.Sprintf("there is no backend %q", name), remedy)
}

// unmet explains the rejection of the candidate that came closest.
func unmet(need, accept []guarantee.ID, ranked []Candidate, rejected []Rejection) error {
	e := &UnmetError{Rejected: rejected}
	if len(ranked) == 0 {
		for _, id := range need {
			if !slices.Contains(accept, id) {
				e.Missing = append(e.Missing, plan.Unmet{ID: id, Reason: "no backend exists for this system"})
			}
		}
		return e
	}
	best := ranked[0]
	for _, id := range best.Report.Offers.Missing(need) {
		if slices.Contains(accept, id) && usable(best) == 1 {
			continue
		}
		e.Missing = append(e.Missing, reason(best, id))
	}
	return e
}

func reason(c Candidate, id guarantee.ID) plan.Unmet {
	for _, u := range c.Report.Unmet {
		if u.ID == id {
			return u
		}
	}
	text := "the backend " + c.Info.Name + " does not offer it on this host"
	if c.Err != nil {
		text = c.Err.Error()
	}
	return plan.Unmet{ID: id, Reason: text}
}
