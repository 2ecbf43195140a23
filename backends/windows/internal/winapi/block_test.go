// SPDX-License-Identifier: Apache-2.0

package winapi

import "testing"

// TestBlockConditions: what is written to the platform is what is read back, and
// anything that differs in a point is read as no condition of ours.
func TestBlockConditions(t *testing.T) {
	t.Parallel()
	keys := ConditionKeys()
	for _, b := range []BlockCondition{
		{Field: "raw"}, {"proto", false, 1}, {"proto", true, 6}, {"raddr", true, 0x7f000001}, {"rport", true, 31337}, {"rport", false, 65535},
	} {
		c, err := b.condition()
		if err != nil || c.Field != keys[b.Field] {
			t.Fatalf("%+v: %+v, %v", b, c, err)
		}
		if got, user := c.Read(); got != b || user {
			t.Errorf("%+v is read as %+v, %t", b, got, user)
		}
		for name, change := range map[string]func(c *Condition){
			"of another kind":      func(c *Condition) { c.Value.Type = FwpUint64 },
			"of what is smaller":   func(c *Condition) { c.Match = 2 }, // FWP_MATCH_LESS
			"of another field":     func(c *Condition) { c.Field = GUID{} },
			"for whoever the user": func(c *Condition) { c.Field = keys["user"] },
		} {
			changed := c
			change(&changed)
			if got, user := changed.Read(); got != (BlockCondition{}) || user {
				t.Errorf("%+v %s is read as %+v, %t", b, name, got, user)
			}
		}
		other := c
		other.Value.Value++
		if got, _ := other.Read(); got == b {
			t.Errorf("%+v with another value is read as the same", b)
		}
	}
	if got, _ := (Condition{Field: keys["raw"], Match: FwpMatchFlagsAnySet, Value: Value{FwpUint32, FwpRawEndpoint | 1}}).Read(); got.Field != "" {
		t.Errorf("more flags than raw are read as %+v", got)
	}
	if _, user := (Condition{Field: keys["user"], Match: FwpMatchEqual, Value: Value{Type: FwpSecurityDescriptor}}).Read(); !user {
		t.Error("the user is not known again")
	}
	for _, b := range []BlockCondition{{}, {Field: "user"}, {Field: "raw", Not: true}, {Field: "raw", Value: 1}, {Field: "lport"}} {
		if c, err := b.condition(); err == nil {
			t.Errorf("%+v: %+v", b, c)
		}
	}
}
