// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/kernels/wire"
	"github.com/caisson-sandbox/caisson/conformance/report"
)

// result is what came of a cell. Report is nil where no backend could be used.
type result struct {
	Cell   string         `json:"cell"`
	Date   time.Time      `json:"date"`
	Run    wire.Outcome   `json:"run"`    // a standard run
	Weaker wire.Outcome   `json:"weaker"` // the same with what it names given up
	Report *report.Report `json:"report"`
	Limits *wire.Outcome  `json:"limits,omitempty"` // the tests of limits
}

// newResult reads the outcomes of a cell's steps.
func newResult(c cell, outcomes []wire.Outcome) (result, error) {
	r := result{Cell: c.String(), Date: time.Now().UTC().Truncate(time.Second)}
	by := map[string]wire.Outcome{}
	for _, o := range outcomes {
		by[o.Name] = o
	}
	for _, name := range []string{stepBackends, stepRun, stepWeaker, stepSuite} {
		if _, ok := by[name]; !ok {
			return r, fmt.Errorf("the step %q has no outcome", name)
		}
	}
	if c.backend != "" && !strings.Contains(by[stepBackends].Stdout, `"`+c.backend+`"`) {
		return r, errAbsent
	}
	r.Run, r.Weaker = by[stepRun], by[stepWeaker]
	if c.limits() {
		limits, ok := by[stepLimits]
		if !ok {
			return r, fmt.Errorf("the step %q has no outcome", stepLimits)
		}
		r.Limits = &limits
	}
	suite := by[stepSuite]
	if suite.Stdout == "" {
		if suite.Exit != 0 && strings.Contains(suite.Stderr, "no backend can be used on this host") {
			return r, nil
		}
		return r, fmt.Errorf("the suite said nothing, its status is %d: %s", suite.Exit, suite.Stderr)
	}
	rep, err := report.Decode("the suite's report", []byte(suite.Stdout))
	if err != nil {
		return r, fmt.Errorf("%w; its status is %d: %s", err, suite.Exit, suite.Stderr)
	}
	// A guest's system is called after its situation; this host's is not.
	if c.docker && c.latest == "" {
		rep.Host.System += ", " + c.title
	}
	r.Report = rep
	return r, nil
}

// refused reports whether the standard run was refused before it began.
func (r result) refused() bool { return r.Run.Exit == 125 }

// complaint says what is wrong with a result: a broken claim, a case that could
// not be judged, or a standard run that neither worked nor was refused with a
// remedy.
func (r result) complaint() error {
	var all error
	switch {
	case r.Run.Exit == 0:
	case !r.refused():
		all = fmt.Errorf("the standard run ended with %d: %s", r.Run.Exit, r.Run.Stderr)
	case !strings.Contains(r.Run.Stderr, "; "):
		all = fmt.Errorf("the standard run was refused without a remedy: %s", r.Run.Stderr)
	}
	if l := r.Limits; l != nil && (l.Exit != 0 || strings.Contains(l.Stdout, "--- SKIP")) {
		all = errors.Join(all, fmt.Errorf("the tests of limits: %s%s", l.Stdout, l.Stderr))
	}
	if r.Report != nil && r.Weaker.Exit != 0 {
		all = errors.Join(all, fmt.Errorf("a run that gives up what is named ended with %d: %s", r.Weaker.Exit, r.Weaker.Stderr))
	}
	if r.Report == nil {
		if !r.refused() {
			all = errors.Join(all, errors.New("no backend can be used, and a run was not refused"))
		}
		return all
	}
	for _, one := range r.Report.Results {
		if one.Verdict == report.Fail || one.Verdict == report.Error || one.Verdict == report.NotRun {
			all = errors.Join(all, fmt.Errorf("%s %s: %s", one.Verdict, one.ID, one.Why))
		}
	}
	return all
}

// summary is a result in one line.
func (r result) summary() string {
	words := "a standard run works"
	if r.refused() {
		words = "a standard run is refused"
	}
	if r.Report != nil {
		words += "; " + r.Report.Target.Name + ": " + r.tally()
	}
	return words
}

// tally counts verdicts.
func (r result) tally() string {
	var counts []string
	for _, v := range report.Verdicts() {
		if n := r.Report.Counts[v]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, v))
		}
	}
	return strings.Join(counts, ", ")
}

func fileName(c cell) string { return strings.ReplaceAll(c.String(), "/", "_") }

// keep writes a result to where publish finds it.
func (r *runner) keep(o result) error {
	dir := filepath.Join(r.dir, "results")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(o, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, strings.ReplaceAll(o.Cell, "/", "_")+".json"), text, 0o644)
}

// kept reads all results, in the order of the cells.
func (r *runner) kept() ([]result, error) {
	var all []result
	for _, c := range cells() {
		text, err := os.ReadFile(filepath.Join(r.dir, "results", fileName(c)+".json"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var one result
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, fmt.Errorf("the result of %s: %w", c, err)
		}
		all = append(all, one)
	}
	return all, nil
}

//go:embed preface.md
var preface string

// publish writes the matrix of all results that are kept.
func (r *runner) publish(to string) error {
	all, err := r.kept()
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(preface)
	for _, one := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", one.Cell, one.Date.Format(time.DateOnly), judged(one), standard(one))
	}
	b.WriteString("\n")
	var reports []report.Report
	for _, one := range all {
		if one.Report != nil {
			reports = append(reports, *one.Report)
		}
	}
	matrix := report.Merge(reports)
	var body strings.Builder
	if err := matrix.Write(&body, "md"); err != nil {
		return err
	}
	b.WriteString(strings.Replace(body.String(), "# Conformance matrix\n", "## Conformance\n", 1))
	return os.WriteFile(to, []byte(b.String()), 0o644)
}

func judged(r result) string {
	if r.Report == nil {
		return "no backend can be used"
	}
	return "`" + r.Report.Target.Name + "`: " + r.tally()
}

// standard says what came of a standard run: what is asked of it and what would
// help, as the user reads it.
func standard(r result) string {
	if !r.refused() {
		return "works"
	}
	said := strings.TrimSpace(strings.TrimPrefix(r.Run.Stderr, "caisson: "))
	lines := slices.Collect(strings.Lines(said))
	text := "refused: `" + strings.TrimSpace(lines[0]) + "`"
	var given []string
	for _, line := range lines {
		if _, name, ok := strings.Cut(line, "--allow-weaker "); ok {
			given = append(given, "`"+strings.TrimSpace(name)+"`")
		}
	}
	if r.Weaker.Exit == 0 {
		text += "; works without " + strings.Join(given, ", ")
	}
	return text
}
