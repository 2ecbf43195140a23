// SPDX-License-Identifier: Apache-2.0

package report

// junit writes XML as Ant's JUnit task does, which build servers read. A case is
// a testcase whose class is its guarantee, or "duty". The verdicts become
//
//	pass, held                nothing beside the case
//	fail                      failure
//	error, not-run            error, for there is no exit status beside the file
//	not-applicable, not-held  skipped
//
// The type of each element is the verdict.
func (r *Report) junit() string {
	d := &document{escape: markup}
	totals := func() {
		d.put(` tests="%d" failures="%d" errors="%d" skipped="%d" time="%s"`, len(r.Results), r.Counts[Fail],
			r.Counts[Error]+r.Counts[NotRun], r.Counts[NotApplicable]+r.Counts[NotHeld], xmlTime(r.Elapsed))
	}
	d.put("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"caisson conformance\"")
	totals()
	d.put(">\n  <testsuite name=\"%s\" hostname=\"localhost\" timestamp=\"%s\"", r.Target.title(), r.Date.UTC().Format("2006-01-02T15:04:05"))
	totals()
	d.put(">\n    <properties>\n")
	for _, p := range r.facts() {
		d.put("      <property name=\"%s\" value=\"%s\"/>\n", p.name, p.value)
	}
	d.put("    </properties>\n")
	for _, one := range r.Results {
		d.put("    <testcase classname=\"%s\" name=\"%s: %s\" time=\"%s\"", group{id: one.Guarantee}.name(), one.ID, one.Title, xmlTime(one.MS))
		switch one.Verdict {
		case Fail:
			d.outcome("failure", one)
		case Error, NotRun:
			d.outcome("error", one)
		case NotApplicable, NotHeld:
			d.outcome("skipped", one)
		default:
			d.put("/>\n")
		}
	}
	d.put("    <system-out>%s</system-out>\n    <system-err></system-err>\n  </testsuite>\n</testsuites>\n", r.Summary())
	return d.String()
}

func (d *document) outcome(element raw, one Result) {
	message := one.Why
	if one.Verdict != Fail && one.Verdict != Error {
		message = string(one.Verdict) + ": " + message
	}
	d.put(">\n      <%s type=\"%s\" message=\"%s\">", element, one.Verdict, message)
	d.put("%s\nclause: %s\nrequirement: %s</%s>\n    </testcase>\n", one.Meaning, one.Clause, one.Requirement, element)
}

// xmlTime writes milliseconds as xs:decimal seconds.
func xmlTime(ms int64) raw {
	d := &document{escape: markup}
	d.put("%d.%03d", ms/1000, ms%1000)
	return raw(d.String())
}
