// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"errors"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/selector"
)

func TestRefusalText(t *testing.T) {
	t.Parallel()
	grant := diag.NewGrant(diag.GrantWeaker, string(guarantee.NetOffline))
	offline := plan.Unmet{ID: guarantee.NetOffline, Reason: "no namespaces", Remedy: "allow them", Grant: &grant}
	hidden := plan.Unmet{ID: guarantee.OutsideHidden, Reason: "no namespaces", Remedy: "allow them"}
	events := plan.Unmet{ID: guarantee.DenialsReported, Reason: "not observed"}
	for _, c := range []struct {
		refusal Refusal
		text    string
		grant   bool
	}{
		{Refusal{Unmet: []plan.Unmet{offline}}, "net.offline cannot be upheld: no namespaces; allow them", true},
		{
			Refusal{Unmet: []plan.Unmet{offline, events, hidden}},
			"net.offline, proc.outside.hidden cannot be upheld: no namespaces; events.denials cannot be upheld: not observed; allow them", false,
		},
		{Refusal{}, "no backend can be used on this host", false},
		{
			Refusal{Rejected: []selector.Rejection{{Name: "a/b", Reason: "broken"}}},
			"no backend can be used on this host; a/b: broken", false,
		},
	} {
		if got := c.refusal.Error(); got != c.text {
			t.Errorf("%s\nwant %s", got, c.text)
		}
		d, ok := errors.AsType[*diag.Diagnostic](&c.refusal)
		if !ok || d.Code != diag.GuaranteeUnmet || (d.Grant != nil) != c.grant {
			t.Errorf("%+v", d)
		}
	}
}
