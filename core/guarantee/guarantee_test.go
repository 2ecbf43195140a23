// SPDX-License-Identifier: Apache-2.0

package guarantee

import (
	"slices"
	"testing"
)

func TestVocabulary(t *testing.T) {
	t.Parallel()
	seen := map[ID]bool{}
	for _, i := range All() {
		if seen[i.ID] || i.Promise == "" || !Known(i.ID) {
			t.Errorf("%q stands twice, promises nothing or is not known", i.ID)
		}
		seen[i.ID] = true
	}
	if Known("fs.write") || Known("") {
		t.Error("a part of an id is known")
	}
	for _, id := range []ID{OutsideHidden, LimitMemory, LimitProcesses, LimitTime, NetAllowlist, DenialsReported} {
		if slices.Contains(Standard(), id) {
			t.Errorf("%s is in the standard contract", id)
		}
	}
	if len(Standard()) != len(All())-6 {
		t.Errorf("the standard contract has %d of %d", len(Standard()), len(All()))
	}
}

func TestSets(t *testing.T) {
	t.Parallel()
	s := Set{"z.later": {}, NetOffline: {By: ByKernel}, WriteConfined: {By: ByKernel}}
	if got := s.IDs(); !slices.Equal(got, []ID{WriteConfined, NetOffline, "z.later"}) {
		t.Errorf("IDs: %v", got)
	}
	if got := s.Missing([]ID{NoPrivs, NetOffline}); !slices.Equal(got, []ID{NoPrivs}) {
		t.Errorf("Missing: %v", got)
	}
	if got := s.Within(Set{NetOffline: {}, "z.later": {}}); !slices.Equal(got, []ID{WriteConfined}) {
		t.Errorf("Within: %v", got)
	}
	if got := Set(nil).Missing([]ID{NoPrivs}); len(got) != 1 {
		t.Errorf("the nil set claims something: %v", got)
	}
}
