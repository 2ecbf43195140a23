// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// cell returns what a matrix says of a case in a column.
func cell(t *testing.T, m Matrix, id string, column int) Cell {
	t.Helper()
	i := slices.IndexFunc(m.Rows, func(r Row) bool { return r.ID == id })
	if i < 0 {
		t.Fatalf("there is no row %s", id)
	}
	return m.Rows[i].Cells[column]
}

func TestMergeColumns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Report)
		want   int
	}{
		"the same":             {func(*Report) {}, 1},
		"another day":          {func(r *Report) { r.Date = r.Date.Add(time.Hour) }, 1},
		"other notes":          {func(r *Report) { r.Target.Notes = "other" }, 1},
		"more processors":      {func(r *Report) { r.Host.CPUs++ }, 1},
		"another version":      {func(r *Report) { r.Target.Version = "9" }, 2},
		"another name":         {func(r *Report) { r.Target.Name = "other" }, 2},
		"another kernel":       {func(r *Report) { r.Host.Kernel = "Linux 7" }, 2},
		"another architecture": {func(r *Report) { r.Host.Arch = "arm64" }, 2},
		"another distribution": {func(r *Report) { r.Host.System = "Alpine" }, 2},
		"as root":              {func(r *Report) { r.Host.User = "root" }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := mixed()
			c.change(other)
			m := Merge([]Report{*mixed(), *other})
			if len(m.Columns) != c.want {
				t.Fatalf("%d columns, want %d", len(m.Columns), c.want)
			}
			for _, r := range m.Rows {
				if len(r.Cells) != c.want {
					t.Errorf("row %s has %d cells", r.ID, len(r.Cells))
				}
			}
		})
	}
}

// TestMergeKeepsFailures repeats a run: neither order nor a later success hides
// that a case failed once, and what was run outweighs what was not.
func TestMergeKeepsFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ a, b, want Verdict }{
		"passed twice":             {Pass, Pass, Pass},
		"failed once":              {Fail, Pass, Fail},
		"failed later":             {Pass, Fail, Fail},
		"an error":                 {Pass, Error, Error},
		"not run at first":         {NotRun, Pass, Pass},
		"not run later":            {Pass, NotRun, Pass},
		"not run, and failed":      {NotRun, Fail, Fail},
		"not run, not applicable":  {NotRun, NotApplicable, NotApplicable},
		"never run":                {NotRun, NotRun, NotRun},
		"held, and then did not":   {Held, NotHeld, NotHeld},
		"not applicable, and then": {NotApplicable, Pass, Pass},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := clean(), clean()
			b.Date = a.Date.Add(time.Hour)
			a.Results[3].Verdict, b.Results[3].Verdict = c.a, c.b
			for _, reports := range [][]Report{{*a, *b}, {*b, *a}} {
				m := Merge(reports)
				if got := cell(t, m, a.Results[3].ID, 0).Verdict; got != c.want {
					t.Errorf("%s and %s give %s, want %s", c.a, c.b, got, c.want)
				}
				if want := !slices.Contains([]Verdict{Fail, Error, NotRun}, c.want); m.Columns[0].Conformant != want {
					t.Errorf("conformant is %t", m.Columns[0].Conformant)
				}
			}
		})
	}
}

// TestMergeNotRun keeps what was not run apart from what passed.
func TestMergeNotRun(t *testing.T) {
	t.Parallel()
	m := Merge([]Report{*mixed(), *partial()})
	if got := cell(t, m, "read-01", 1); got.Verdict != NotRun || got.Why == "" {
		t.Errorf("a case that a report lacks is %+v", got)
	}
	if got := cell(t, m, "write-02", 1); got.Verdict != Pass {
		t.Errorf("a case that it has is %+v", got)
	}
	if c := m.Columns[1]; c.Conformant || c.Complete || c.Counts[NotRun] != len(m.Rows)-2 || c.Counts[Pass] != 2 {
		t.Errorf("the column is %+v", c)
	}
	for _, format := range MatrixFormats() {
		if !strings.Contains(write(t, &m, format), string(NotRun)) {
			t.Errorf("%s does not say that cases were not run", format)
		}
	}
	older := clean()
	older.Results = older.Results[1:] // all of the table that its version had
	older.Host.Arch = "arm64"
	older.Judge()
	m = Merge([]Report{*clean(), *older})
	if !m.Columns[0].Conformant || m.Columns[1].Conformant {
		t.Error("a column is conformant without a case that another has")
	}
}

// TestMergeHalves puts two parts of the table together.
func TestMergeHalves(t *testing.T) {
	t.Parallel()
	a, b := clean(), clean()
	a.Complete, b.Complete = false, false
	a.Results, b.Results = a.Results[:5], b.Results[5:]
	m := Merge([]Report{*a, *b})
	if c := m.Columns[0]; len(m.Columns) != 1 || c.Counts[Pass] != len(m.Rows) || len(c.Runs) != 2 {
		t.Errorf("the column is %+v", c)
	}
	if m.Columns[0].Conformant {
		t.Error("no run asked for the whole table, and the column is conformant")
	}
}

func TestMergeOrder(t *testing.T) {
	t.Parallel()
	a, b := clean(), clean()
	slices.Reverse(b.Results)
	b.Results = append(b.Results, Result{ID: "new-01", Guarantee: "zz.unknown", Requirement: "may", Verdict: Held, Title: "old words"})
	b.Host.Arch = "arm64"
	m := Merge([]Report{*a, *b})
	var groups []guarantee.ID
	for _, r := range m.Rows {
		groups = append(groups, r.Guarantee)
	}
	want := []guarantee.ID{"", guarantee.WriteConfined, guarantee.WriteProtected, guarantee.ReadHidden, guarantee.NetOffline,
		guarantee.TreeKilled, guarantee.TTYNoInject, guarantee.DenialsReported, "zz.unknown"}
	if got := slices.Compact(groups); !slices.Equal(got, want) {
		t.Errorf("groups %q, want %q", got, want)
	}
	if got := cell(t, m, "new-01", 0).Verdict; got != NotRun {
		t.Errorf("the new case is %s where it was not there", got)
	}
	newer := *b
	newer.Date = b.Date.Add(time.Hour)
	newer.Results = []Result{{ID: "new-01", Guarantee: "zz.unknown", Requirement: "must", Verdict: Held, Title: "new words"}}
	for _, reports := range [][]Report{{*b, newer}, {newer, *b}} {
		m := Merge(reports)
		if r := m.Rows[len(m.Rows)-1]; r.Title != "new words" || r.Requirement != "must" {
			t.Errorf("the row is %+v; the newest report names it", r)
		}
	}
}

// TestMergeLeavesReports shows that what was merged is as before.
func TestMergeLeavesReports(t *testing.T) {
	t.Parallel()
	reports := []Report{*clean(), *mixed(), *partial()}
	before := write(t, &reports[1], "json")
	Merge(reports)
	if write(t, &reports[1], "json") != before || reports[0].Target.Kind != "backend" {
		t.Error("Merge changed its reports")
	}
}
