// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// binding gives the SIDs of a plan's symbols on this machine.
type binding map[string]string

// sid gives the SID of a symbol, or of a SID as it is.
func (b binding) sid(name string) (*windows.SID, error) {
	if bound, ok := b[name]; ok {
		name = bound
	}
	sid, err := windows.StringToSid(name)
	if err != nil {
		return nil, fmt.Errorf("%q is no SID: %w", name, err)
	}
	return sid, nil
}

// symbol gives the symbol of a SID, or the SID.
func (b binding) symbol(sid string) string {
	for s, bound := range b {
		if bound == sid {
			return s
		}
	}
	return sid
}

// makeToken makes the token of the commands from the helper's own, and reads
// back what it has: some systems take restricting SIDs and do nothing with them.
func makeToken(w *plan.Windows, bind binding) (token windows.Token, a plan.Attested, err error) {
	var own windows.Token
	const rights = windows.TOKEN_DUPLICATE | windows.TOKEN_QUERY | windows.TOKEN_ASSIGN_PRIMARY | windows.TOKEN_ADJUST_DEFAULT | windows.TOKEN_ADJUST_PRIVILEGES
	if err := windows.OpenProcessToken(windows.CurrentProcess(), rights, &own); err != nil {
		return 0, a, fmt.Errorf("open the helper's token: %w", err)
	}
	defer own.Close()
	var deny, restricting []*windows.SID
	for _, name := range w.Token.DenyOnly {
		if name == "@logon" {
			logons, err := winapi.LogonSIDs(own)
			if err != nil {
				return 0, a, err
			}
			deny = append(deny, logons...)
			continue
		}
		sid, err := bind.sid(name)
		if err != nil {
			return 0, a, err
		}
		deny = append(deny, sid)
	}
	for _, name := range w.Token.Restricting {
		sid, err := bind.sid(name)
		if err != nil {
			return 0, a, err
		}
		restricting = append(restricting, sid)
	}
	if token, err = winapi.Restrict(own, tokenFlags(w.Token.Flags), deny, restricting); err != nil {
		return 0, a, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, token.Close())
			token = 0
		}
	}()
	if err := setDefaultList(token, w.Token.DefaultDACL, bind); err != nil {
		return token, a, err
	}
	a, err = readBack(token, w, bind)
	return token, a, err
}

func tokenFlags(names []string) uint32 {
	known := map[string]uint32{"DISABLE_MAX_PRIVILEGE": winapi.DisableMaxPrivilege, "LUA_TOKEN": winapi.LUAToken, "WRITE_RESTRICTED": winapi.WriteRestricted}
	var flags uint32
	for _, n := range names {
		flags |= known[n]
	}
	return flags
}

// setDefaultList sets the list of objects that commands make.
func setDefaultList(token windows.Token, sddl string, bind binding) error {
	d, err := access.ParseDescriptor(sddl)
	if err != nil {
		return err
	}
	for i := range d.DACL {
		sid, err := bind.sid(string(d.DACL[i].SID))
		if err != nil {
			return err
		}
		d.DACL[i].SID = access.SID(sid.String())
	}
	sd, err := windows.SecurityDescriptorFromString(d.String())
	if err != nil {
		return fmt.Errorf("read the default list: %w", err)
	}
	acl, _, err := sd.DACL()
	if err != nil {
		return fmt.Errorf("read the default list: %w", err)
	}
	return winapi.SetDefaultDACL(token, acl)
}

// readBack says what a token has.
func readBack(token windows.Token, w *plan.Windows, bind binding) (a plan.Attested, err error) {
	restricting, err := winapi.RestrictingSIDs(token)
	if err != nil {
		return a, err
	}
	a.Restricting = []string{}
	for _, s := range restricting {
		a.Restricting = append(a.Restricting, bind.symbol(s.String()))
	}
	logons, err := winapi.LogonSIDs(token)
	if err != nil {
		return a, err
	}
	deny, err := winapi.DenyOnlySIDs(token)
	if err != nil {
		return a, err
	}
	denied := map[string]bool{}
	for _, s := range deny {
		denied[s.String()] = true
		a.DenyOnly = append(a.DenyOnly, bind.symbol(s.String()))
	}
	all := true
	for _, s := range logons {
		all = all && denied[s.String()]
	}
	if all {
		a.DenyOnly = append(a.DenyOnly, "@logon")
	}
	if a.DenyOnly, err = withAbsent(token, w, bind, a.DenyOnly); err != nil {
		return a, err
	}
	if a.Privileges, err = winapi.PrivilegeCount(token); err != nil {
		return a, err
	}
	// The system has no question for this; what it says of the list is taken
	// together with the flag that was asked for.
	a.WriteRestricted = len(restricting) > 0 && slices.Contains(w.Token.Flags, "WRITE_RESTRICTED")
	return a, nil
}

// withAbsent adds the SIDs that are to be there only to deny and that the token
// does not have at all.
func withAbsent(token windows.Token, w *plan.Windows, bind binding, list []string) ([]string, error) {
	groups, err := token.GetTokenGroups()
	if err != nil {
		return nil, err
	}
	for _, name := range w.Token.DenyOnly {
		if name == "@logon" || slices.Contains(list, name) {
			continue
		}
		sid, err := bind.sid(name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(groups.AllGroups(), func(g windows.SIDAndAttributes) bool { return g.Sid.Equals(sid) }) {
			list = append(list, name)
		}
	}
	return list, nil
}
