// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/report"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// Config says what is judged, and how much of the table is run. Only Target is
// needed.
type Config struct {
	Target Target
	// Match selects cases whose id it matches, anywhere; "" is all.
	Match string
	// Guarantees selects the cases of these guarantees; the word "duty" stands
	// for the positive duties. Empty is all.
	Guarantees []string
	// Requirement selects the cases that weigh at least so much; "" is all.
	Requirement Requirement
	// Quick leaves out the cases that take long, and the open sandbox with many
	// commands. A quick run takes seconds and cannot show conformance.
	Quick bool
	// Parallel is how many cases run at once; 0 is twice the processors.
	Parallel int
	// CaseTimeout bounds each run of a case, Timeout all of them. What has no
	// time left is not run, and counted so. Zero means 15 s and 240 s.
	CaseTimeout, Timeout time.Duration
	// Work is the directory for workspaces, bait and the copy of the helper. It
	// must be readable inside, and is best outside of the temporary directories.
	// Empty means a place that usually is. What is made there is removed.
	Work string
	// Seed starts the random cases; 0 means a new one. The report names it.
	Seed uint64
	// Result is called with each result as it comes, never twice at once.
	Result func(report.Result)
}

// runner is one run of the suite.
type runner struct {
	Config
	target Target
	info   Info
	helper []string // command line of the helper, without its role
	work   string
	hangs  atomic.Int32
	// ownable says that the helper can own a sandbox of the target.
	ownable bool
}

