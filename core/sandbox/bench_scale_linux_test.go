// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// BenchmarkRepositories measures `caisson run` in a workspace that holds so many
// git repositories, each a directory of its own, as a ratio to a plain start.
func BenchmarkRepositories(b *testing.B) {
	child, caisson := buildChild(b), build(b, "caisson")
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("repositories=%d", n), func(b *testing.B) {
			dir := workspace(b, 2, 10)
			for i := range n - 1 {
				if out, err := exec.Command("git", "init", "-q", filepath.Join(dir, fmt.Sprintf("r%d", i))).CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
			}
			benchCLI(b, spawner(b, dir, os.Environ()), child, caisson, dir)
		})
	}
}

// BenchmarkMounts measures `caisson run` where the host has so many mounts more,
// as a ratio to a plain start there. It needs root.
func BenchmarkMounts(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("only root can mount")
	}
	child, caisson := buildChild(b), build(b, "caisson")
	dir := workspace(b, 2, 10)
	for _, n := range []int{0, 100, 1000} {
		b.Run(fmt.Sprintf("mounts=%d", n), func(b *testing.B) {
			// The thread has mounts of its own, which end with it and which what it
			// starts inherits.
			runtime.LockOSThread()
			err := unix.Unshare(unix.CLONE_NEWNS)
			if err == nil {
				err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
			}
			for i := range n {
				at := filepath.Join(filepath.Dir(dir), "mounts", fmt.Sprint(i))
				if err == nil {
					err = os.MkdirAll(at, 0o755)
				}
				if err == nil {
					err = unix.Mount(at, at, "", unix.MS_BIND, "")
				}
			}
			if err != nil {
				b.Skip(err)
			}
			benchCLI(b, spawner(b, dir, os.Environ()), child, caisson, dir)
		})
	}
}

func benchCLI(b *testing.B, spawn func(string, ...string) func() error, child, caisson, dir string) {
	var plain, cli []time.Duration
	for b.Loop() {
		plain = append(plain, took(b, spawn(child)))
		cli = append(cli, took(b, spawn(caisson, "run", "-w", dir, "--", child)))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ratio(cli, plain), "cli/plain")
}

func took(b *testing.B, f func() error) time.Duration {
	start := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// BenchmarkWork measures what tools take over 20,000 files inside, as further
// commands of an open sandbox, as a ratio to the same outside; in turn, medians.
// The launch of the command is part of it.
func BenchmarkWork(b *testing.B) {
	dir := workspace(b, 2, 0)
	for i := range 20000 {
		name := filepath.Join(dir, fmt.Sprintf("d%d/e%d/f%d.txt", i/1000, i/100%10, i))
		if i%100 == 0 {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(name, fmt.Appendf(nil, "file %d\n%01000d\n", i, i), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	goProgram(b, dir)
	script(b, dir, "git config user.email t@example.org && git config user.name T && git config gc.auto 0 && git add . && git commit -q -m all")
	search := "grep -rc needle . | tail -n 1"
	if _, err := exec.LookPath("rg"); err == nil {
		search = "! rg -q needle ."
	}
	for _, w := range []struct{ name, script string }{
		{"git-status", "git status --porcelain >/dev/null"},
		{"find", "find . -type f -size +1M"},
		{"search", search},
		{"go-build", "date +%N >tool/changed.txt && go build -o tool/out ./tool"},
		{"forks", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do /bin/true; done"},
	} {
		b.Run(w.name, func(b *testing.B) { benchWork(b, dir, w.script) })
	}
}

func benchWork(b *testing.B, dir, text string) {
	sb, err := sandbox.Open(context.Background(), policy.Standard(dir), nil)
	if err != nil {
		b.Skip(err)
	}
	defer sb.Close()
	inside := func() error {
		cmd := sb.Command(context.Background(), "/bin/sh", "-c", text)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("inside: %w: %s", err, out)
		}
		return nil
	}
	outside := func() error { return runScript(dir, text) }
	for _, warm := range []func() error{inside, outside} {
		took(b, warm)
	}
	var in, out []time.Duration
	for b.Loop() {
		out = append(out, took(b, outside))
		in = append(in, took(b, inside))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(out).Microseconds())/1000, "outside-ms")
	b.ReportMetric(ratio(in, out), "inside/outside")
}

func script(b *testing.B, dir, text string) {
	b.Helper()
	if err := runScript(dir, text); err != nil {
		b.Fatal(err)
	}
}

func runScript(dir, text string) error {
	cmd := exec.Command("/bin/sh", "-c", text)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// goProgram writes a program that embeds a file, so that each build compiles
// and links it anew.
func goProgram(b *testing.B, dir string) {
	for name, text := range map[string]string{
		"go.mod":           "module example.org/work\n\ngo 1.21\n",
		"tool/changed.txt": "0",
		"tool/main.go":     "package main\n\nimport (\n\t_ \"embed\"\n\t\"fmt\"\n)\n\n//go:embed changed.txt\nvar changed string\n\nfunc main() { fmt.Println(changed) }\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRate measures how many launches there are a second, with two at once
// for each processor: plain starts, `caisson run`, and bubblewrap where it is
// installed, in turns of a hundred.
func BenchmarkRate(b *testing.B) {
	const turn = 100
	child, caisson := buildChild(b), build(b, "caisson")
	dir := workspace(b, 2, 10)
	spawn := spawner(b, dir, os.Environ())
	kinds := []struct {
		unit  string
		start func() error
	}{{"plain/s", spawn(child)}, {"cli/s", spawn(caisson, "run", "-w", dir, "--", child)}}
	if bwrap := bubblewrap(dir); bwrap != nil {
		kinds = append(kinds, struct {
			unit  string
			start func() error
		}{"bwrap/s", spawn(bwrap[0], append(bwrap[1:], child)...)})
	}
	times := make([][]time.Duration, len(kinds))
	for b.Loop() {
		for i, k := range kinds {
			times[i] = append(times[i], took(b, func() error { return together(turn, k.start) }))
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, k := range kinds {
		b.ReportMetric(turn/median(times[i]).Seconds(), k.unit)
	}
}

// together calls a function n times, two at once for each processor, and returns
// one of its errors.
func together(n int, start func() error) error {
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	wrong := make(chan error, 2*runtime.NumCPU())
	for range 2 * runtime.NumCPU() {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := start(); err != nil {
					wrong <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(wrong)
	return <-wrong
}
