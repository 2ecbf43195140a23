// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// workspace makes a workspace with something hidden, and its policy.
func workspace(t testing.TB) (string, *policy.Resolved) {
	t.Helper()
	dir := t.TempDir()
	work := filepath.Join(dir, "w")
	for _, d := range []string{work, filepath.Join(dir, "hidden")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	wanted := policy.Standard(work)
	wanted.Files.Hide = []string{filepath.Join(dir, "hidden")}
	wanted.Env.Set = map[string]string{"SET_BY_POLICY": "1"}
	r, _, err := wanted.Resolve(policy.OSHost())
	if err != nil {
		t.Fatal(err)
	}
	return work, r
}

func start(t *testing.T, name string, o Options) (*Plugin, error) {
	t.Helper()
	found, err := shelf(t, name).Find(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), found, o)
	if err == nil {
		t.Cleanup(func() { p.Close() })
	}
	return p, err
}

// TestGood goes through the life of a plugin that does what it should: what it
// says arrives, its rank is bounded, its logs are escaped, and nothing is left.
func TestGood(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var lines []string
	p, err := start(t, "good", Options{Reserved: []string{"linux/namespaces"}, Log: func(s string) {
		mu.Lock()
		lines = append(lines, s)
		mu.Unlock()
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := good("good")
	want.Answer.Rank = MaxRank
	if !reflect.DeepEqual(p.Info(), want.Answer) {
		t.Errorf("info %+v", p.Info())
	}
	report, err := p.Probe(t.Context())
	if err != nil || !reflect.DeepEqual(report, want.Report) {
		t.Errorf("report %+v, %v", report, err)
	}
	_, resolved := workspace(t)
	// The program of its plan does not exist: that is judged here, and its
	// refusal is the plan's, not the connection's.
	if _, err := p.Prepare(t.Context(), backend.Request{Policy: resolved, Facts: report.Facts}); code(err) != diag.PluginUnsafe {
		t.Errorf("prepare: %v", err)
	}
	pid := p.client.ID()
	dir := p.socket.path
	if _, err := os.Stat("/proc/" + pid); err == nil {
		t.Error("the plugin still runs after its failure")
	}
	p.Close()
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is left", dir)
	}
	if _, err := p.Probe(t.Context()); code(err) != diag.PluginUnsafe {
		t.Errorf("a call after the end: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if text := strings.Join(lines, "\n"); !strings.Contains(text, `plugin good: warn: hello \x1b[2J key=va lue`) || strings.Contains(text, "\x1b") {
		t.Errorf("logs %q", lines)
	}
}

func code(err error) diag.Code {
	if d, ok := errors.AsType[*diag.Diagnostic](err); ok {
		return d.Code
	}
	return ""
}

// TestRefusalsPass: what a backend refuses arrives as it said it.
func TestRefusalsPass(t *testing.T) {
	t.Parallel()
	p, err := start(t, "good-refuses", Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, resolved := workspace(t)
	_, err = p.Prepare(t.Context(), backend.Request{Policy: resolved, Facts: []byte(`{}`)})
	d, ok := errors.AsType[*diag.Diagnostic](err)
	if !ok || d.Code != diag.ModeUnsupported || d.Message != "no such mode" || d.Remedy != "use another" {
		t.Errorf("%v", err)
	}
	if _, err := p.Probe(t.Context()); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
}

// TestCancelled: a caller that goes away does not make the plugin a failed one
// in its eyes, and nothing hangs.
func TestCancelled(t *testing.T) {
	t.Parallel()
	p, err := start(t, "hang-probe", Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := p.Probe(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := Start(ctx, p.plugin, Options{}); err == nil {
		t.Error("a start with a context that is done")
	}
}

// TestJudgeAccepts: the lies of the table below are refused for their lie, not
// for what they share with this plan.
func TestJudgeAccepts(t *testing.T) {
	t.Parallel()
	work, resolved := workspace(t)
	found, err := shelf(t, "good-plans").Find("good-plans")
	if err == nil {
		err = os.WriteFile(found.Path+".told", []byte(work), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), found, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	report, err := p.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	made, err := p.Prepare(t.Context(), backend.Request{Policy: resolved, Facts: report.Facts})
	if err != nil {
		t.Fatal(err)
	}
	wrap, ok := made.Wrapped()
	if !ok || wrap.Programs[0].Path != "/usr/bin/env" || wrap.Programs[0].SHA256 != "" {
		t.Errorf("%+v", made.Steps)
	}
	if wrap.Programs[1].SHA256 != p.plugin.SHA256 {
		t.Errorf("the plugin as its own wrapper has the hash %q", wrap.Programs[1].SHA256)
	}
	if made.Steps[0].Name() != "hold" || made.Steps[1].Name() != "watch" {
		t.Errorf("%+v", made.Steps)
	}
	if len(made.Env) != 1 || made.Env[0] != (plan.EnvEdit{Name: "TMPDIR", Value: "/tmp"}) {
		t.Errorf("%+v", made.Env)
	}
}
