// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// BenchmarkMemory is what a plugin holds that has described itself, probed and
// planned once for each round: caisson-backend-bwrap, built as it is released.
// In megabytes, it reports what is resident, and what of it is the process's own
// (MB-own). The rest are unchanged pages of its file: the kernel has them since
// the file was hashed, shares them, and drops them where it needs room.
func BenchmarkMemory(b *testing.B) {
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
	for b.Loop() {
		if _, err := p.Prepare(b.Context(), backend.Request{Policy: resolved, Facts: report.Facts}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(memoryOf(b, p, "VmRSS"), "MB-resident")
	b.ReportMetric(memoryOf(b, p, "RssAnon"), "MB-own")
}

// released is caisson-backend-bwrap, built as it is released, and trusted.
func released(b *testing.B) registry.Plugin {
	b.Helper()
	file := filepath.Join(b.TempDir(), "caisson-backend-bwrap")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "../../cmd/caisson-backend-bwrap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build: %v: %s", err, text)
	}
	r := registry.Registry{StateDir: b.TempDir()}
	found, err := r.At(file)
	if err == nil {
		found, err = r.Trust(found, nil, time.Now())
	}
	if err != nil {
		b.Fatal(err)
	}
	return found
}

// memoryOf reads one line of /proc/PID/status, see proc_pid_status(5), in
// megabytes.
func memoryOf(b *testing.B, p *Plugin, name string) float64 {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", p.client.ID(), "status"))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name+":" {
			kb, err := strconv.Atoi(f[1])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kb) / 1024
		}
	}
	b.Fatalf("the kernel says nothing of %s", name)
	return 0
}
