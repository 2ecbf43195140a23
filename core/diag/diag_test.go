// SPDX-License-Identifier: Apache-2.0

package diag

import "testing"

func TestGrants(t *testing.T) {
	t.Parallel()
	g := NewGrant(GrantWrite, "/a b")
	if g.Flags() != "--write '/a b'" || g.Policy == nil || *g.Policy != "[files] write" {
		t.Errorf("%s %v", g.Flags(), g.Policy)
	}
	if fd := NewGrant(GrantFD, "3"); fd.Policy != nil || fd.Flags() != "--fd 3" {
		t.Errorf("%s %v", fd.Flags(), fd.Policy)
	}
}

func TestCodesAreNamedOnce(t *testing.T) {
	t.Parallel()
	seen := map[Code]bool{}
	for _, c := range Codes() {
		if seen[c.Code] || c.Code == "" {
			t.Errorf("the code %q is empty or stands twice", c.Code)
		}
		seen[c.Code] = true
	}
}
