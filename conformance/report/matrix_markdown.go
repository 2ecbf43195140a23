// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"time"
)

// markdown writes the matrix for forges: the columns, a table of guarantees, and
// a table of cases for each guarantee. Columns have numbers, for they are narrow.
func (m *Matrix) markdown() string {
	d := &document{escape: prose}
	d.put("# Conformance matrix\n\n%s\n", defined)
	if len(m.Columns) == 0 {
		d.put("\nThere is no report.\n")
		return d.String()
	}
	d.put("\n## Columns\n\n")
	for i, c := range m.Columns {
		_, words := c.outcome()
		d.put("%d. %s on %s: **%s**; %s", i+1, code(c.Target.title()), code(c.Host.title()), words, c.tally())
		for _, r := range c.Runs {
			d.put("  \n   %s", r.line())
		}
		if c.Target.Notes != "" {
			d.put("  \n   Notes: %s", code(c.Target.Notes))
		}
		d.put("\n")
	}
	d.put("\n## Guarantees\n")
	d.head("guarantee", len(m.Columns))
	for _, g := range m.groups() {
		d.put("| %s |", code(g.name()))
		for i := range m.Columns {
			d.put(" %s |", bold(state(in(m.of(g), i))))
		}
		d.put("\n")
	}
	d.put("\n## Cases\n")
	for _, g := range m.groups() {
		d.put("\n### %s\n\n%s.\n", code(g.name()), upperFirst(g.promise))
		d.head("case", len(m.Columns))
		for _, r := range m.of(g) {
			d.put("| %s %s (%s) |", code(r.ID), r.Title, r.Requirement)
			for _, c := range r.Cells {
				d.put(" %s |", bold(c.Verdict, string(c.Verdict)))
			}
			d.put("\n")
		}
		d.put("\n")
		for _, r := range m.of(g) {
			for _, i := range r.telling() {
				d.put("- %s, column %d, %s: %s\n", code(r.ID), i+1, r.Cells[i].Verdict, code(r.Cells[i].Why))
			}
		}
	}
	d.put("\n## The words\n\n")
	for _, g := range glossary() {
		d.put("- %s: %s\n", g.name, g.value)
	}
	return d.String()
}

// head begins a table with a column for each of the matrix.
func (d *document) head(first string, columns int) {
	d.put("\n| %s |", first)
	for i := range columns {
		d.put(" %d |", i+1)
	}
	d.put("\n|---|")
	for range columns {
		d.put("---|")
	}
	d.put("\n")
}

// outcome is the result in words, with the verdict whose colours it has.
func (c Column) outcome() (Verdict, string) {
	if c.Conformant {
		return Pass, "conformant"
	}
	return Fail, "not conformant"
}

// tally lists how many cases ended how.
func (c Column) tally() string {
	s := ""
	for _, v := range Verdicts() {
		if n := c.Counts[v]; n > 0 {
			if s != "" {
				s += ", "
			}
			s += fmt.Sprintf("%d %s", n, v)
		}
	}
	return s
}

// line names a run.
func (r Run) line() string {
	what := "a part of the table"
	if r.Complete {
		what = "the whole table"
	}
	line := fmt.Sprintf("%s, %s, seed %d", r.Date.Format(time.RFC3339), what, r.Seed)
	if r.Binary != "" {
		line += ", judged by " + sum(r.Binary)
	}
	return line
}
