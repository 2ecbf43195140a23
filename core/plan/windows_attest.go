// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Attested is what the helper of Windows read back after it had applied a plan,
// before a command starts. SIDs are given by the plan's symbols where it has
// some.
type Attested struct {
	Restricting     []string `json:"restricting"`
	WriteRestricted bool     `json:"write_restricted"`
	DenyOnly        []string `json:"deny_only"`
	Privileges      int      `json:"privileges"`
	Entries         int      `json:"entries"`      // of access lists, found in place
	Placeholders    int      `json:"placeholders"` // found in place
	Filters         int      `json:"filters"`      // of the network, found in place
	Connects        bool     `json:"connects"`     // a connect to the host went through
	Job             bool     `json:"job"`          // commands are in a job that ends them
	Desktop         string   `json:"desktop"`
}

// Matches compares what was applied with the plan. Any difference is an error:
// a command must not start then.
func (w *Windows) Matches(a Attested) error {
	differ := func(what string, have, want any) error {
		return fmt.Errorf("%s: %v was applied, %v is planned", what, have, want)
	}
	writes := slices.Contains(w.Token.Flags, "WRITE_RESTRICTED")
	deny := slices.DeleteFunc(slices.Clone(w.Token.DenyOnly), func(s string) bool { return slices.Contains(a.DenyOnly, s) })
	switch {
	case !sameSet(a.Restricting, w.Token.Restricting):
		return differ("restricting SIDs", a.Restricting, w.Token.Restricting)
	case a.WriteRestricted != writes:
		return differ("write-restricted", a.WriteRestricted, writes)
	case len(deny) > 0:
		return differ("SIDs only to deny", a.DenyOnly, w.Token.DenyOnly)
	case a.Privileges > len(w.Token.KeepPrivileges):
		return differ("privileges", a.Privileges, len(w.Token.KeepPrivileges))
	case a.Entries != len(w.ACL)+len(w.Placeholders):
		return differ("entries of access lists", a.Entries, len(w.ACL)+len(w.Placeholders))
	case a.Placeholders != len(w.Placeholders):
		return differ("placeholders", a.Placeholders, len(w.Placeholders))
	case a.Filters != len(w.WFP):
		return differ("filters of the network", a.Filters, len(w.WFP))
	case a.Connects && len(w.WFP) > 0:
		return differ("network", "a connection that went through", "none")
	case !a.Job:
		return differ("job", "none", "one that ends every process")
	case a.Desktop == "" || strings.EqualFold(a.Desktop, "Default"):
		return differ("desktop", a.Desktop, w.Desktop)
	}
	return nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
