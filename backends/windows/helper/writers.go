// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"slices"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
)

// Writers names the SIDs that a binary access list lets change something, and
// the owner, without those that may anyway.
func Writers(owner string, list []byte, self string) ([]string, error) {
	trusted := []string{string(access.LocalSystem), string(access.Administrators), string(access.TrustedInstaller), string(access.CreatorOwner), self}
	if list == nil {
		return []string{string(access.Everyone)}, nil
	}
	aces, err := access.MostFromRaw(list)
	if err != nil {
		return nil, err
	}
	const changes = access.WriteData | access.AppendData | access.DeleteChild | access.Delete | access.WriteDAC | access.WriteOwner |
		access.GenericWrite | access.GenericAll
	var who []string
	add := func(sid string) {
		if !slices.Contains(trusted, sid) && !slices.Contains(who, sid) {
			who = append(who, sid)
		}
	}
	add(owner)
	for _, a := range aces {
		if a.Kind == access.Allow && a.Flags&access.InheritOnly == 0 && a.Mask&changes != 0 {
			add(string(a.SID))
		}
	}
	return who, nil
}
