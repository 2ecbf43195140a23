// SPDX-License-Identifier: Apache-2.0

package builtin

import (
	"runtime"
	"slices"
	"testing"
)

func TestBackendsAreOfThisSystem(t *testing.T) {
	t.Parallel()
	var names []string
	for _, b := range Backends(Options{}) {
		info := b.Info()
		if !slices.Contains(info.OS, runtime.GOOS) || info.Version == "" || slices.Contains(names, info.Name) {
			t.Errorf("%+v", info)
		}
		names = append(names, info.Name)
	}
	want := map[string][]string{"linux": {"linux/namespaces", "linux/landlock"}, "darwin": {"darwin/seatbelt"}}[runtime.GOOS]
	if want != nil && !slices.Equal(names, want) {
		t.Errorf("backends: %q, want %q", names, want)
	}
}
