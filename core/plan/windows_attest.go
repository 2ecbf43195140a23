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
	Unread          bool     `json:"unread"`       // filters are read by administrators alone
	Connects        bool     `json:"connects"`     // a connect to the host went through that must not
	Reaches         bool     `json:"reaches"`      // the port of the proxy was reached
	Job             bool     `json:"job"`          // commands are in a job that ends them
	Desktop         string   `json:"desktop"`
}

// Matches compares what was applied with the plan. Any difference is an error:
// a command must not start then.
func (w *Windows) Matches(a Attested) error {
	switch {
	case a.Entries != len(w.ACL)+len(w.Placeholders):
		return differs("entries of access lists", a.Entries, len(w.ACL)+len(w.Placeholders))
	case a.Placeholders != len(w.Placeholders):
		return differs("placeholders", a.Placeholders, len(w.Placeholders))
	case a.Filters != len(w.WFP) && !(a.Unread && a.Filters == 0):
		return differs("filters of the network", a.Filters, len(w.WFP))
	case a.Connects && len(w.WFP) > 0:
		return differs("network", "a connection that went through", "none")
	case a.Reaches != w.ToProxy():
		return differs("proxy reached", a.Reaches, w.ToProxy())
	}
	return w.MatchesInner(a)
}

// MatchesInner compares what the part applies that runs as whom the commands
// run as: token, job and desktop.
func (w *Windows) MatchesInner(a Attested) error {
	writes := slices.Contains(w.Token.Flags, "WRITE_RESTRICTED")
	deny := slices.DeleteFunc(slices.Clone(w.Token.DenyOnly), func(s string) bool { return slices.Contains(a.DenyOnly, s) })
	switch {
	case !sameSet(a.Restricting, w.Token.Restricting):
		return differs("restricting SIDs", a.Restricting, w.Token.Restricting)
	case a.WriteRestricted != writes:
		return differs("write-restricted", a.WriteRestricted, writes)
	case len(deny) > 0:
		return differs("SIDs only to deny", a.DenyOnly, w.Token.DenyOnly)
	case a.Privileges > len(w.Token.KeepPrivileges):
		return differs("privileges", a.Privileges, len(w.Token.KeepPrivileges))
	case !a.Job:
		return differs("job", "none", "one that ends every process")
	case a.Desktop == "" || strings.EqualFold(a.Desktop, "Default"):
		return differs("desktop", a.Desktop, w.Desktop)
	}
	return nil
}

func differs(what string, have, want any) error {
	return fmt.Errorf("%s: %v was applied, %v is planned", what, have, want)
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
