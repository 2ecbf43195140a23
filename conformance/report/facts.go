// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strconv"
	"time"
)

// fact is one line about a run.
type fact struct{ name, value string }

// facts is what a reader must know to run the same again, without the results.
func (r *Report) facts() []fact {
	list := []fact{
		{"target", r.Target.Name},
		{"version", r.Target.Version},
		{"kind", r.Target.Kind},
		{"operating system", r.Host.OS},
		{"architecture", r.Host.Arch},
		{"kernel", r.Host.Kernel},
		{"system", r.Host.System},
		{"run as", r.Host.User},
		{"processors", strconv.Itoa(r.Host.CPUs)},
		{"date", r.Date.UTC().Format(time.RFC3339)},
		{"duration", seconds(r.Elapsed)},
		{"whole table", yes(r.Complete)},
		{"seed", strconv.FormatUint(r.Seed, 10)},
		{"judged by", sum(r.Binary)},
	}
	var known []fact
	for _, f := range list {
		if f.value != "" {
			known = append(known, f)
		}
	}
	return known
}

// sum names an executable by its SHA-256.
func sum(binary string) string {
	if binary == "" {
		return ""
	}
	return "sha256:" + binary
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// outcome is the result in a word, and one for style sheets.
func (r *Report) outcome() (words, class string) {
	switch {
	case r.Conformant:
		return "Conformant", "good"
	case !r.Complete && r.Clean():
		return "Nothing against it in the selected cases", "part"
	}
	return "Not conformant", "bad"
}

// defined says what the first word of a report means.
const defined = "Conformant means: no case that must hold failed, none ended in an error, nothing that applies was left out, and the whole table was asked for."

// glossary explains the verdicts, in the order of Verdicts.
func glossary() []fact {
	return []fact{
		{string(Pass), "claimed, or a duty, and it held"},
		{string(Fail), "claimed, or a duty, and it was broken"},
		{string(Held), "not claimed, and it held all the same"},
		{string(NotHeld), "not claimed, and it did not hold"},
		{string(NotApplicable), "this host or this target has no such thing"},
		{string(Error), "the case could not be judged"},
		{string(NotRun), "it applies, and was not tried; it says nothing about the target"},
	}
}
