// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"slices"
	"testing"
)

func TestReads(t *testing.T) {
	t.Parallel()
	const home = `C:\Users\me`
	got := Reads(home, []string{"src", ".ssh", ".cargo", "AppData", "go", "Go", "x:y", "appdata", "Documents"},
		[]string{home + `\.ssh`, home + `\.cargo\credentials.toml`, home + `\AppData\Roaming\x`, `C:\USERS\ME\Documents\keys.kdbx`})
	if want := []string{home + `\go`, home + `\src`}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
