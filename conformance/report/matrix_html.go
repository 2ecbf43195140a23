// SPDX-License-Identifier: Apache-2.0

package report

// html writes the matrix as one page. A guarantee that some column broke, or did
// not hold, is unfolded.
func (m *Matrix) html() string {
	d := page("Conformance matrix")
	d.put("<header>\n<h1>Conformance matrix</h1>\n<p class=\"quiet\">%s</p>\n</header>\n<main>\n<h2>Columns</h2>\n", defined)
	if len(m.Columns) == 0 {
		d.put("<p>There is no report.</p>\n")
	}
	for i, c := range m.Columns {
		d.put("<section class=\"guarantee\">\n<h3>%d. %s %s</h3>\n<p>%s</p>\n<ul class=\"counts\">\n",
			i+1, bdi(c.Target.title()), badge(c.outcome()), bdi(c.Host.title()))
		for _, v := range Verdicts() {
			d.put("<li>%s %d</li>\n", badge(v, string(v)), c.Counts[v])
		}
		d.put("</ul>\n")
		for _, r := range c.Runs {
			d.put("<p class=\"quiet\">%s</p>\n", r.line())
		}
		if c.Target.Notes != "" {
			d.put("<p>Notes on the target: %s</p>\n", bdi(c.Target.Notes))
		}
		d.put("</section>\n")
	}
	d.put("<h2>Guarantees</h2>\n")
	d.tableHead("guarantee", m.Columns)
	for _, g := range m.groups() {
		d.put("<tr><th scope=\"row\"><a href=\"#%s\"><code>%s</code></a></th>", g.name(), g.name())
		for i := range m.Columns {
			d.put("<td>%s</td>", badge(state(in(m.of(g), i))))
		}
		d.put("</tr>\n")
	}
	d.put("</tbody>\n</table></div>\n<h2>Cases</h2>\n")
	for _, g := range m.groups() {
		d.cases(g, m.of(g), m.Columns)
	}
	d.glossary()
	return d.String()
}

func (d *document) cases(g group, rows []Row, columns []Column) {
	open := raw("")
	for _, r := range rows {
		if len(r.telling()) > 0 {
			open = " open"
		}
	}
	d.put("<section class=\"guarantee\" id=\"%s\">\n<h3><code>%s</code></h3>\n<p>%s.</p>\n<details%s><summary>%s</summary>\n",
		g.name(), g.name(), upperFirst(g.promise), open, count(len(rows), "case"))
	d.tableHead("case", columns)
	for _, r := range rows {
		d.put("<tr><th scope=\"row\"><span class=\"id\">%s</span> %s <span class=\"quiet\">(%s)</span></th>", r.ID, bdi(r.Title), r.Requirement)
		for _, c := range r.Cells {
			d.put("<td>%s</td>", badge(c.Verdict, string(c.Verdict)))
		}
		d.put("</tr>\n")
	}
	d.put("</tbody>\n</table></div>\n")
	for _, r := range rows {
		for _, i := range r.telling() {
			d.put("<div class=\"case\">\n<p class=\"title\">%s <span class=\"id\">%s</span> <span class=\"quiet\">column %d, %s</span></p>\n<p class=\"why\">%s</p>\n</div>\n",
				badge(r.Cells[i].Verdict, string(r.Cells[i].Verdict)), r.ID, i+1, bdi(columns[i].Target.Name), bdi(r.Cells[i].Why))
		}
	}
	d.put("</details>\n</section>\n")
}

// tableHead begins a table that scrolls sideways by itself. The frame can have
// the focus, so that the keyboard scrolls it too.
func (d *document) tableHead(first string, columns []Column) {
	d.put("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s by column\"><table class=\"matrix\">\n<thead><tr><th scope=\"col\">%s</th>", first, first)
	for i, c := range columns {
		d.put("<th scope=\"col\">%d <span class=\"short\">%s</span></th>", i+1, bdi(c.Target.Name))
	}
	d.put("</tr></thead>\n<tbody>\n")
}
