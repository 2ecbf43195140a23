// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"testing"

	"golang.org/x/sys/windows"
)

// TestContainerProbe asks the system that this runs on, twice: asking leaves
// nothing that a second time would stumble over. Wine has no such sandboxes.
func TestContainerProbe(t *testing.T) {
	one, two := container(), container()
	if one != two {
		t.Errorf("first %+v, then %+v", one, two)
	}
	f := TypicalFacts("amd64")
	f.Container = one
	if err := f.check(); err != nil {
		t.Error(err)
	}
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil && one.State != "absent" {
		t.Errorf("under Wine: %+v", one)
	}
	t.Logf("%+v", one)
}
