// SPDX-License-Identifier: Apache-2.0

package helper

import "testing"

func TestTries(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]tries{"1": {other: 1}, "65535 22000": {other: 65535, own: 22000}} {
		if got, err := parseTries(text); err != nil || got != want || got.String() != text {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", " ", "0", "65536", "-1", "+1", "01", "1 ", " 1", "1 1", "1 0", "1 2 3", "1\n2", "x", "1,2", "1  2"} {
		if got, err := parseTries(text); err == nil || got != (tries{}) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// TestStatuses: the port alone is the only thing that is called reached, and
// anything more is told whatever else was.
func TestStatuses(t *testing.T) {
	t.Parallel()
	offline, proxy := tries{other: 1}, tries{other: 1, own: 2}
	for _, c := range []struct {
		of            tries
		more, reached bool
		want          Reached
	}{
		{offline, false, false, Reached{}}, {offline, true, false, Reached{More: true}}, {offline, false, true, Reached{}},
		{proxy, false, false, Reached{}}, {proxy, false, true, Reached{Port: true}}, {proxy, true, true, Reached{More: true}}, {proxy, true, false, Reached{More: true}},
	} {
		if got, err := readStatus(uint32(c.of.status(c.more, c.reached))); err != nil || got != c.want {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
	}
	for _, code := range []uint32{0, 1, 9, 13, 0xc0000005} {
		if got, err := readStatus(code); err == nil || got != (Reached{}) {
			t.Errorf("status %d: %+v", code, got)
		}
	}
}

func FuzzParseTries(f *testing.F) {
	for _, text := range []string{"1", "1 2", "65535 65534", "1 1", "01", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseTries(text)
		switch {
		case err != nil && got != (tries{}):
			t.Fatalf("%q: %+v beside %v", text, got, err)
		case err == nil && (got.String() != text || got.other < 1 || got.other > 65535 || got.own < 0 || got.own > 65535):
			t.Fatalf("%q is %+v", text, got)
		}
	})
}
