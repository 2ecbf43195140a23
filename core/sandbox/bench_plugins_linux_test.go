// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkBesidePlugins shows what plugins cost a `caisson run` that needs
// none: nothing. It is run where there are no plugins (alone), beside a
// companion and a trusted plugin that would leave a mark if they were started
// (beside), and as the companion, in which the hosting of plugins is linked
// (linked). Each is a ratio to a plain start of the same child, in turn in one
// run, medians.
func BenchmarkBesidePlugins(b *testing.B) {
	child, lean, full := buildChild(b), build(b, "caisson"), build(b, "caisson-full")
	dir := workspace(b, 2, 10)
	root := filepath.Dir(dir)
	started := filepath.Join(root, "started")
	install := func(name string) (program string, environ []string) {
		program = filepath.Join(root, name, "bin/caisson")
		if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
			b.Fatal(err)
		}
		text, err := os.ReadFile(lean)
		if err == nil {
			err = os.WriteFile(program, text, 0o755)
		}
		if err != nil {
			b.Fatal(err)
		}
		home := filepath.Join(root, name, "home")
		if err := os.MkdirAll(home, 0o755); err != nil {
			b.Fatal(err)
		}
		return program, append(os.Environ(), "HOME="+home, "XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
	}
	alone, aloneEnv := install("alone")
	beside, besideEnv := install("beside")
	trap := []byte("#!/bin/sh\necho $0 >> " + started + "\n")
	plugin := filepath.Join(filepath.Dir(beside), "caisson-backend-trap")
	for _, file := range []string{filepath.Join(filepath.Dir(beside), "caisson-full"), plugin} {
		if err := os.WriteFile(file, trap, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	must := func(f func() error) {
		b.Helper()
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	must(spawner(b, dir, besideEnv)(beside, "plugin", "trust", plugin))
	run := func(program string, environ []string, more ...string) func() error {
		args := append([]string{"run", "-w", dir}, more...)
		return spawner(b, dir, environ)(program, append(args, "--", child)...)
	}
	// The trap springs where a plugin is asked for.
	must(run(beside, besideEnv, "--plugin", plugin))
	if text, err := os.ReadFile(started); err != nil || len(text) == 0 {
		b.Fatalf("the companion that was asked for was not noticed: %q, %v", text, err)
	}
	must(func() error { return os.Remove(started) })

	arms := []struct {
		name  string
		start func() error
		took  []time.Duration
	}{
		{name: "plain", start: spawner(b, dir, os.Environ())(child)},
		{name: "alone", start: run(alone, aloneEnv)},
		{name: "beside", start: run(beside, besideEnv)},
		{name: "linked", start: run(full, aloneEnv)},
	}
	for b.Loop() {
		for i := range arms {
			from := time.Now()
			must(arms[i].start)
			arms[i].took = append(arms[i].took, time.Since(from))
		}
	}
	if text, err := os.ReadFile(started); err == nil {
		b.Fatalf("it was started though no plugin is needed: %s", text)
	}
	b.ReportMetric(0, "ns/op")
	for _, a := range arms[1:] {
		b.ReportMetric(ratio(a.took, arms[0].took), fmt.Sprintf("%s/plain", a.name))
	}
}
