// SPDX-License-Identifier: Apache-2.0

//go:build unix

package policy

import "testing"

func TestSpelled(t *testing.T) {
	t.Parallel()
	names := []string{"src", "Library", "caf\u00e9", "other\u00e9"}
	same := func(n string) bool { return n == "caf\u00e9" }
	for name, want := range map[string]string{
		"src": "src", "SRC": "src", "library": "Library", "CAF\u00c9": "caf\u00e9", "cafe\u0301": "caf\u00e9", "absent": "", "": "",
	} {
		if got := spelled(names, name, same); got != want {
			t.Errorf("%q is spelled %q, want %q", name, got, want)
		}
	}
}
