// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/core/policy/recorded"
)

// TestSideDoors asks the model about objects that are no files and that stand
// outside of the sandbox: with the right to them a command acts with more than
// it has. The lists are those that the system gives such objects by default.
func TestSideDoors(t *testing.T) {
	t.Parallel()
	const (
		createProcess = 0x0080 // PROCESS_CREATE_PROCESS, for the parent-process attribute
		duplicate     = 0x0040
		vmRead        = 0x0010
		terminate     = 0x0001
	)
	// A process of the user: full control for the user and the system, reading
	// for the logon session.
	mine := "O:{user}G:{user}D:(A;;0x1fffff;;;{user})(A;;0x1fffff;;;SY)(A;;0x121411;;;@logon)"
	pipes := func(list string) string { return "O:{user}G:{user}D:" + list }
	doors := []struct {
		name, sddl string
		rights     map[string]access.Mask
		mapping    access.Mapping
		open       map[string]string // the rights that a tier has
	}{
		{"the helper's process", "O:{helper}G:{user}{list}", map[string]access.Mask{"parent": createProcess, "handles": duplicate, "memory": vmRead, "end": terminate, "list": access.WriteDAC, "own": access.WriteOwner},
			access.Processes(), map[string]string{}},
		{"a process of the user", mine, map[string]access.Mask{"parent": createProcess, "handles": duplicate, "memory": vmRead, "end": terminate, "list": access.WriteDAC},
			access.Processes(), map[string]string{TokenName: "end memory"}},
		{"a process of a service", "O:SYG:SYD:(A;;0x1fffff;;;SY)(A;;0x121411;;;BA)", map[string]access.Mask{"parent": createProcess, "memory": vmRead, "end": terminate},
			access.Processes(), map[string]string{}},
		{"a service", "O:SYG:SYD:(A;;0x2019d;;;SY)(A;;0xf01ff;;;BA)(A;;0x2008d;;;IU)(A;;0x2008d;;;SU)", map[string]access.Mask{"change": 0x2, "start": 0x10, "list": access.WriteDAC},
			access.Mapping{Read: 0x2008d, Write: 0x20002, Execute: 0x20170, All: 0xf01ff}, map[string]string{}},
		{"a pipe with the list that pipes have by default", pipes("(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;{user})(A;;FR;;;WD)(A;;FR;;;AN)"), map[string]access.Mask{"write": access.WriteData, "read": access.ReadData},
			access.Files(), map[string]string{AccountName: "read", LeanName: "read", TokenName: "read"}},
		{"a pipe of the user alone", pipes("(A;;FA;;;{user})"), map[string]access.Mask{"write": access.WriteData, "read": access.ReadData},
			access.Files(), map[string]string{TokenName: "read"}},
		{"a pipe that admits every user", pipes("(A;;FA;;;BU)"), map[string]access.Mask{"write": access.WriteData, "read": access.ReadData},
			access.Files(), map[string]string{AccountName: "read", LeanName: "read write", TokenName: "read"}},
	}
	f := TypicalFacts("amd64")
	r := resolve(t, recorded.Windows(), nil)
	for _, tier := range []string{AccountName, LeanName, TokenName} {
		w := prepared(t, tier, f, r).Windows
		command := Bind(w)
		// As whom the part of the helper runs that commands could reach.
		sddl := strings.NewReplacer("{helper}", string(command.User), "{list}", w.Helper.SDDL)
		outsider := Bind(w)
		outsider.User, outsider.Restricting, outsider.WriteRestricted = user, nil, false
		for _, d := range doors {
			object, err := access.ParseDescriptor(sddl.Replace(d.sddl))
			if err != nil {
				t.Fatalf("%s: %v", d.name, err)
			}
			for name, right := range d.rights {
				want := strings.Contains(" "+d.open[tier]+" ", " "+name+" ")
				if got := access.Allowed(object, command, right, d.mapping); got != want {
					t.Errorf("%s: %s of %s is %t, want %t", tier, name, d.name, got, want)
				}
			}
			// A user can do some of it, so that a denial says something of the token.
			if strings.Contains(d.sddl, "{user}G") && d.name != doors[0].name {
				held := false
				for _, right := range d.rights {
					held = held || access.Allowed(object, outsider, right, d.mapping)
				}
				if !held {
					t.Errorf("%s: nobody has a right to %s", tier, d.name)
				}
			}
		}
	}
}
