// SPDX-License-Identifier: Apache-2.0

package report

// html writes one page for whoever has to decide about the target: the outcome
// first, then the run, the claims, and each guarantee with what stands against
// it. What held, and what is not applicable, is folded away.
func (r *Report) html() string {
	d := page("Conformance of " + r.Target.title())
	d.put("<header>\n<h1>Conformance of %s</h1>\n", bdi(r.Target.title()))
	words, class := r.outcome()
	d.put("<div class=\"outcome %s\"><strong>%s</strong>\n", class, words)
	if reasons := r.Reasons(); len(reasons) > 0 {
		d.put("<ul>\n")
		for _, reason := range reasons {
			d.put("<li>%s</li>\n", reason)
		}
		d.put("</ul>\n")
	}
	d.put("</div>\n<ul class=\"counts\">\n")
	for _, v := range Verdicts() {
		d.put("<li>%s %d</li>\n", badge(v, string(v)), r.Counts[v])
	}
	d.put("</ul>\n<p class=\"quiet notes\">%s</p>\n</header>\n<main>\n<h2>The run</h2>\n<dl>\n", defined)
	for _, f := range r.facts() {
		d.put("<dt>%s</dt><dd><code>%s</code></dd>\n", f.name, bdi(f.value))
	}
	d.put("</dl>\n")
	if r.Target.Notes != "" {
		d.put("<p class=\"notes\">Notes on the target: %s</p>\n", bdi(r.Target.Notes))
	}
	d.put("<h2>Claims and what came of them</h2>\n<table class=\"claims\">\n<thead><tr><th scope=\"col\">guarantee</th><th scope=\"col\">claim</th>" +
		"<th scope=\"col\" class=\"number\">cases</th><th scope=\"col\">result</th></tr></thead>\n<tbody>\n")
	for _, g := range r.groups() {
		of := r.of(g)
		name := raw("<code>" + markup(g.name()) + "</code>")
		if len(of) > 0 {
			name = raw(`<a href="#` + markup(g.name()) + `">` + string(name) + "</a>")
		}
		d.put("<tr><th scope=\"row\">%s</th><td>%s</td><td class=\"number\">%d</td><td>%s</td></tr>\n",
			name, bdi(claim(r.Claims, g)), len(of), badge(state(of)))
	}
	d.put("</tbody>\n</table>\n<h2>Guarantees and their cases</h2>\n")
	for _, g := range r.groups() {
		if of := r.of(g); len(of) > 0 {
			d.guarantee(r, g, of)
		}
	}
	d.glossary()
	return d.String()
}

func (d *document) guarantee(r *Report, g group, of []Result) {
	d.put("<section class=\"guarantee\" id=\"%s\">\n<h3><code>%s</code> %s</h3>\n<p>%s.</p>\n<p class=\"quiet\">%s; %s</p>\n",
		g.name(), g.name(), badge(state(of)), upperFirst(g.promise), bdi(upperFirst(claim(r.Claims, g))), count(len(of), "case"))
	open, folds := folded(of)
	for _, one := range open {
		d.put("<div class=\"case\">\n<p class=\"title\">%s <span class=\"id\">%s</span> %s <span class=\"quiet\">(%s)</span></p>\n",
			badge(one.Verdict, string(one.Verdict)), one.ID, bdi(one.Title), one.Requirement)
		if one.Why != "" {
			d.put("<p class=\"why\">%s</p>\n", bdi(one.Why))
		}
		if one.Meaning != "" {
			d.put("<p><span class=\"quiet\">What a failure means:</span> %s</p>\n", bdi(one.Meaning))
		}
		d.put("</div>\n")
	}
	for _, f := range folds {
		d.put("<details><summary>%s</summary>\n<ul>\n", f.title)
		for _, one := range f.results {
			d.put("<li>%s <span class=\"id\">%s</span> %s <span class=\"quiet\">(%s, %s)</span>",
				badge(one.Verdict, string(one.Verdict)), one.ID, bdi(one.Title), one.Requirement, seconds(one.MS))
			if one.Verdict == NotApplicable {
				d.put("<br><span class=\"why\">%s</span>", bdi(one.Why))
			}
			d.put("</li>\n")
		}
		d.put("</ul>\n</details>\n")
	}
	d.put("</section>\n")
}

// glossary ends a page.
func (d *document) glossary() {
	d.put("</main>\n<footer>\n<h2>The words</h2>\n<dl>\n")
	for _, g := range glossary() {
		d.put("<dt>%s</dt><dd>%s</dd>\n", badge(Verdict(g.name), g.name), g.value)
	}
	d.put("</dl>\n<p class=\"quiet\">A conformant sandbox kept every promise that was tried. Speed, faults of the kernel below, " +
		"and harm that no case thought of are not judged.</p>\n</footer>\n</body>\n</html>\n")
}
