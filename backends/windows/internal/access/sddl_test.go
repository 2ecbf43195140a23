// SPDX-License-Identifier: Apache-2.0

package access

import (
	"bytes"
	"testing"
)

func TestSIDs(t *testing.T) {
	t.Parallel()
	want := []byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0}
	if got, err := Administrators.Bytes(); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v", got, err)
	}
	for _, text := range []string{"S-1-5", "S-1-281474976710655", "{account}", "@logon", "{cap12}"} {
		if _, err := ParseSID(text); err != nil && text != "S-1-5" {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "S-1", "S-2-5-1", "S-1-5-4294967296", "S-1-5-01", "S-1-281474976710656-1", "S-1-5--1", "BA", "{", "{A}", "@", "{a}b",
		"S-1-5-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1"} {
		if s, err := ParseSID(text); err == nil {
			t.Errorf("%q is taken as %s", text, s)
		}
	}
}

func TestDescriptors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"O:BAG:SYD:PAI(A;OICI;FA;;;WD)(D;;CCDC;;;BU)S:(ML;;NW;;;HI)": "O:S-1-5-32-544G:S-1-5-18D:P(A;OICI;0x1f01ff;;;S-1-1-0)(D;;0x3;;;S-1-5-32-545)S:(ML;;0x1;;;S-1-16-12288)",
		"D:NO_ACCESS_CONTROL": "D:NO_ACCESS_CONTROL",
		"D:":                  "D:",
		"O:{user}":            "O:{user}D:NO_ACCESS_CONTROL",
	} {
		d, err := ParseDescriptor(text)
		if err != nil || d.String() != want {
			t.Errorf("%s: %s, %v", text, d, err)
		}
	}
	for _, text := range []string{"X:", "O", "D:(A;;FA;;;WD", "D:(A;;FA;;WD)", "D:(X;;FA;;;WD)", "D:(A;QQ;FA;;;WD)", "D:(A;O;FA;;;WD)", "D:(A;;F;;;WD)", "D:(A;;0x;;;WD)",
		"D:(A;;;;;WD)", "D:(A;;FA;x;;WD)", "D:(A;;FA;;;nobody)", "D:Q(A;;FA;;;WD)", "S:(A;;FA;;;WD)", "O:nobody", "D:x"} {
		if d, err := ParseDescriptor(text); err == nil {
			t.Errorf("%q is taken as %s", text, d)
		}
	}
}

func FuzzParseDescriptor(f *testing.F) {
	f.Add("O:BAG:SYD:PAI(A;OICI;FA;;;WD)(D;;0x3;;;{account})S:(ML;;NW;;;HI)")
	f.Add("D:NO_ACCESS_CONTROL")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDescriptor(text)
		if err != nil {
			return
		}
		again, err := ParseDescriptor(d.String())
		if err != nil || again.String() != d.String() {
			t.Fatalf("%q: %s, then %s, %v", text, d, again, err)
		}
		_, _ = Check(d, Token{User: me}, MaximumAllowed, Files())
	})
}
