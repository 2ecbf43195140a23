// SPDX-License-Identifier: Apache-2.0

package host

import (
	"encoding/json"
	"testing"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
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

// TestRestsOfNetwork: the accounts of a pool uphold what the pool is for, and not
// what another one is for.
func TestRestsOfNetwork(t *testing.T) {
	t.Parallel()
	for pool, of := range map[string]guarantee.ID{plan.PoolOffline: guarantee.NetOffline, plan.PoolProxy: guarantee.NetAllowlist, plan.PoolOnline: ""} {
		for _, id := range []guarantee.ID{guarantee.NetOffline, guarantee.NetAllowlist} {
			made := &plan.Plan{Claims: guarantee.Set{id: {By: guarantee.ByKernel}},
				Windows: &plan.Windows{Profile: "jail", Account: &plan.WindowsAccount{Pool: pool}, WFP: []plan.WindowsFilter{{Do: "block"}}}}
			if err := judgeRests(made); (err == nil) != (id == of) {
				t.Errorf("%s of the pool %s: %v", id, pool, err)
			}
			made.Windows.WFP = nil
			if err := judgeRests(made); err == nil {
				t.Errorf("%s of the pool %s without filters", id, pool)
			}
		}
	}
}

// TestProxyUnasked: a plan that leads to the proxy is refused where the policy has
// no list to go by.
func TestProxyUnasked(t *testing.T) {
	t.Parallel()
	for mode, taken := range map[policy.NetworkMode]bool{policy.Allowlist: true, policy.Offline: false, policy.Online: false} {
		text, err := json.Marshal(map[string]any{"format": 1, "os": "windows", "home": `C:\u`, "workspace": []string{`C:\u\w`},
			"rules":   []policy.Rule{{Path: `C:\u\w`, Access: policy.Write, Kind: policy.KindDir, Root: true, Origin: policy.Origin{File: "standard"}}},
			"network": policy.Network{Mode: mode, Allow: []string{"*"}}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := policy.DecodeResolved(text)
		if err != nil {
			t.Fatal(err)
		}
		made := &plan.Plan{OS: "windows", Windows: &plan.Windows{Account: &plan.WindowsAccount{Pool: plan.PoolProxy}}}
		if err := judgeWindows(made, r); (err == nil) != taken {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
