// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// BenchmarkCommand measures a static child as a command of an open sandbox: in
// the library and through caisson serve as its client sees it; each as a ratio to a plain fork and exec of the same child, interleaved in
// one run, medians.
func BenchmarkCommand(b *testing.B) {
	child := buildChild(b)
	dir := workspace(b)
	sb, err := sandbox.Open(context.Background(), policy.Standard(dir), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer sb.Close()
	s := startServer(b, program(), nil)
	id := s.open(b, dir)

	var plain, library, served []time.Duration
	take := func(into *[]time.Duration, f func() error) {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		*into = append(*into, time.Since(start))
	}
	for b.Loop() {
		take(&plain, func() error { return fork(child, dir) })
		take(&library, func() error { return sb.Command(context.Background(), child).Run() })
		take(&served, func() error {
			var started struct {
				Command string `json:"command"`
			}
			if err := s.client.Call("command.start", map[string]any{"sandbox": id, "argv": []string{child}}, &started); err != nil {
				return err
			}
			return s.client.Call("command.wait", started, nil)
		})
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(plain).Microseconds()), "plain-µs")
	b.ReportMetric(ratio(library, plain), "library/plain")
	b.ReportMetric(ratio(served, plain), "serve/plain")
}

// fork runs a program as a plain child.
func fork(path, dir string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	fd := null.Fd()
	pid, err := syscall.ForkExec(path, []string{path}, &syscall.ProcAttr{Dir: dir, Env: os.Environ(), Files: []uintptr{fd, fd, fd}})
	if err != nil {
		return err
	}
	var status syscall.WaitStatus
	if _, err = syscall.Wait4(pid, &status, 0, nil); err == nil && status != 0 {
		err = fmt.Errorf("status %#x", status)
	}
	return err
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func ratio(d, base []time.Duration) float64 { return float64(median(d)) / float64(median(base)) }

func buildChild(b *testing.B) string {
	path := filepath.Join(os.Getenv(base), "child")
	if err := os.WriteFile(path+".c", []byte("int main(void) { return 0; }\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-static", "-O1", "-o", path, path+".c").CombinedOutput(); err != nil {
		b.Skipf("a static child needs gcc: %v: %s", err, out)
	}
	return path
}
