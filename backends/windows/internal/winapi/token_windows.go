// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Restrict makes a token that has less than another one, see
// CreateRestrictedToken.
func Restrict(token windows.Token, flags uint32, deny, restricting []*windows.SID) (windows.Token, error) {
	entries := func(list []*windows.SID) (*windows.SIDAndAttributes, uint32) {
		if len(list) == 0 {
			return nil, 0
		}
		out := make([]windows.SIDAndAttributes, len(list))
		for i, s := range list {
			out[i].Sid = s
		}
		return &out[0], uint32(len(out))
	}
	d, dn := entries(deny)
	r, rn := entries(restricting)
	var made windows.Token
	if err := CreateRestrictedToken(token, flags, dn, d, 0, nil, rn, r, &made); err != nil {
		return 0, fmt.Errorf("restrict a token: %w", err)
	}
	return made, nil
}

// LogOn logs a local account on as at the console, and gives its token.
func LogOn(name, password string) (windows.Token, error) {
	const interactive, standard = 2, 0 // LOGON32_LOGON_INTERACTIVE, LOGON32_PROVIDER_DEFAULT
	user, domain, secret, err := three(name, ".", password)
	if err != nil {
		return 0, err
	}
	var token windows.Token
	if err := LogonUser(user, domain, secret, interactive, standard, &token); err != nil {
		return 0, fmt.Errorf("log on as %s: %w", name, err)
	}
	return token, nil
}

// RestrictingSIDs reads a token's restricting SIDs back.
func RestrictingSIDs(token windows.Token) ([]*windows.SID, error) {
	buffer, err := information(token, windows.TokenRestrictedSids)
	if err != nil {
		return nil, fmt.Errorf("read the restricting SIDs of a token: %w", err)
	}
	return sidsOf((*windows.Tokengroups)(unsafe.Pointer(&buffer[0])))
}

// LogonSIDs gives the SIDs of the logon sessions in a token.
func LogonSIDs(token windows.Token) ([]*windows.SID, error) {
	groups, err := token.GetTokenGroups()
	if err != nil {
		return nil, fmt.Errorf("read the groups of a token: %w", err)
	}
	var list []*windows.SID
	for _, g := range groups.AllGroups() {
		if g.Attributes&windows.SE_GROUP_LOGON_ID == windows.SE_GROUP_LOGON_ID {
			copied, err := g.Sid.Copy()
			if err != nil {
				return nil, err
			}
			list = append(list, copied)
		}
	}
	return list, nil
}

// DenyOnlySIDs gives the groups of a token that are there only to deny.
func DenyOnlySIDs(token windows.Token) ([]*windows.SID, error) {
	groups, err := token.GetTokenGroups()
	if err != nil {
		return nil, fmt.Errorf("read the groups of a token: %w", err)
	}
	var list []*windows.SID
	for _, g := range groups.AllGroups() {
		if g.Attributes&windows.SE_GROUP_USE_FOR_DENY_ONLY != 0 {
			copied, err := g.Sid.Copy()
			if err != nil {
				return nil, err
			}
			list = append(list, copied)
		}
	}
	return list, nil
}

func sidsOf(groups *windows.Tokengroups) ([]*windows.SID, error) {
	var list []*windows.SID
	for _, g := range groups.AllGroups() {
		copied, err := g.Sid.Copy()
		if err != nil {
			return nil, err
		}
		list = append(list, copied)
	}
	return list, nil
}
