// SPDX-License-Identifier: Apache-2.0

package sbpleval

import (
	"os"
	"strings"
	"testing"
)

const vectorWorld = "/t/a/f\n/t/b/f\n/t/c\n/t/l -> a\n/t/sock socket\n"

// TestVectors compares the evaluator with what others measured. The same
// vectors are run against the kernel on a Mac.
func TestVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	vectors, err := ParseVectors(string(text))
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWorld(vectorWorld, false)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, v := range vectors {
		p, err := Interpret(v.Profile("/t"), nil)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		for _, row := range v.Rows {
			rows++
			args := strings.Fields(strings.ReplaceAll(row.Act, "$D", "/t"))
			list, err := w.Lower(args[0], args[1:]...)
			if err != nil {
				t.Errorf("%s: %s: %v", v.Name, row.Act, err)
				continue
			}
			for _, m := range Models() {
				want := row.Allow
				if m.Flat && row.FlatDiffers {
					want = !want
				}
				if got := p.Allowed(m, list); got != want {
					t.Errorf("%s: %s under %+v: allowed %v, measured %v", v.Name, row.Act, m, got, want)
				}
			}
		}
	}
	if rows < 40 {
		t.Errorf("only %d rows", rows)
	}
}

func TestParseVectorsRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"read $D/a allow\n", "vector x\nread $D/a maybe\n", "vector x\n\n", "vector x\n(deny file*)\nread $D/a allow flat=allow\n"} {
		if v, err := ParseVectors(text); err == nil {
			t.Errorf("%q: %v", text, v)
		}
	}
}
