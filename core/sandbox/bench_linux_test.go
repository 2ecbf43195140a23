// SPDX-License-Identifier: Apache-2.0

package sandbox_test

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

// BenchmarkLaunch measures what docs/benchmarks.md reports: launches of a
// static child, each as a ratio to a plain fork and exec of the same child,
// interleaved in one run, medians. Absolute times are not comparable between
// machines; the ratios are.
func BenchmarkLaunch(b *testing.B) {
	child, caisson := buildChild(b), build(b, "caisson")
	for _, held := range []int{2, 6} {
		b.Run(fmt.Sprintf("held=%d", held), func(b *testing.B) {
			benchLaunch(b, child, caisson, workspace(b, held, 10))
		})
	}
	for _, files := range []int{1000, 50000} {
		b.Run(fmt.Sprintf("files=%d", files), func(b *testing.B) {
			benchLaunch(b, child, caisson, workspace(b, 2, files))
		})
	}
}

func benchLaunch(b *testing.B, child, caisson, dir string) {
	ctx := context.Background()
	var plain, open, next, cli, peer []time.Duration
	take := func(into *[]time.Duration, f func() error) {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		*into = append(*into, time.Since(start))
	}
	spawn := spawner(b, dir, os.Environ())
	bwrap := bubblewrap(dir)
	for b.Loop() {
		take(&plain, spawn(child))
		var sb *sandbox.Sandbox
		take(&open, func() error {
			var err error
			if sb, err = sandbox.Open(ctx, policy.Standard(dir), nil); err != nil {
				return err
			}
			return sb.Command(ctx, child).Run()
		})
		take(&next, func() error { return sb.Command(ctx, child).Run() })
		if err := sb.Close(); err != nil {
			b.Fatal(err)
		}
		take(&cli, spawn(caisson, "run", "-w", dir, "--", child))
		if bwrap != nil {
			take(&peer, spawn(bwrap[0], append(bwrap[1:], child)...))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(plain).Microseconds()), "plain-µs")
	b.ReportMetric(ratio(open, plain), "open+first/plain")
	b.ReportMetric(ratio(next, plain), "next/plain")
	b.ReportMetric(ratio(cli, plain), "cli/plain")
	if bwrap != nil {
		b.ReportMetric(ratio(peer, plain), "bwrap/plain")
	}
}

// bubblewrap is a command line that has bubblewrap write in a directory alone
// and have no network: what its users ask of it, and a part of what caisson
// does. It is nil where bubblewrap is not installed or does not work.
func bubblewrap(dir string) []string {
	path, err := exec.LookPath("bwrap")
	if err != nil {
		return nil
	}
	line := []string{path, "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--bind", dir, dir, "--"}
	if exec.Command(path, append(line[1:], "/bin/true")...).Run() != nil {
		return nil
	}
	return line
}

// BenchmarkListed measures a launch with the proxy of the mode allowlist against
// one that is offline, in turn: opening, the first command, and closing.
func BenchmarkListed(b *testing.B) {
	child, dir := buildChild(b), workspace(b, 2, 10)
	listed := policy.Standard(dir)
	listed.Network.Mode, listed.Network.Allow = policy.Allowlist, []string{"example.org:443"}
	run := func(p policy.Policy) time.Duration {
		start := time.Now()
		sb, err := sandbox.Open(context.Background(), p, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := sb.Command(context.Background(), child).Run(); err != nil {
			b.Fatal(err)
		}
		if err := sb.Close(); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	var offline, list []time.Duration
	for b.Loop() {
		offline = append(offline, run(policy.Standard(dir)))
		list = append(list, run(listed))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ratio(list, offline), "listed/offline")
}

// spawner returns what starts a program in a directory and waits for it to end
// well.
func spawner(b *testing.B, dir string, environ []string) func(string, ...string) func() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { null.Close() })
	return func(name string, args ...string) func() error {
		return func() error {
			fd := null.Fd()
			pid, err := syscall.ForkExec(name, append([]string{name}, args...), &syscall.ProcAttr{Dir: dir, Env: environ, Files: []uintptr{fd, fd, fd}})
			if err != nil {
				return err
			}
			var status syscall.WaitStatus
			if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
				return err
			}
			if status != 0 {
				return fmt.Errorf("%s: status %#x", name, status)
			}
			return nil
		}
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func ratio(d, base []time.Duration) float64 { return float64(median(d)) / float64(median(base)) }

// workspace makes a directory with files in it, in which so many of the names
// that the standard policy holds are absent.
func workspace(b *testing.B, held, files int) string {
	root, err := os.MkdirTemp("/var", "caisson-bench-")
	if err != nil {
		root = b.TempDir()
	} else {
		b.Cleanup(func() { os.RemoveAll(root) })
	}
	dir := filepath.Join(root, "work")
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		b.Skipf("git init: %v: %s", err, out)
	}
	for _, name := range []string{".mcp.json", ".claude", ".codex", ".cursor"}[held-2:] {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, ".git/modules"), 0o755); err != nil {
		b.Fatal(err)
	}
	for i := range files {
		sub := filepath.Join(dir, fmt.Sprintf("d%d", i/500))
		if i%500 == 0 {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%d", i)), nil, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

func buildChild(b *testing.B) string {
	dir, err := os.MkdirTemp("/var", "caisson-bench-")
	if err != nil {
		b.Skipf("no directory outside /tmp: %v", err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.WriteFile(dir+"/child.c", []byte("int main(void) { return 0; }\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-static", "-O1", "-o", dir+"/child", dir+"/child.c").CombinedOutput(); err != nil {
		b.Skipf("a static child needs gcc: %v: %s", err, out)
	}
	return dir + "/child"
}

// build builds a program of this repository as it is released.
func build(b *testing.B, program string) string {
	out := filepath.Join(b.TempDir(), program)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "github.com/caisson-sandbox/caisson/cmd/"+program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build: %v: %s", err, text)
	}
	return out
}
