// SPDX-License-Identifier: Apache-2.0

package host

import (
	"testing"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// benchShelf installs the plugin that plans.
func benchShelf(b *testing.B) registry.Plugin {
	b.Helper()
	found, err := shelf(b, "good-bench").Find("good-bench")
	if err != nil {
		b.Fatal(err)
	}
	return found
}

// BenchmarkFirstPlan is what a command waits for that needs a plugin: from its
// file to its first plan, hash, handshake and judgement included.
func BenchmarkFirstPlan(b *testing.B) {
	found := benchShelf(b)
	_, resolved := workspace(b)
	for b.Loop() {
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
	}
}

// BenchmarkWarmPlan is one more plan of a plugin that runs.
func BenchmarkWarmPlan(b *testing.B) {
	p, err := Start(b.Context(), benchShelf(b), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	report, err := p.Probe(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	_, resolved := workspace(b)
	for b.Loop() {
		if _, err := p.Prepare(b.Context(), backend.Request{Policy: resolved, Facts: report.Facts}); err != nil {
			b.Fatal(err)
		}
	}
}
