// SPDX-License-Identifier: Apache-2.0

package plan

import "strings"

// The reasons of entries in access lists, by which people and tests know what
// an entry is for.
const (
	WhyRoot      = "write root"
	WhyWrite     = "writable"
	WhyTemp      = "temporary directory"
	WhyProtected = "protected"
	WhyHidden    = "hidden"
	WhyShown     = "shown"
	WhyParent    = "parent delete-child"
	WhyUser      = "the user keeps what commands make"
	WhyAncestor  = "an ancestor cannot be moved"
)

// explain sorts paths into the groups of Plan.Explain and says what network
// the commands have.
func (w *Windows) explain(groups *[6][]string) string {
	for _, a := range w.ACL {
		switch a.Why {
		case WhyRoot, WhyWrite:
			if strings.HasPrefix(a.ACE, "(A;") {
				groups[0] = append(groups[0], a.Path)
			}
		case WhyTemp:
			groups[0] = append(groups[0], a.Path+" (private)")
		case WhyProtected:
			if a.Exists {
				groups[1] = append(groups[1], a.Path)
			}
		case WhyShown:
			groups[2] = append(groups[2], a.Path)
		case WhyHidden:
			groups[4] = append(groups[4], a.Path)
		}
	}
	for _, h := range w.Placeholders {
		groups[3] = append(groups[3], h.Path)
	}
	groups[5] = append(groups[5], w.Quarantine...)
	switch {
	case w.ToProxy():
		return "what caisson's proxy lets through"
	case w.Account != nil && w.Account.Pool == PoolOffline:
		return "none, a loopback neither"
	}
	return "the host's"
}
