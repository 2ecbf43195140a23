// SPDX-License-Identifier: Apache-2.0

package passwd

import "testing"

func TestFind(t *testing.T) {
	t.Parallel()
	const text = "root:x:0:0:root:/root:/bin/sh\nshort:x:7\n10:x:11:1:a,b:/home/a b:\nme:x:10:1::/home/me:/bin/sh\nagain:x:10:1::/home/x:/bin/sh"
	for _, c := range []struct {
		uid        int
		name, home string
	}{
		{0, "root", "/root"}, {11, "10", "/home/a b"}, {10, "me", "/home/me"}, {7, "", ""}, {1, "", ""},
	} {
		if name, home := Find(text, c.uid); name != c.name || home != c.home {
			t.Errorf("%d: %q, %q", c.uid, name, home)
		}
	}
	if name, _ := Find("", 0); name != "" {
		t.Errorf("%q in no text", name)
	}
}
