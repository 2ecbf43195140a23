// SPDX-License-Identifier: Apache-2.0

package host

import (
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/backend"
)

// each measures rounds. Beside the mean it reports the fastest one, which on a
// machine that does other things too is nearest to what it costs.
func each(b *testing.B, round func()) {
	fastest := time.Duration(1 << 62)
	for b.Loop() {
		began := time.Now()
		round()
		fastest = min(fastest, time.Since(began))
	}
	b.ReportMetric(float64(fastest.Microseconds())/1000, "ms-fastest")
}

// BenchmarkFirstPlan is what a command waits for that needs a plugin: from its
// file to its first plan, hash, handshake, probe and judgement included.
func BenchmarkFirstPlan(b *testing.B) {
	found := released(b)
	_, resolved := workspace(b)
	each(b, func() {
		p, err := Start(b.Context(), found, Options{})
		if err != nil {
			b.Fatal(err)
		}
		report, err := p.Probe(b.Context())
		if err == nil {
			_, err = p.Prepare(b.Context(), backend.Request{Policy: resolved, Facts: report.Facts})
		}
		if err != nil {
			b.Fatal(err)
		}
		p.Close()
	})
}

// BenchmarkWarmPlan is one more plan of a plugin that runs.
func BenchmarkWarmPlan(b *testing.B) {
	p, err := Start(b.Context(), released(b), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	report, err := p.Probe(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	_, resolved := workspace(b)
	each(b, func() {
		if _, err := p.Prepare(b.Context(), backend.Request{Policy: resolved, Facts: report.Facts}); err != nil {
			b.Fatal(err)
		}
	})
}
