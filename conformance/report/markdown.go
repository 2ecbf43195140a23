// SPDX-License-Identifier: Apache-2.0

package report

import "strings"

// markdown writes the dialect of forges (tables as in GFM). Text of the target
// stands in code spans.
func (r *Report) markdown() string {
	d := &document{escape: prose}
	words, _ := r.outcome()
	d.put("# Conformance of %s\n\n**%s.**\n\n", code(r.Target.title()), words)
	if reasons := r.Reasons(); len(reasons) > 0 {
		for _, reason := range reasons {
			d.put("- %s\n", reason)
		}
		d.put("\n")
	}
	d.put("%s\n\n| verdict | cases | meaning |\n|---|--:|---|\n", defined)
	for _, g := range glossary() {
		d.put("| %s | %d | %s |\n", g.name, r.Counts[Verdict(g.name)], g.value)
	}
	d.put("\n## The run\n\n| fact | value |\n|---|---|\n")
	for _, f := range r.facts() {
		d.put("| %s | %s |\n", f.name, code(f.value))
	}
	if r.Target.Notes != "" {
		d.put("\nNotes on the target: %s\n", code(r.Target.Notes))
	}
	d.put("\n## Guarantees\n\n| guarantee | claim | cases | result |\n|---|---|--:|---|\n")
	for _, g := range r.groups() {
		of := r.of(g)
		d.put("| %s | %s | %d | %s |\n", code(g.name()), claim(r.Claims, g), len(of), bold(state(of)))
	}
	for _, g := range r.groups() {
		d.section(r, g)
	}
	return d.String()
}

func (d *document) section(r *Report, g group) {
	of := r.of(g)
	if len(of) == 0 {
		return
	}
	_, words := state(of)
	d.put("\n### %s: %s\n\n%s.\n", code(g.name()), words, upperFirst(g.promise))
	open, folds := folded(of)
	if len(open) > 0 {
		d.put("\n")
	}
	for _, one := range open {
		d.put("- %s %s: %s (%s)", bold(one.Verdict, string(one.Verdict)), code(one.ID), one.Title, one.Requirement)
		if one.Why != "" {
			d.put("  \n  Why: %s", code(one.Why))
		}
		if one.Meaning != "" {
			d.put("  \n  Meaning: %s", one.Meaning)
		}
		d.put("\n")
	}
	for _, f := range folds {
		d.put("\n<details><summary>%s</summary>\n\n", f.title)
		for _, one := range f.results {
			d.put("- %s %s: %s", one.Verdict, code(one.ID), one.Title)
			if one.Verdict == NotApplicable && one.Why != "" {
				d.put("; %s", code(one.Why))
			}
			d.put("\n")
		}
		d.put("\n</details>\n")
	}
}

// bold sets words about a verdict that stands against a target in bold.
func bold(v Verdict, words string) raw {
	if rank(v) >= rank(NotRun) {
		return raw("**" + prose(words) + "**")
	}
	return raw(prose(words))
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
