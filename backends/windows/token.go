// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"fmt"
	"strings"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// The symbols of a plan that stand for SIDs.
const (
	account access.SID = "{account}"
	user    access.SID = "{user}"
	group   access.SID = "{group}"
	logon   access.SID = "@logon"
	device  access.SID = "@device"
)

// capability is the symbol of the SID of one writable root.
func capability(n int) access.SID { return access.SID(fmt.Sprintf("{cap%d}", n)) }

// token says what token the commands get. In every tier Administrators and the
// logon SIDs are there only to deny: the list that a process of the user has by
// default lets the logon SID read its memory, and the service that starts
// programs as another user puts the caller's logon SID into the new token.
//
// The jail leaves INTERACTIVE only to deny too, because C:\Users\Public lets it
// delete what is inside, a right that the second pass does not look at. The
// lean profile has no second pass, so what the whole machine admits is taken
// away as far as a token can do without: Authenticated Users, INTERACTIVE and
// LOCAL.
func token(name string, f Facts, caps int) plan.WindowsToken {
	t := plan.WindowsToken{
		Flags:          []string{"DISABLE_MAX_PRIVILEGE", "LUA_TOKEN", "WRITE_RESTRICTED"},
		DenyOnly:       sids(access.Administrators, logon),
		Restricting:    []string{},
		KeepPrivileges: []string{string(access.ChangeNotify)},
	}
	var owners []access.SID
	switch name {
	case LeanName:
		t.Flags = t.Flags[:2]
		t.DenyOnly = append(t.DenyOnly, sids(access.AuthenticatedUsers, access.Interactive, access.Local)...)
		owners = []access.SID{account}
	case TokenName:
		owners = []access.SID{user}
		for i := range caps {
			owners = append(owners, capability(i))
			t.Restricting = append(t.Restricting, string(capability(i)))
		}
	default:
		t.DenyOnly = append(t.DenyOnly, string(access.Interactive))
		owners = []access.SID{account}
		t.Restricting = sids(account)
	}
	if f.Device != "" && name != LeanName {
		t.Restricting = append(t.Restricting, string(device))
	}
	t.DefaultDACL = defaultDACL(owners)
	return t
}

// defaultDACL is for objects that commands make without naming a list: theirs,
// and no more for the owner as such than reading the list.
func defaultDACL(owners []access.SID) string {
	var b strings.Builder
	b.WriteString("D:")
	for _, s := range owners {
		fmt.Fprintf(&b, "(A;;GA;;;%s)", s)
	}
	b.WriteString("(A;;RC;;;OW)")
	return b.String()
}

func sids(list ...access.SID) []string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = string(s)
	}
	return texts
}
