// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/audit"
	"github.com/caisson-sandbox/caisson/core/diag"
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

// TestAuditedDenials: a command cannot keep its end out of the audit file by what
// it has denied to it, however long that is as JSON; all denials are counted.
func TestAuditedDenials(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		tail string
		kept int
	}{
		{"short", "x", maxAudited},
		{"long", strings.Repeat("x", maxTarget-64), maxAudited},
		{"long, and longer as JSON", strings.Repeat("<", maxTarget-64), 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "log")
			log, err := audit.Open(file, dir, func(string) string { return "" })
			if err != nil {
				t.Fatal(err)
			}
			a := &auditor{logs: []*audit.Log{log}}
			record, err := a.start([]string{"x"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			const tried = maxDenials
			d := newDenials(nil)
			for i := range tried {
				target := fmt.Sprintf("/h/.ssh/%d%s", i, c.tail)
				g := diag.NewGrant(diag.GrantShow, target)
				d.add(target, Denial{Source: "trace", Operation: "read", Target: target, Remedy: "allow it with " + g.Flags(), Grant: &g})
			}
			list, more := d.all()
			a.decided(egress.Decision{Verdict: egress.Allowed, Host: "listed.example"})
			if err := a.end(record, Result{Started: true, Denials: list, DenialsMore: more}); err != nil {
				t.Error(err)
			}
			if err := a.close(); err != nil {
				t.Error(err)
			}
			text, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer text.Close()
			ends := 0
			err = audit.Read(text, func(line []byte, r audit.Record) error {
				if r.Event != audit.End {
					return nil
				}
				ends++
				kept := strings.Count(string(line), `"operation":"read"`)
				if kept < c.kept || kept+r.DenialsMore != tried || !strings.Contains(string(line), "listed.example") {
					t.Errorf("%d denials are kept and %d counted of %d", kept, r.DenialsMore, tried)
				}
				return nil
			})
			if err != nil || ends != 1 {
				t.Errorf("%d ends are noted, %v", ends, err)
			}
		})
	}
}
