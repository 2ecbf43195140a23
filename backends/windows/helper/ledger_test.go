// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"os"
	"reflect"
	"slices"
	"testing"
)

func ledgers(t *testing.T, alive ...string) *DirLedgers {
	return &DirLedgers{Dir: t.TempDir() + "/x", Alive: func(run string) bool { return slices.Contains(alive, run) },
		Exclude: func() (func() error, error) { return func() error { return nil }, nil }}
}

func TestLedgers(t *testing.T) {
	t.Parallel()
	d := ledgers(t, "b-1")
	if live, dead, err := d.Runs(); len(live)+len(dead) > 0 || err != nil {
		t.Errorf("%q, %q, %v", live, dead, err)
	}
	entries := []Entry{{Do: "ace", Path: `C:\ws`, ID: "1", ACE: "(A;;0x1;;;S-1-1-0)", Foreign: true}, {Do: "make", Path: "ä\n", Kind: "file", Content: ".\n", Done: true}}
	for _, run := range []string{"a-1", "b-1"} {
		for _, e := range entries {
			if err := d.Append(run, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := d.Read("a-1"); err != nil || !reflect.DeepEqual(got, entries) {
		t.Errorf("%+v, %v", got, err)
	}
	live, dead, err := d.Runs()
	if !slices.Equal(live, []string{"b-1"}) || !slices.Equal(dead, []string{"a-1"}) || err != nil {
		t.Errorf("%q, %q, %v", live, dead, err)
	}
	// A line that was being written is no line.
	text, err := os.ReadFile(d.path("a-1"))
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(text) {
		if err := os.WriteFile(d.path("a-1"), text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := d.Read("a-1")
		if err != nil || len(got) >= len(entries) || !reflect.DeepEqual(got, append([]Entry(nil), entries[:len(got)]...)) {
			t.Fatalf("cut at %d: %+v, %v", cut, got, err)
		}
	}
	if err := os.WriteFile(d.path("a-1"), []byte("{\"do\":\"ace\",\"more\":1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Read("a-1"); err == nil {
		t.Errorf("an unknown field is read as %+v", got)
	}
	for _, run := range []string{"a-1", "a-1", "b-1"} {
		if err := d.Delete(run); err != nil {
			t.Error(err)
		}
	}
	if err := d.Append(`..\x`, Entry{}); err == nil {
		t.Error("a run outside of the directory")
	}
}
