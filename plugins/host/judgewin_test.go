// SPDX-License-Identifier: Apache-2.0

package host

import (
	"testing"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// TestRests: a claim is refused without what it rests on in a plan for Windows,
// also where the plugin says that it offers it; what no such plan can hold is
// refused from the strongest one.
func TestRests(t *testing.T) {
	t.Parallel()
	strong := &plan.Windows{Profile: "jail", Account: &plan.WindowsAccount{Pool: "offline"}, WFP: []plan.WindowsFilter{{Do: "block"}}}
	for id, most := range map[guarantee.ID]bool{
		guarantee.NetOffline: true, guarantee.WriteConfined: true, guarantee.ReadHidden: true,
		guarantee.NetAllowlist: false, guarantee.OutsideHidden: false,
	} {
		claims := guarantee.Set{id: {By: guarantee.ByKernel}}
		if err := judgeRests(&plan.Plan{Windows: strong, Claims: claims}); (err == nil) != most {
			t.Errorf("%s in the strongest plan: %v", id, err)
		}
		if err := judgeRests(&plan.Plan{Windows: &plan.Windows{}, Claims: claims}); err == nil {
			t.Errorf("%s rests on nothing", id)
		}
	}
}
