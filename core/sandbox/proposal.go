// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/policy/marks"
)

// Proposal is what would have to be allowed so that what was denied is not. It
// is a proposal for a person: the command chose what it tried.
type Proposal struct {
	Grants []Proposed `json:"grants"`
	// Without are denials that no grant would allow, or none that is proposed.
	Without []Denial `json:"without"`
	// More are denials that were not kept and may need further grants.
	More int `json:"more"`
}

// Proposed is one grant with what it is for.
type Proposed struct {
	diag.Grant
	// Mark says in a few words why a person should look twice; "" is nothing.
	Mark  string   `json:"mark"`
	Tried []string `json:"tried"` // "create /x/y (3 times)", a bounded number
}

// maxTried bounds what is listed for one grant.
const maxTried = 5

// Propose collects the grants of denials, each once, in the order of the policy
// file. What a wider grant among them covers is left out, but for what has a
// mark and would lose it.
func Propose(list []Denial, more int) Proposal {
	p := Proposal{Grants: []Proposed{}, Without: []Denial{}, More: more}
	for _, d := range list {
		if d.Grant == nil {
			p.Without = append(p.Without, d)
			continue
		}
		i := slices.IndexFunc(p.Grants, func(have Proposed) bool { return have.Kind == d.Grant.Kind && have.Value == d.Grant.Value })
		if i < 0 {
			i = len(p.Grants)
			p.Grants = append(p.Grants, Proposed{Grant: *d.Grant, Mark: marks.Of(*d.Grant)})
		}
		if len(p.Grants[i].Tried) < maxTried {
			p.Grants[i].Tried = append(p.Grants[i].Tried, strings.TrimPrefix(d.String(), "denied: "))
		}
	}
	p.Grants = slices.DeleteFunc(p.Grants, func(one Proposed) bool {
		return one.Kind == diag.GrantWrite && slices.ContainsFunc(p.Grants, func(wide Proposed) bool {
			return wide.Kind == diag.GrantWrite && wide.Mark == one.Mark && strings.HasPrefix(one.Value, strings.TrimSuffix(wide.Value, "/")+"/")
		})
	})
	slices.SortStableFunc(p.Grants, func(a, b Proposed) int { return strings.Compare(a.key()+a.Value, b.key()+b.Value) })
	return p
}

// Mark says why a person should look twice at the grant of a denial, "" for
// nothing.
func (d Denial) Mark() string {
	if d.Grant == nil {
		return ""
	}
	return marks.Of(*d.Grant)
}

func (p Proposed) key() string {
	if p.Policy == nil {
		return ""
	}
	return *p.Policy
}

// TOML writes the proposal as a policy file that allows what has no mark. What
// has one, and what no grant allows, stands in comments.
func (p Proposal) TOML() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What was denied, as a policy. The command chose what it tried: allow what you\n# know and mean.\nversion = %d\n", policy.Version)
	table := ""
	for _, marked := range []bool{false, true} {
		for i, one := range p.Grants {
			section, key, ok := strings.Cut(one.key(), "] ")
			if !ok || (one.Mark != "") != marked {
				continue
			}
			section = strings.TrimPrefix(section, "[")
			hash := ""
			if marked {
				hash = "# "
			}
			if !marked && section != table {
				fmt.Fprintf(&b, "\n[%s]\n", section)
				table = section
			}
			same := func(o Proposed) bool { return o.key() == one.key() && (o.Mark != "") == marked }
			if !slices.ContainsFunc(p.Grants[:i], same) {
				if marked {
					fmt.Fprintf(&b, "\n# !!! %s.\n# !!! To allow it all the same, put this into [%s]:\n", one.Mark, section)
				}
				fmt.Fprintf(&b, "%s%s = [\n", hash, key)
			}
			fmt.Fprintf(&b, "%s  %s, # %s\n", hash, tomlValue(one.Grant), strings.Join(one.Tried, ", "))
			if !slices.ContainsFunc(p.Grants[i+1:], same) {
				fmt.Fprintf(&b, "%s]\n", hash)
			}
		}
	}
	if len(p.Without) > 0 {
		b.WriteString("\n# Nothing is proposed for these:\n")
		for _, d := range p.Without {
			fmt.Fprintf(&b, "# %s; %s\n", strings.TrimPrefix(d.String(), "denied: "), d.Remedy)
		}
	}
	if p.More > 0 {
		fmt.Fprintf(&b, "\n# %d more denials were not kept: allow these first, and learn again.\n", p.More)
	}
	return b.String()
}

// tomlValue writes a value that is printable, as those of denials are.
func tomlValue(g diag.Grant) string {
	if g.Kind == diag.GrantLoopback || g.Kind == diag.GrantPublish {
		return g.Value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(g.Value) + `"`
}
