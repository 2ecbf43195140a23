// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/backends/fake"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

var (
	update    = flag.Bool("update", false, "write docs/conformance/kills.md")
	onlyLeaks = flag.String("leaks", "", "judge the suite by the leaks whose names match alone, and do not compare the table")
)

const killsFile = "../docs/conformance/kills.md"

// bench is what judging many targets in one process needs.
type bench struct {
	work   string
	helper []string
}

func newBench(t *testing.T) bench {
	t.Helper()
	work, err := workDir("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(work) })
	helper, err := installHelper(work)
	if err != nil {
		t.Fatal(err)
	}
	return bench{work, helper}
}

// runner judges one target on the bench, in a directory of its own.
func (b bench) runner(t *testing.T, target Target, limit time.Duration) *runner {
	t.Helper()
	work, err := os.MkdirTemp(b.work, "")
	if err == nil {
		err = errors.Join(os.Chmod(work, 0o755), os.Mkdir(filepath.Join(work, "c"), 0o755))
	}
	if err != nil {
		t.Error(err)
	}
	r := &runner{Config: Config{Target: target, CaseTimeout: limit, Seed: 5}, target: target, work: work, helper: b.helper}
	r.info, _ = target.Info(context.Background())
	r.ownable = r.canOwn()
	return r
}

// verdict judges a case in one sandbox, without its control.
func (r *runner) verdict(ctx context.Context, c Case) (Verdict, string) {
	a := single
	if slices.Contains(c.Needs, NeedMany) {
		a = many
	}
	return r.judgeArm(ctx, c, r.arm(ctx, c, a))
}

// TestMutants judges the suite: a sandbox without any fault passes every case
// that applies, and each case fails where a sandbox has the fault that it looks
// for.
func TestMutants(t *testing.T) {
	b := newBench(t)
	applies, without := sound(t, b)
	if t.Failed() {
		t.FailNow()
	}
	kills := leaking(t, b, applies)
	if *onlyLeaks != "" || t.Failed() {
		return // nothing is to be written or compared that was not measured well
	}
	for _, c := range applies {
		if len(kills[c.ID]) == 0 {
			t.Errorf("%s (%s): no leak of backends/fake makes it fail; a case that nothing can make fail shows nothing", c.ID, c.Title)
		}
	}
	for _, l := range fake.Leaks() {
		// Where a case does not apply on this host, a leak may have no other.
		if !slices.ContainsFunc(applies, func(c Case) bool { return slices.Contains(kills[c.ID], l.Name) }) && !shownBy(l, without) {
			t.Errorf("no case notices the leak %s: a sandbox that %s", l.Name, l.What)
		}
	}
	compareKills(t, applies, without, kills)
}

// shownBy reports whether the committed table says that one of some cases
// notices a leak, or knows nothing of them.
func shownBy(l fake.Leak, cases []Case) bool {
	rows := committedRows()
	return slices.ContainsFunc(cases, func(c Case) bool {
		row, known := rows[c.ID]
		return c.Guarantee == l.Guarantee && (!known || row == unknownRow || slices.Contains(strings.Split(row, ", "), l.Name))
	})
}

// sound judges the fake sandbox without any leak, and returns the cases that
// apply on this host, and the others.
func sound(t *testing.T, b bench) (applies, without []Case) {
	t.Helper()
	target, err := newFakeTarget()
	if err != nil {
		t.Fatal(err)
	}
	defer target.remove()
	r := b.runner(t, target, time.Minute)
	var mu sync.Mutex
	each(Cases(), func(c Case) {
		v, why := r.judge(t.Context(), c)
		mu.Lock()
		defer mu.Unlock()
		switch v {
		case Pass:
			applies = append(applies, c)
		case NotApplicable:
			t.Logf("%s is not applicable: %s", c.ID, why)
			without = append(without, c)
		default:
			t.Errorf("%s (%s): a sandbox without any fault gets %s: %s", c.ID, c.Title, v, why)
		}
	})
	return applies, without
}

// leaking judges the fake sandbox with each leak, by the cases of the leak's
// guarantee, and returns the leaks that each case noticed.
func leaking(t *testing.T, b bench, applies []Case) map[string][]string {
	t.Helper()
	var mu sync.Mutex
	kills := map[string][]string{}
	only, err := regexp.Compile(*onlyLeaks)
	if err != nil {
		t.Fatal(err)
	}
	each(fake.Leaks(), func(l fake.Leak) {
		if !only.MatchString(l.Name) {
			return
		}
		target, err := newFakeTarget(l.Name)
		if err != nil {
			t.Error(err)
			return
		}
		defer target.remove()
		limit := time.Minute // a busy machine must not be taken for a leak
		if slices.Contains(hanging(), l.Name) {
			limit = 8 * time.Second // these make cases hang, some of which wait for 5 s themselves
		}
		r := b.runner(t, target, limit)
		for _, c := range applies {
			if c.Guarantee != l.Guarantee || l.Guarantee == "" && !slices.ContainsFunc(breaks(l.Name), func(p string) bool { return strings.HasPrefix(c.ID, p) }) {
				continue
			}
			started := time.Now()
			v, why := r.verdict(t.Context(), c)
			if testing.Verbose() {
				t.Logf("%s %s: %s in %v: %s", l.Name, c.ID, v, time.Since(started), why)
			}
			switch {
			case v == Fail, v == Error && c.Duty():
				mu.Lock()
				kills[c.ID] = append(kills[c.ID], l.Name)
				mu.Unlock()
			case v == Error:
				t.Errorf("%s with the leak %s is no verdict: %s", c.ID, l.Name, why)
			}
		}
	})
	for _, names := range kills {
		slices.Sort(names)
	}
	return kills
}

// hanging are the leaks that make cases hang. Which of them then fail, and which
// pass just in time, depends on how busy the machine is.
func hanging() []string {
	return []string{"duty.held-input", "duty.deaf-reader", "duty.background", "duty.close-waits", "duty.no-terminal"}
}

// settled are the leaks of a row that do not depend on time.
func settled(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(hanging(), n) })
}

