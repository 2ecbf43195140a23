// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"slices"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
)

func TestWriters(t *testing.T) {
	t.Parallel()
	const me = "S-1-5-21-1-2-3-1000"
	for sddl, want := range map[string][]string{
		"O:BAD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)(A;;FA;;;" + me + ")": nil,
		"O:" + me + "D:(A;;FA;;;BA)":                 nil,
		"O:S-1-5-21-1-2-3-1001D:(A;;FA;;;BA)":        {"S-1-5-21-1-2-3-1001"},
		"O:BAD:(A;;0x2;;;BU)(A;;0x4;;;AU)":           {"S-1-5-32-545", "S-1-5-11"},
		"O:BAD:(A;OICIIO;FA;;;AU)(A;;0x1200a9;;;WD)": nil,
		"O:BAD:(A;;GW;;;WD)(D;;GW;;;BU)":             {"S-1-1-0"},
	} {
		d, err := access.ParseDescriptor(sddl)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := access.ToRaw(d.DACL)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Writers(string(d.Owner), raw, me); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", sddl, got, err)
		}
	}
	if got, _ := Writers("S-1-5-18", nil, me); len(got) != 1 {
		t.Errorf("without a list: %q", got)
	}
}

// TestMadeBy: a directory in ProgramData that another user made first is not
// taken for the machine's.
func TestMadeBy(t *testing.T) {
	t.Parallel()
	const admin, other = "S-1-5-21-1-2-3-500", "S-1-5-21-1-2-3-1001"
	for owner, want := range map[string]bool{"S-1-5-18": true, "S-1-5-32-544": true, admin: true, other: false, "S-1-5-32-545": false, "": false} {
		if err := MadeBy(`C:\ProgramData\caisson`, owner, admin); (err == nil) != want {
			t.Errorf("%s: %v", owner, err)
		}
	}
}