// Run leads the target through the table. The error says why nothing could be
// judged at all; a target that does not work is a report full of errors.
func Run(ctx context.Context, c Config) (*report.Report, error) {
	if c.Target == nil {
		return nil, errors.New("conformance: Config.Target is not set")
	}
	cases, err := Select(c)
	if err != nil {
		return nil, err
	}
	c.CaseTimeout = orElse(c.CaseTimeout, 15*time.Second)
	c.Timeout = orElse(c.Timeout, 240*time.Second)
	c.Parallel = orElse(c.Parallel, 2*runtime.GOMAXPROCS(0))
	for c.Seed == 0 {
		c.Seed = rand.Uint64() >> 16
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	r := &runner{Config: c, target: c.Target}
	if r.work, err = workDir(c.Work); err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	defer removeAll(r.work)
	if r.helper, err = installHelper(r.work); err != nil {
		return nil, fmt.Errorf("conformance: the helper cannot be laid: %w", err)
	}
	rep := &report.Report{Schema: report.Schema, Date: time.Now().UTC().Truncate(time.Second), Host: report.ThisHost(), Seed: c.Seed}
	rep.Binary, _ = report.Hash(r.helper[0])
	if err := r.greetBare(ctx); err != nil {
		return nil, err
	}
	claims, trouble := r.greet(ctx)
	r.ownable = r.canOwn()
	rep.Target = report.Target{Name: r.info.Name, Version: r.info.Version, Kind: r.info.Kind, Notes: r.info.Notes}
	rep.Claims = claims
	started := time.Now()
	if trouble != nil {
		for _, one := range cases {
			res := r.result(one, Error, trouble.Error())
			rep.Results = append(rep.Results, res)
			r.tell(res)
		}
	} else {
		rep.Results = r.all(ctx, cases)
	}
	rep.Elapsed = time.Since(started).Milliseconds()
	rep.Complete = len(cases) == len(Cases())
	rep.Judge()
	return rep, nil
}

func orElse[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}

// Select returns the cases that a configuration asks for. The error says which
// field names something that does not exist, or that no case is left.
func Select(c Config) ([]Case, error) {
	match, err := regexp.Compile(c.Match)
	if err != nil {
		return nil, fmt.Errorf("conformance: Config.Match: %w", err)
	}
	for _, g := range c.Guarantees {
		if g != "duty" && !guarantee.Known(guarantee.ID(g)) {
			return nil, fmt.Errorf("conformance: no guarantee is called %q; `caisson conformance list` names them", g)
		}
	}
	weight := map[Requirement]int{"": 0, May: 1, Should: 2, Must: 3}
	if _, ok := weight[c.Requirement]; !ok {
		return nil, fmt.Errorf("conformance: no requirement is called %q; they are must, should, may", c.Requirement)
	}
	cases := slices.DeleteFunc(Cases(), func(one Case) bool {
		group := string(one.Guarantee)
		if one.Duty() {
			group = "duty"
		}
		return !match.MatchString(one.ID) || c.Quick && (one.slow || slices.Contains(one.Needs, NeedMany)) || weight[one.Requirement] < weight[c.Requirement] ||
			len(c.Guarantees) > 0 && !slices.Contains(c.Guarantees, group)
	})
	if len(cases) == 0 {
		return nil, fmt.Errorf("conformance: no case is selected")
	}
	return cases, nil
}

// all runs the cases, some side by side.
func (r *runner) all(ctx context.Context, cases []Case) []report.Result {
	results := make([]report.Result, len(cases))
	var told sync.Mutex
	one := func(i int) {
		res := r.one(ctx, cases[i])
		told.Lock()
		defer told.Unlock()
		results[i] = res
		r.tell(res)
	}
	var wait sync.WaitGroup
	slots := make(chan struct{}, r.Parallel)
	for i := range cases {
		slots <- struct{}{}
		wait.Go(func() { defer func() { <-slots }(); one(i) })
	}
	wait.Wait()
	return results
}

func (r *runner) tell(res report.Result) {
	if r.Config.Result != nil {
		r.Config.Result(res)
	}
}

func (r *runner) result(c Case, v Verdict, why string) report.Result {
	return report.Result{ID: c.ID, Title: c.Title, Guarantee: c.Guarantee, Requirement: string(c.Requirement),
		Clause: c.Clause, Meaning: c.Meaning, Verdict: v, Why: oneLine(why)}
}

// one runs one case in all its arms.
func (r *runner) one(ctx context.Context, c Case) report.Result {
	started := time.Now()
	verdict, why := r.judge(ctx, c)
	res := r.result(c, verdict, why)
	res.MS = time.Since(started).Milliseconds()
	return res
}

// hopeless is how many watchdogs may bark before the rest is not tried.
const hopeless = 8

func (r *runner) judge(ctx context.Context, c Case) (Verdict, string) {
	if why := missing(c.Needs, r.info.Has); why != "" {
		return NotApplicable, why
	}
	if r.hangs.Load() >= hopeless {
		return NotRun, "the target hung in too many cases before"
	}
	if ctx.Err() != nil {
		return NotRun, "the time of the run was over"
	}
	control := r.arm(ctx, c, bare)
	if v, why := judgeControl(c, control); v != "" {
		return v, why
	}
	arms := []arm{single}
	if slices.Contains(c.Needs, NeedMany) {
		arms = []arm{many}
	} else if slices.Contains(r.info.Has, NeedMany) && !c.once && !r.Quick {
		arms = append(arms, many)
	}
	verdict, why := NotApplicable, ""
	for _, a := range arms {
		t := r.arm(ctx, c, a)
		v, w := r.judgeArm(ctx, c, t)
		if rank(v) > rank(verdict) || why == "" {
			verdict, why = v, w
		}
	}
	return verdict, why
}

// rank orders verdicts: the worst of a case's arms is the case's.
func rank(v Verdict) int {
	return slices.Index([]Verdict{NotApplicable, Held, Pass, NotHeld, NotRun, Error, Fail}, v)
}

// judgeControl says what follows from the run without a sandbox; "" where the
// case can go on.
func judgeControl(c Case, t *T) (Verdict, string) {
	if t.skipped != "" {
		return NotApplicable, t.skipped
	}
	if len(t.trouble) > 0 {
		return Error, "without a sandbox: " + strings.Join(t.trouble, "; ")
	}
	if len(t.checks) == 0 {
		return Error, "without a sandbox: the case looked at nothing"
	}
	for _, k := range t.checks {
		if k.broken == c.Duty() {
			if c.hostMay {
				return NotApplicable, "this host refuses it without a sandbox too: " + t.last.Said()
			}
			if c.Duty() {
				return Error, "without a sandbox it does not work either: " + k.why
			}
			return Error, "the bait is broken: without a sandbox no harm was done (" + k.why + "); the helper's last failure: " + t.last.Said()
		}
	}
	return "", ""
}

func (r *runner) judgeArm(ctx context.Context, c Case, t *T) (Verdict, string) {
	_, claimed := t.claimed[c.Guarantee]
	claimed = claimed || c.Duty()
	switch {
	case t.refused: // the target refused by name
		if claimed {
			return Error, "it was refused though it is claimed: " + t.skipped
		}
		return NotHeld, "refused: " + t.skipped
	case t.skipped != "":
		return NotApplicable, t.skipped
	}
	for _, k := range t.checks {
		if k.broken {
			if claimed {
				return Fail, string(t.arm) + ": " + k.why
			}
			return NotHeld, string(t.arm) + ": " + k.why
		}
	}
	if len(t.trouble) > 0 {
		if ctx.Err() != nil {
			return NotRun, "the time of the run was over"
		}
		if c.Duty() {
			// Without a sandbox it worked, so the sandbox is what stands in its way.
			return Fail, string(t.arm) + ": " + strings.Join(t.trouble, "; ")
		}
		return Error, string(t.arm) + ": " + strings.Join(t.trouble, "; ")
	}
	if len(t.checks) == 0 {
		return Error, string(t.arm) + ": the case looked at nothing"
	}
	if claimed {
		return Pass, ""
	}
	return Held, "not claimed, and it held all the same"
}

// arm runs the body of a case once, under the watchdog.
func (r *runner) arm(ctx context.Context, c Case, a arm) *T {
	limit := r.CaseTimeout
	if r.hangs.Load() > 2 {
		limit = min(limit, 5*time.Second)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	t := &T{arm: a, c: &c, ctx: ctx, run: r, null: bareTarget{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.body()
	}()
	select {
	case <-done:
		return t
	case <-ctx.Done():
	}
	t.abort()
	select {
	case <-done:
		if a != bare && len(t.trouble) > 0 {
			r.hangs.Add(1)
			t.trouble = append([]string{fmt.Sprintf("it took longer than %v", limit)}, t.trouble...)
		}
		return t
	case <-time.After(3 * time.Second):
		// What hangs cannot be ended; it is left alone, and its T with it.
		r.hangs.Add(1)
		return &T{arm: a, c: &c, run: r, trouble: []string{fmt.Sprintf("it hung for more than %v, and could not be stopped", limit)}}
	}
}

// body runs the case and keeps its panics: those of T end it, others are
// trouble.
func (t *T) body() {
	defer func() {
		switch p := recover().(type) {
		case nil, stop:
		case refusal:
			t.refused = true
		default:
			t.trouble = append(t.trouble, fmt.Sprintf("panic: %v", p))
		}
		func() {
			defer func() {
				if p := recover(); p != nil {
					if _, ok := p.(stop); !ok {
						t.trouble = append(t.trouble, fmt.Sprintf("panic: %v", p))
					}
				}
			}()
			t.end()
		}()
		removeAll(t.dir)
	}()
	// Short, since the path of a socket may have about 100 bytes; one case runs
	// once in each arm.
	dir := filepath.Join(t.run.work, "c", t.c.ID+t.arm.letter())
	t.must(os.Mkdir(dir, 0o755))
	t.dir = dir
	t.Spec = Spec{Workspace: t.Dir(filepath.Join(dir, "ws")), Environ: os.Environ()}
	t.Dir(t.Out())
	t.c.run(t)
}
