// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"fmt"
	"slices"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/core/diag"
)

// MadeBy wants the owner of a directory that is to be an administrator's to be
// one: the system, Administrators, or self, who runs this with their rights.
func MadeBy(path, owner, self string) error {
	if slices.Contains([]string{string(access.LocalSystem), string(access.Administrators), self}, owner) {
		return nil
	}
	return diag.New(diag.UsageInvalid, fmt.Sprintf("%s was made by %s, who is no administrator", diag.Quote(path), owner),
		"look at it, remove it, and run caisson setup install again")
}

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
