// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strconv"
	"strings"
)

// tap writes the Test Anything Protocol, version 14: one test point for each
// case, with a YAML block. The verdicts become
//
//	pass, held       ok
//	fail, error      not ok
//	not-held         not ok with the directive for what is not expected to work,
//	                 which no consumer counts as a failure
//	not-applicable   ok # SKIP not applicable: …
//	not-run          ok # SKIP not run: …
//
// Held is a plain ok, since some consumers take an ok with that directive for a
// failure. A stream can thus be all ok and the target not conformant, where
// cases were not run: consumers of TAP look at the exit status too, and the last
// comment says it. See testanything.org, TAP 14.
func (r *Report) tap() string {
	const expected = " # TO" + "DO not claimed"
	d := &document{escape: tapText}
	d.put("TAP version 14\n1..%d", len(r.Results))
	if len(r.Results) == 0 {
		d.put(" # no case was run")
	}
	d.put("\n# %s on %s\n", r.Target.title(), r.Host.title())
	for i, one := range r.Results {
		status, directive := raw("ok"), raw("")
		switch one.Verdict {
		case Fail, Error:
			status = "not ok"
		case NotHeld:
			status, directive = "not ok", expected
		case NotApplicable:
			directive = raw(" # SKIP not applicable: " + tapText(one.Why))
		case NotRun:
			directive = raw(" # SKIP not run: " + tapText(one.Why))
		}
		d.put("%s %d - %s: %s%s\n", status, i+1, one.ID, one.Title, directive)
		d.put("  ---\n")
		d.yaml("id", one.ID)
		d.yaml("guarantee", string(one.Guarantee))
		d.yaml("requirement", one.Requirement)
		d.yaml("clause", one.Clause)
		d.yaml("verdict", string(one.Verdict))
		if one.Why != "" {
			d.yaml("why", one.Why)
		}
		if detailed(one.Verdict) {
			d.yaml("meaning", one.Meaning)
		}
		d.put("  duration_ms: %d\n  ...\n", one.MS)
	}
	d.put("# %s\n", r.Summary())
	for _, reason := range r.Reasons() {
		d.put("# %s\n", reason)
	}
	return d.String()
}

// yaml writes a line of a YAML block. The value is quoted twice over: what does
// not show is an escape of Visible, and that text is a double-quoted scalar,
// whose escapes YAML shares with Go.
func (d *document) yaml(key, value string) {
	d.put("  %s: %s\n", raw(key), raw(strconv.Quote(Visible(value))))
}

// tapText escapes a description: a bare # would begin a directive.
func tapText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `#`, `\#`).Replace(Visible(s))
}
