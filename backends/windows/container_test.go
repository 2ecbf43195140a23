// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/policy/recorded"
)

// TestEmptyEnvironment reads the specification as readers of FlatBuffers do:
// from the root to the table, from there back to the vtable, and from its first
// entry to the field.
func TestEmptyEnvironment(t *testing.T) {
	t.Parallel()
	b := emptyEnvironment()
	u16 := func(at int) int { return int(binary.LittleEndian.Uint16(b[at:])) }
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }
	table := u32(0)
	vtable := table - u32(table)
	field := table + u16(vtable+4)
	switch {
	case string(b[4:8]) != "PSEC":
		t.Errorf("identifier %q", b[4:8])
	case table%4 != 0 || vtable%2 != 0 || vtable < 8:
		t.Errorf("table at %d, vtable at %d", table, vtable)
	case u16(vtable) != 6:
		t.Errorf("a vtable of %d bytes has other fields than the first", u16(vtable))
	case table+u16(vtable+2) != len(b) || field+4 != len(b):
		t.Errorf("table of %d bytes at %d, field at %d, of %d", u16(vtable+2), table, field, len(b))
	case u16(field) != 1 || u16(field+2) != 0:
		t.Errorf("version %d.%d", u16(field), u16(field+2))
	}
}

// TestContainer: whatever the system offers, this version makes none of its
// sandboxes, claims nothing and says what was found.
func TestContainer(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Container{
		"has no sandboxes of its own":        {State: "absent"},
		"cannot be made: x says 0x80004001":  {State: "off", Detail: "x says 0x80004001"},
		"cannot deny paths":                  {State: "made"},
		"this system makes sandboxes of its": {State: "made", Denies: true},
	} {
		f := TypicalFacts("amd64")
		f.Container = c
		p := prepared(t, ContainerName, f, resolve(t, recorded.Windows(), nil))
		if len(p.Claims) > 0 || len(p.Unmet) == 0 || !strings.Contains(p.Unmet[0].Reason, want) {
			t.Errorf("%+v: claims %v, unmet %v", c, p.Claims, p.Unmet)
		}
		// The other backends do not depend on it.
		if p := prepared(t, AccountName, f, resolve(t, recorded.Windows(), nil)); len(p.Unmet) > 0 {
			t.Errorf("%+v: windows/account lacks %v", c, p.Unmet)
		}
	}
	f := TypicalFacts("amd64")
	f.Container.State = "maybe"
	if err := f.check(); err == nil {
		t.Error("facts with an unknown state are taken")
	}
}
