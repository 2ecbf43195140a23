// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"testing"

	"github.com/caisson-sandbox/caisson/core/egress"
)

// TestAuditedDecisions: no number of decisions, repeated or denied, keeps one
// that allowed a host out of the record; all are counted.
func TestAuditedDecisions(t *testing.T) {
	t.Parallel()
	a := &auditor{}
	told := 0
	tell := func(v egress.Verdict, host string) {
		a.decided(egress.Decision{Verdict: v, Host: host, Port: 443})
		told++
	}
	for i := range 1000 {
		tell(egress.Denied, fmt.Sprintf("h%d.example", i))
		tell(egress.Failed, fmt.Sprintf("h%d.example", i))
		tell(egress.Allowed, "listed.example")
	}
	tell(egress.Allowed, "other.example")
	allowed := map[string]int{}
	for _, d := range a.egress {
		if d.Verdict == egress.Allowed {
			allowed[d.Host]++
		}
	}
	if len(allowed) != 2 || allowed["listed.example"] != 1 || allowed["other.example"] != 1 {
		t.Errorf("kept as allowed: %v", allowed)
	}
	if len(a.egress) > 2*maxAudited || len(a.egress)+a.more != told {
		t.Errorf("%d are kept and %d counted of %d", len(a.egress), a.more, told)
	}
}
