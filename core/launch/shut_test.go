// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import "testing"

func TestMountedOn(t *testing.T) {
	t.Parallel()
	const mounts = `22 1 254:0 / / ro,nosuid - ext4 /dev/vda rw
41 22 254:0 /w/.git/hooks /w/.git/hooks ro,nosuid - ext4 /dev/vda rw
42 22 254:0 /w/.git/config /w/.git/config2 ro - ext4 /dev/vda rw
43 22 254:0 /w/gone /w/gone//deleted ro - ext4 /dev/vda rw
44 22 254:0 /w/a /w/a\040b\011c\012d\134e ro - ext4 /dev/vda rw
`
	for name, want := range map[string]bool{
		"/w/.git/hooks":   true,
		"/w/a b\tc\nd\\e": true,
		"/w/.git/config":  false, // renamed
		"/w/.git/config2": true,
		"/w/gone":         false,
		"/w/.git":         false,
		"/w/.git/hook":    false,
		"/dev/vda":        false,
		`/w/a\040b\011c`:  false,
	} {
		if got := mountedOn(mounts, name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
