// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestFlagWords(t *testing.T) {
	t.Parallel()
	set := pflag.NewFlagSet("t", pflag.ContinueOnError)
	set.StringP("workspace", "w", "", "")
	set.BoolP("quiet", "q", false, "")
	for words, want := range map[string]int{
		"make -j":               0,
		"-- --quiet":            0,
		"- x":                   0,
		"--quiet make":          1,
		"--workspace DIR make":  2,
		"--workspace=DIR make":  1,
		"--workspace":           1,
		"-w DIR make":           2,
		"-wDIR make":            1,
		"-qw DIR make":          2,
		"-q make":               1,
		"--bogus make":          0,
		"--bogus=1 make":        1,
		"--bogus --quiet":       1,
		"--bogus -- make":       1,
		"-x make":               0,
		"-qx make":              0,
		"-x -q":                 1,
		"-é make":               0,
		"--bogus":               1,
		"--=value make":         1,
		"--workspace --quiet x": 2,
	} {
		if got := flagWords(set, strings.Fields(words)); got != want {
			t.Errorf("%q: %d, want %d", words, got, want)
		}
	}
}
