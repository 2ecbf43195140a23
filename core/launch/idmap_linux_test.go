// SPDX-License-Identifier: Apache-2.0

package launch

import "testing"

func TestOntoItself(t *testing.T) {
	t.Parallel()
	for own, want := range map[string]string{
		"         0          0 4294967295\n": "0 0 4294967295\n",
		"         0       1000          1\n": "0 0 1\n",
		"0 1000 1\n1 100000 65536\n":         "0 0 1\n1 1 65536\n",
		"":                                   "",
	} {
		if got := string(ontoItself(own)); got != want {
			t.Errorf("%q: %q, want %q", own, got, want)
		}
	}
}