// breaks says by what the ids of the duties begin that a leak may break: that
// is where it is looked for.
func breaks(leak string) []string {
	name := strings.TrimPrefix(leak, "duty.")
	var all []string
	for ids, names := range map[string][]string{
		"read-": {"read-outside", "read-protected", "read-links", "home", "no-children"},
		"work-": {"workspace", "metadata", "renames", "links", "removals", "mappings", "nodes", "long-paths", "names", "second-root",
			"beside-protected", "large-files", "tools", "temporary", "callers-temporary", "devices", "no-sockets", "no-loopback"},
		"stream-":   {"truncated", "truncated-input", "merged", "held-input", "rewound", "banner", "deaf-reader"},
		"command-0": {"status-lost", "status-one", "signal-status", "no-forwarding", "joined", "few-arguments", "options"},
		"command-1": {"directory", "options", "no-environment", "no-children", "few-children", "no-signals", "no-tracing", "absent-command"},
		"terminal-": {"no-terminal", "no-size", "background"},
		"open-":     {"second-command", "tmp-per-command", "loopback-per-command", "signals-per-command", "ends-all", "close-waits"},
	} {
		if slices.Contains(names, name) {
			all = append(all, ids)
		}
	}
	return all
}

// each calls f for all of a list, some at a time.
func each[E any](list []E, f func(E)) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, 3*runtime.GOMAXPROCS(0))
	for _, e := range list {
		slots <- struct{}{}
		wait.Go(func() { defer func() { <-slots }(); f(e) })
	}
	wait.Wait()
}

// unknownRow stands in the table for a case that did not apply where it was
// made.
const unknownRow = "(not applicable where this table was made)"

// committedRows are the leaks in the committed table, by case.
func committedRows() map[string]string {
	text, _ := os.ReadFile(killsFile)
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && !strings.Contains(cells[1], ".") {
			rows[strings.TrimSpace(cells[1])] = strings.TrimSpace(cells[3])
		}
	}
	return rows
}

// compareKills compares with the committed table, which was made by root on
// Linux; elsewhere fewer leaks can be told.
func compareKills(t *testing.T, applies, without []Case, kills map[string][]string) {
	t.Helper()
	if *update {
		for _, c := range without {
			kills[c.ID] = []string{unknownRow}
		}
		if err := os.MkdirAll(filepath.Dir(killsFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(killsFile, []byte(killsTable(kills)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	rows := committedRows()
	for _, c := range applies {
		row, ok := rows[c.ID]
		want, got := settled(strings.Split(row, ", ")), settled(kills[c.ID])
		if !ok || runtime.GOOS == "linux" && os.Geteuid() == 0 && row != unknownRow && !slices.Equal(want, got) {
			t.Errorf("%s: %s has %q and this run %q; write it anew with: go test ./conformance -run TestMutants -update", c.ID, killsFile, row, got)
		}
	}
}

func killsTable(kills map[string][]string) string {
	var b strings.Builder
	b.WriteString("# What each case of the suite can notice\n\n" +
		"This table is made by a test: `go test ./conformance -run TestMutants -update`,\nas root on Linux. It is not written by hand.\n\n" +
		"The suite is itself judged with a sandbox that confines without any kernel\n(`backends/fake`) and has a switch for each way to get a sandbox wrong. Without a\nleak it passes every case; the table lists the leaks that make a case fail. A\ncase that no leak makes fail fails the test. Only leaks of a case's own guarantee\nare tried on it.\n\n" +
		"| Case | What it tries | Leaks that it notices |\n|---|---|---|\n")
	for _, c := range Cases() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.ID, c.Title, strings.Join(kills[c.ID], ", "))
	}
	b.WriteString("\n## The leaks\n\n| Leak | A sandbox that | Breaks |\n|---|---|---|\n")
	for _, l := range fake.Leaks() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", l.Name, l.What, orElse(string(l.Guarantee), "a duty"))
	}
	return b.String()
}

// nullTarget is no sandbox, and claims to be the best.
type nullTarget struct{ bareTarget }

func (nullTarget) Info(context.Context) (Info, error) { return Info{Name: "null", Kind: "wrap"}, nil }

func (t nullTarget) Open(ctx context.Context, s Spec) (Sandbox, error) {
	sb, err := t.bareTarget.Open(ctx, s)
	bare := sb.(commandSandbox)
	bare.claims = guarantee.Set{}
	for _, i := range guarantee.All() {
		bare.claims[i.ID] = guarantee.Claim{}
	}
	return bare, err
}

// TestNull shows that no sandbox at all fails whatever forbids something, and
// is in nobody's way.
func TestNull(t *testing.T) {
	t.Parallel()
	rep, err := Run(t.Context(), Config{Target: nullTarget{}})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Conformant {
		t.Error("it is conformant")
	}
	for _, r := range rep.Results {
		want := Fail
		if r.Guarantee == "" {
			want = Pass
		}
		if r.Verdict != want && r.Verdict != NotApplicable {
			t.Errorf("%s (%s) is %s instead of %s: %s", r.ID, r.Title, r.Verdict, want, r.Why)
		}
	}
}
