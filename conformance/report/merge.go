// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"time"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// MatrixSchema is the version of a matrix's JSON form.
const MatrixSchema = 1

// Matrix is several reports side by side: cases down, targets on hosts across.
type Matrix struct {
	Schema  int      `json:"schema"`
	Columns []Column `json:"columns"`
	Rows    []Row    `json:"rows"`
}

// Column is one target on one host. Reports of the same name, version and kind
// on the same kernel, system, architecture and kind of user share a column.
type Column struct {
	Target Target        `json:"target"`
	Host   Host          `json:"host"`
	Claims guarantee.Set `json:"claims"` // of the newest report
	// Conformant is judged anew over all rows: a case that another report has
	// and this column lacks was not run.
	Conformant bool            `json:"conformant"`
	Complete   bool            `json:"complete"` // one of the runs asked for the whole table
	Counts     map[Verdict]int `json:"counts"`
	Runs       []Run           `json:"runs"`
}

// Run is one report of a column.
type Run struct {
	Date     time.Time `json:"date"`
	Binary   string    `json:"binary"`
	Seed     uint64    `json:"seed"`
	Complete bool      `json:"complete"`
}

// Row is one case.
type Row struct {
	ID          string       `json:"id"`
	Title       string       `json:"title"`
	Guarantee   guarantee.ID `json:"guarantee"`
	Requirement string       `json:"requirement"`
	Clause      string       `json:"clause"`
	Meaning     string       `json:"meaning"`
	Cells       []Cell       `json:"cells"` // one for each column
}

// Cell is what came of a case in a column.
type Cell struct {
	Verdict Verdict `json:"verdict"`
	Why     string  `json:"why"`
}

// Merge lays reports side by side. Columns come in the order of the reports,
// rows in that of the contract. Where a column has several results for a case
// the worst that was got by running it counts, so that a repetition cannot hide
// a failure; a case that no report of the column has is not run.
func Merge(reports []Report) Matrix {
	m := Matrix{Schema: MatrixSchema, Columns: []Column{}, Rows: []Row{}}
	var columns [][]Report
	for _, r := range reports {
		i := slices.IndexFunc(columns, func(c []Report) bool { return sameColumn(c[0], r) })
		if i < 0 {
			i = len(columns)
			columns = append(columns, nil)
		}
		columns[i] = append(columns[i], r)
	}
	m.Rows = rows(reports)
	for _, c := range columns {
		m.add(c)
	}
	return m
}

func sameColumn(a, b Report) bool {
	a.Target.Notes, b.Target.Notes = "", ""
	a.Host.CPUs, b.Host.CPUs = 0, 0
	return a.Target == b.Target && a.Host == b.Host
}

// rows returns a row for each case of the reports, without cells. Where reports
// differ in what they say of a case the newest is right.
func rows(reports []Report) []Row {
	list := []Row{}
	at := map[string]int{}
	newest := map[string]time.Time{}
	var used []guarantee.ID
	for _, r := range reports {
		for _, one := range r.Results {
			i, ok := at[one.ID]
			if !ok {
				i = len(list)
				at[one.ID] = i
				list = append(list, Row{})
			}
			if !ok || r.Date.After(newest[one.ID]) {
				newest[one.ID] = r.Date
				list[i] = Row{one.ID, one.Title, one.Guarantee, one.Requirement, one.Clause, one.Meaning, nil}
			}
			used = append(used, one.Guarantee)
		}
	}
	order := groups(used)
	place := func(r Row) int { return slices.IndexFunc(order, func(g group) bool { return g.id == r.Guarantee }) }
	slices.SortStableFunc(list, func(a, b Row) int { return place(a) - place(b) })
	return list
}

// add appends the column of some reports.
func (m *Matrix) add(reports []Report) {
	reports = slices.Clone(reports)
	slices.SortStableFunc(reports, func(a, b Report) int { return a.Date.Compare(b.Date) })
	last := reports[len(reports)-1]
	whole := Report{Claims: last.Claims}
	runs := []Run{}
	cells := map[string]Cell{}
	for _, r := range reports {
		runs = append(runs, Run{r.Date.UTC(), r.Binary, r.Seed, r.Complete})
		whole.Complete = whole.Complete || r.Complete
		for _, one := range r.Results {
			old, ok := cells[one.ID]
			if !ok || old.Verdict == NotRun || one.Verdict != NotRun && rank(one.Verdict) > rank(old.Verdict) {
				cells[one.ID] = Cell{one.Verdict, one.Why}
			}
		}
	}
	for i, row := range m.Rows {
		cell, ok := cells[row.ID]
		if !ok {
			cell = Cell{NotRun, "no report of this column has the case"}
		}
		m.Rows[i].Cells = append(row.Cells, cell)
		whole.Results = append(whole.Results, Result{Verdict: cell.Verdict, Requirement: row.Requirement})
	}
	whole.Judge()
	if whole.Claims == nil {
		whole.Claims = guarantee.Set{}
	}
	m.Columns = append(m.Columns, Column{last.Target, last.Host, whole.Claims, whole.Conformant, whole.Complete, whole.Counts, runs})
}

// groups returns the groups of a matrix that have rows.
func (m *Matrix) groups() []group {
	var used []guarantee.ID
	for _, r := range m.Rows {
		used = append(used, r.Guarantee)
	}
	return slices.DeleteFunc(groups(used), func(g group) bool { return !slices.Contains(used, g.id) })
}

// of returns the rows of a group.
func (m *Matrix) of(g group) []Row {
	var list []Row
	for _, r := range m.Rows {
		if r.Guarantee == g.id {
			list = append(list, r)
		}
	}
	return list
}

// in returns what rows are in a column, as far as state looks at it.
func in(rows []Row, column int) []Result {
	var list []Result
	for _, r := range rows {
		list = append(list, Result{Verdict: r.Cells[column].Verdict, Requirement: r.Requirement})
	}
	return list
}

// telling returns the columns of a row whose reason is worth reading.
func (r Row) telling() []int {
	var list []int
	for i, c := range r.Cells {
		if c.Verdict == Fail || c.Verdict == Error || c.Verdict == NotHeld {
			list = append(list, i)
		}
	}
	return list
}
